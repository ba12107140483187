"""The image-text model: texts and images in one embedding space, for keys (eq. 3) and the global similarity."""

from collections.abc import Callable, Sequence
from typing import Any

import open_clip
import torch
from open_clip.transformer import TextTransformer
from torch.nn import functional

from freeda_svc.encoders.images import (
    Compiler,
    Forward,
    Interpolation,
    channel_constants,
    check_images,
    check_size,
    squash,
)
from freeda_svc.encoders.templates import TEMPLATES, fill
from freeda_svc.errors import InputError

Tokenizer = Callable[[list[str]], torch.Tensor]

_TEXTS_AT_ONCE = 256
_NOUNS_KEPT = 20_000


class ImageTextModel:
    """A model of open_clip (CLIP, SigLIP 2, PE-Core) with its tokenizer and its image normalisation.

    Texts and images are compared by their cosine; the temperature, and the bias of a model that was trained with a
    sigmoid, order nothing differently and are not used.

    Attributes:
        size: side, in pixels, to which every image is squashed, bicubic or as the model was trained.
        dimension: length of an embedding, Dt.
        mean_colour: red, green and blue, 0 to 1, that the model's normalisation makes zero.
    """

    def __init__(
        self,
        model: open_clip.CLIP | open_clip.CustomTextCLIP,
        tokenizer: Tokenizer,
        size: int,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        interpolation: Interpolation = "bicubic",
        compiler: Compiler | None = None,
    ) -> None:
        """Take a model.

        Args:
            model: where and in which precision it computes.
            tokenizer: from texts to token ids (N, L).
            size: side, in pixels, to which every image is squashed.
            mean: of the colour channels, 0 to 1, as the model was trained.
            std: their standard deviation.
            interpolation: of squashing, as the model was trained.
            compiler: makes another forward pass of the image encoder, on the processor in float32; torch's own when
                None. The model's own image encoder is dropped then.

        Raises:
            InputError: the size is no multiple of the model's patches.
        """
        check_size("image_text_size", size, patch_side(model), "image-text model")
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._interpolation: Interpolation = interpolation
        self._parameter = next(self._model.parameters())
        self._mean = channel_constants(mean).to(self._parameter.device)
        self._std = channel_constants(std).to(self._parameter.device)
        self._compiled: Forward | None = None
        if compiler is not None:
            self._compiled = compiler(_Image(self._model), size)
            del self._model.visual
        self._nouns: dict[str, torch.Tensor] = {}
        self.mean_colour = tuple(mean)
        self.size = size
        self.dimension = _dimension(model)

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Embed texts as they are, without templates.

        Args:
            texts: N texts; what exceeds the model's context length is cut off by its tokenizer.

        Returns:
            (N, Dt) float32 in main memory, not normalised.

        Raises:
            InputError: the tokenizer returns ids that are not in the model's vocabulary.
        """
        chunks = [
            self._encode(self._tokens(texts[start : start + _TEXTS_AT_ONCE]))
            for start in range(0, len(texts), _TEXTS_AT_ONCE)
        ]
        if not chunks:
            return torch.empty(0, self.dimension)
        return torch.cat(chunks).to(device="cpu", dtype=torch.float32)

    def _tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Return token ids, (N, L) int64, where the model computes."""
        tokens = self._tokenizer(list(texts))
        greatest, known = int(tokens.max()), int(self._model.vocab_size)
        if greatest >= known:
            raise InputError(
                f"the image-text model knows {known} tokens, but its tokenizer gave the number {greatest}: "
                "they do not belong together"
            )
        return tokens.to(self._mean.device)

    def _encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embed token ids (N, L), computing no further than the longest text reaches.

        A causal text encoder that reads its answer at the end token (CLIP, PE-Core) never looks at the padding behind
        it, which is most of what it is given. SigLIP's looks both ways and reads its answer at the last place.
        """
        text: Any = getattr(self._model, "text", self._model)  # CLIP has the parts of its text encoder itself
        if not _ends_early(text):
            whole: torch.Tensor = self._model.encode_text(tokens)
            return whole
        ends = tokens.argmax(dim=-1)  # the end token has the greatest id
        length = int(ends.max()) + 1
        precision = text.transformer.get_cast_dtype()
        states = text.token_embedding(tokens[:, :length]).to(precision)
        states = states + text.positional_embedding[:length].to(precision)
        states = text.ln_final(text.transformer(states, attn_mask=text.attn_mask[:length, :length]))
        pooled: torch.Tensor = states[torch.arange(len(states), device=states.device), ends]
        projection = text.text_projection
        if projection is None:
            return pooled
        projected: torch.Tensor = projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection
        return projected

    @torch.no_grad()
    def embed_images(self, images: torch.Tensor) -> torch.Tensor:
        """Embed images, squashed to ``size`` on both sides, without antialiasing or cropping.

        Args:
            images: (B, 3, H, W) float32, 0 to 1, RGB.

        Returns:
            (B, Dt) float32 in main memory, not normalised.

        Raises:
            InputError: the images have another shape or are not floating point.
        """
        check_images(images)
        images = images.to(device=self._parameter.device, dtype=torch.float32)
        pixels = (squash(images, self.size, self._interpolation) - self._mean) / self._std
        encode: Forward = self._compiled or self._model.encode_image
        embedded = encode(pixels.to(self._parameter.dtype))
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


class _Image(torch.nn.Module):
    """The image encoder alone: images (B, 3, H, W) to embeddings (B, Dt)."""

    def __init__(self, model: open_clip.CLIP | open_clip.CustomTextCLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.model.encode_image(pixels)
        return embedded


def patch_side(model: torch.nn.Module) -> int:
    """Return the side of an image encoder's patches, pixels; 1 where it has none of its own, as a convolutional one."""
    visual: Any = model.visual
    trunk = getattr(visual, "trunk", visual)  # where timm computes, open_clip wraps its model
    sides = getattr(getattr(trunk, "patch_embed", trunk), "patch_size", None)
    return int(sides[0]) if sides else 1


def _dimension(model: open_clip.CLIP | open_clip.CustomTextCLIP) -> int:
    """Return the length of an embedding, from the text encoder, because timm's image encoders do not have it."""
    if hasattr(model, "text"):
        return int(model.text.output_dim)
    projection = model.text_projection
    if projection is None:
        return int(model.token_embedding.embedding_dim)
    return int(projection.out_features if isinstance(projection, torch.nn.Linear) else projection.shape[1])


def _ends_early(text: Any) -> bool:  # noqa: ANN401  (a model of open_clip, which has no types)
    """Return whether a text encoder's output is independent of what follows the end token."""
    if not isinstance(text, open_clip.CLIP | TextTransformer):
        return False
    pooling = getattr(text, "pool_type", getattr(text, "text_pool_type", ""))
    return pooling == "argmax" and text.attn_mask is not None and getattr(text, "cls_emb", None) is None
