"""The image-text model: texts and images in one embedding space, for keys (eq. 3) and the global similarity."""

from collections.abc import Callable, Sequence

import open_clip
import torch
from torch.nn import functional

from freeda_svc.encoders.images import channel_constants, check_images, squash
from freeda_svc.encoders.templates import TEMPLATES, fill

Tokenizer = Callable[[list[str]], torch.Tensor]

_TEXTS_AT_ONCE = 256
_NOUNS_KEPT = 20_000


class ImageTextModel:
    """A CLIP model with its tokenizer and its image normalisation.

    Attributes:
        size: side, in pixels, to which every image is squashed.
        dimension: length of an embedding, Dt.
    """

    def __init__(
        self, model: open_clip.CLIP, tokenizer: Tokenizer, size: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._parameter = next(self._model.parameters())
        self._mean = channel_constants(mean).to(self._parameter.device)
        self._std = channel_constants(std).to(self._parameter.device)
        self._nouns: dict[str, torch.Tensor] = {}
        self.size = size
        self.dimension = int(model.visual.output_dim)

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Embed texts as they are, without templates.

        Args:
            texts: N texts; what exceeds the model's context length is cut off by its tokenizer.

        Returns:
            (N, Dt) float32 in main memory, not normalised.
        """
        chunks = [
            self._encode(self._tokenizer(list(texts[start : start + _TEXTS_AT_ONCE])).to(self._mean.device))
            for start in range(0, len(texts), _TEXTS_AT_ONCE)
        ]
        if not chunks:
            return torch.empty(0, self.dimension)
        return torch.cat(chunks).to(device="cpu", dtype=torch.float32)

    def _encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embed token ids (N, L), computing no further than the longest text reaches.

        A causal text encoder that reads its answer at the end token never looks at the padding behind it, which is
        most of what it is given.
        """
        model = self._model
        if getattr(model, "text_pool_type", "") != "argmax" or getattr(model, "attn_mask", None) is None:
            whole: torch.Tensor = model.encode_text(tokens)
            return whole
        ends = tokens.argmax(dim=-1)  # the end token has the greatest id
        length = int(ends.max()) + 1
        precision = model.transformer.get_cast_dtype()
        states = model.token_embedding(tokens[:, :length]).to(precision)
        states = states + model.positional_embedding[:length].to(precision)
        states = model.ln_final(model.transformer(states, attn_mask=model.attn_mask[:length, :length]))
        pooled: torch.Tensor = states[torch.arange(len(states), device=states.device), ends]
        projection = model.text_projection
        if projection is None:
            return pooled
        projected: torch.Tensor = projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection
        return projected

    @torch.no_grad()
    def embed_images(self, images: torch.Tensor) -> torch.Tensor:
        """Embed images, squashed to ``size`` on both sides (bicubic, no antialiasing, no cropping).

        Args:
            images: (B, 3, H, W) float32, 0 to 1, RGB.

        Returns:
            (B, Dt) float32 in main memory, not normalised.

        Raises:
            InputError: the images have another shape or are not floating point.
        """
        check_images(images)
        images = images.to(device=self._parameter.device, dtype=torch.float32)
        pixels = (squash(images, self.size, "bicubic") - self._mean) / self._std
        embedded: torch.Tensor = self._model.encode_image(pixels.to(self._parameter.dtype))
        return embedded.to(device="cpu", dtype=torch.float32)

    def embed_nouns(self, nouns: Sequence[str]) -> torch.Tensor:
        """Embed nouns or category names through the seven templates (t-hat of section 3.1 and 3.2).

        The embeddings of a noun's seven sentences are averaged as they come, then normalised. Nouns seen before are
        not computed again.

        Args:
            nouns: N words or short phrases.

        Returns:
            (N, Dt) float32 in main memory, unit length.
        """
        unknown = [noun for noun in dict.fromkeys(nouns) if noun not in self._nouns]
        if unknown:
            texts = [fill(template, noun) for noun in unknown for template in TEMPLATES]
            means = self.embed_texts(texts).view(len(unknown), len(TEMPLATES), -1).mean(dim=1)
            self._nouns.update(zip(unknown, functional.normalize(means, dim=-1), strict=True))
        if not nouns:
            return torch.empty(0, self.dimension)
        embedded = torch.stack([self._nouns[noun] for noun in nouns])
        for noun in unknown:
            if not bool(self._nouns[noun].isfinite().all()):
                del self._nouns[noun]  # what the device got wrong once is not what it will say the next time
        while len(self._nouns) > _NOUNS_KEPT:  # the oldest go first
            del self._nouns[next(iter(self._nouns))]
        return embedded
