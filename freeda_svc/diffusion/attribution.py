"""Cross-attention attribution, eq. 1: where in an image each noun of its caption was drawn.

As in DAAM, the cross-attention layers of the U-Net's down and up blocks are observed while it generates. Only the
columns of the nouns' tokens are kept, summed over steps, layers and heads at each layer's own resolution. The
upsampling is linear, so a resolution's sum is upsampled once, at the end.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch.nn import functional
from transformers import CLIPTokenizer

from freeda_svc.captions.caption import Caption, Noun, Span
from freeda_svc.errors import InputError

_OBSERVED_BLOCKS = ("down_blocks.", "up_blocks.")
_CROSS_ATTENTION = ".attn2.processor"


@dataclass(frozen=True)
class TokenColumns:
    """Which tokens of a caption name which noun.

    Attributes:
        nouns: those with at least one mention within the tokenizer's length.
        columns: for each of ``nouns``, positions of the tokens of all its mentions, in order.
        cut_off: nouns with no whole mention within the tokenizer's length.
    """

    nouns: tuple[Noun, ...]
    columns: tuple[tuple[int, ...], ...]
    cut_off: tuple[Noun, ...]


def find_token_columns(tokenizer: CLIPTokenizer, caption: Caption, nouns: Sequence[Noun]) -> TokenColumns:
    """Find the tokens of a caption's nouns by their character spans.

    A word may be several tokens and a noun may be mentioned several times; a mention that the tokenizer's length cuts
    off, even in part, does not count.

    Args:
        tokenizer: the pipeline's, one that knows its tokens' character ranges.
        caption: the text given to the pipeline.
        nouns: with spans in that text.

    Raises:
        InputError: the tokenizer does not know its tokens' character ranges.
    """
    if not tokenizer.is_fast:
        raise InputError("the generator's tokenizer gives no character ranges; use one of the tokenizers library")
    encoding = tokenizer(
        caption.text, truncation=True, max_length=tokenizer.model_max_length, return_offsets_mapping=True
    )
    offsets: list[Span] = [(int(start), int(end)) for start, end in encoding["offset_mapping"]]
    reach = max(end for _, end in offsets)
    found: list[tuple[Noun, tuple[int, ...]]] = []
    cut_off: list[Noun] = []
    for noun in nouns:
        whole = [span for span in noun.spans if span[1] <= reach]
        columns = tuple(
            column
            for column, (start, end) in enumerate(offsets)
            if any(max(start, first) < min(end, last) for first, last in whole)
        )
        if columns:
            found.append((noun, columns))
        else:
            cut_off.append(noun)
    return TokenColumns(
        nouns=tuple(noun for noun, _ in found),
        columns=tuple(columns for _, columns in found),
        cut_off=tuple(cut_off),
    )


def _level_sizes(height: int, width: int) -> dict[int, tuple[int, int]]:
    """Map the number of positions of each level of the U-Net, halved and rounded up from the latents', to its size."""
    sizes = {height * width: (height, width)}
    while height * width > 1:
        height, width = math.ceil(height / 2), math.ceil(width / 2)
        sizes[height * width] = (height, width)
    return sizes


class AttentionRecorder:
    """Sums the cross-attention of one batch of images while a U-Net generates them."""

    def __init__(self, columns: Sequence[TokenColumns], tokens: int, latent_size: tuple[int, int]) -> None:
        """Prepare for a batch.

        Args:
            columns: one for each image of the batch.
            tokens: how many tokens the text encoder gives, L.
            latent_size: height and width of the latents.
        """
        self._images = len(columns)
        self._sizes = _level_sizes(*latent_size)
        most = max((len(image.nouns) for image in columns), default=0)
        self._weights = torch.zeros(len(columns), tokens, most)  # a noun's tokens are averaged
        for image, found in enumerate(columns):
            for number, positions in enumerate(found.columns):
                self._weights[image, list(positions), number] = 1.0 / len(positions)
        self._counts = [len(image.nouns) for image in columns]
        self._sums: dict[tuple[int, int], torch.Tensor] = {}
        self._maps = 0

    @torch.no_grad()
    def add(self, query: torch.Tensor, key: torch.Tensor, scale: float) -> None:
        """Add one layer's attention at one step.

        Args:
            query: (B, heads, positions, d), where B is the number of images or, under guidance, twice that with the
                unconditional half first; that half is left out.
            key: (B, heads, tokens, d).
            scale: of the scores before the softmax.

        Raises:
            InputError: the layer's positions are no level of the latents.
        """
        query, key = query[-self._images :].float(), key[-self._images :].float()
        if query.shape[2] not in self._sizes:
            raise InputError(
                f"the generator's U-Net has a layer of {query.shape[2]} positions, no halving of its latents"
            )
        self._weights = self._weights.to(query.device)
        probabilities = torch.softmax(query @ key.transpose(-1, -2) * scale, dim=-1)
        attended = probabilities.sum(dim=1) @ self._weights
        size = self._sizes[query.shape[2]]
        self._sums[size] = self._sums[size] + attended if size in self._sums else attended
        self._maps += query.shape[1]

    def attributions(self, height: int, width: int) -> list[torch.Tensor]:
        """Return each image's attributions, (N, height, width) float32 in main memory, N its number of nouns."""
        total = torch.zeros(self._images, self._weights.shape[-1], height, width)
        if total.shape[1]:
            for size, summed in self._sums.items():
                maps = summed.transpose(1, 2).unflatten(2, size)  # type: ignore[no-untyped-call]
                total += functional.interpolate(maps, size=(height, width), mode="bilinear", align_corners=False).cpu()
        total /= max(1, self._maps)
        return [image[:count].clone() for image, count in zip(total, self._counts, strict=True)]


class RecordingProcessor:
    """An attention processor that lets the original one compute the layer and shows the recorder its attention."""

    def __init__(self, original: Any, recorder: AttentionRecorder) -> None:  # noqa: ANN401  (diffusers has dozens)
        self._original = original
        self._recorder = recorder

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> torch.Tensor:
        """Compute the layer's output, as diffusers asks for it."""
        if encoder_hidden_states is not None:
            texts = encoder_hidden_states
            if attn.norm_cross:
                texts = attn.norm_encoder_hidden_states(texts)
            query = attn.to_q(hidden_states).unflatten(2, (attn.heads, -1)).transpose(1, 2)
            key = attn.to_k(texts).unflatten(2, (attn.heads, -1)).transpose(1, 2)
            if attn.norm_q is not None:
                query = attn.norm_q(query)
            if attn.norm_k is not None:
                key = attn.norm_k(key)
            self._recorder.add(query, key, query.shape[-1] ** -0.5)
        output: torch.Tensor = self._original(
            attn, hidden_states, encoder_hidden_states=encoder_hidden_states, attention_mask=attention_mask, **kwargs
        )
        return output


def cross_attention_layers(unet: UNet2DConditionModel) -> tuple[str, ...]:
    """Return the names of the processors that are observed: cross-attention of the down and up blocks.

    Raises:
        InputError: the U-Net has none, so nothing can be attributed.
    """
    names = tuple(
        name for name in unet.attn_processors if name.startswith(_OBSERVED_BLOCKS) and name.endswith(_CROSS_ATTENTION)
    )
    if not names:
        raise InputError(
            "the generator's U-Net has no cross-attention in its down and up blocks, so nouns cannot be located; "
            "use a Stable Diffusion model of the 1.x or 2.x family"
        )
    return names


@contextmanager
def recording(unet: UNet2DConditionModel, recorder: AttentionRecorder) -> Iterator[None]:
    """Let a recorder observe a U-Net; afterwards the U-Net has its own processors again.

    Raises:
        InputError: the U-Net has no layers to observe.
    """
    observed = cross_attention_layers(unet)
    originals = dict(unet.attn_processors)
    unet.set_attn_processor(
        {
            name: RecordingProcessor(original, recorder) if name in observed else original
            for name, original in originals.items()
        }
    )
    try:
        yield
    finally:
        unet.set_attn_processor(originals)
