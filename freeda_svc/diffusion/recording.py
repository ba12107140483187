"""Observing a U-Net's cross-attention through the attention processors, which diffusers allows to be replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import (
    Attention,
    AttnProcessor,
    AttnProcessor2_0,
    FusedAttnProcessor2_0,
    SlicedAttnProcessor,
    XFormersAttnProcessor,
)
from torch.nn import functional

from freeda_svc.diffusion.attribution import AttentionRecorder
from freeda_svc.errors import InputError

FAMILY = "use a Stable Diffusion model of the 1.x, 2.x or XL family"

_OBSERVED_BLOCKS = ("down_blocks.", "up_blocks.")
_CROSS_ATTENTION = ".attn2.processor"
_SAME_ATTENTION = {
    AttnProcessor,
    AttnProcessor2_0,
    FusedAttnProcessor2_0,
    SlicedAttnProcessor,
    XFormersAttnProcessor,
}  # what these compute is softmax(q k) v; others add to it, and must not be replaced


class RecordingProcessor:
    """Computes a cross-attention layer with the fused attention, and shows the recorder its queries and keys."""

    def __init__(self, recorder: AttentionRecorder, replaced: Any) -> None:  # noqa: ANN401  (processors share no type)
        self._recorder = recorder
        self.replaced = replaced
        """The layer's own processor."""

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Compute the layer's output, as diffusers asks for it.

        Args:
            attn: the layer.
            hidden_states: (B, positions, width).
            encoder_hidden_states: (B, tokens, text width).
            attention_mask: added to the scores; the pipelines that are accepted have none.

        Raises:
            InputError: there is a mask, which the attribution would not see.
        """
        if attention_mask is not None:
            raise InputError(f"the generator masks its cross-attention, so nouns cannot be located; {FAMILY}")
        if attn.norm_cross:
            encoder_hidden_states = attn.norm_encoder_hidden_states(encoder_hidden_states)
        query, key, value = (
            projected.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for projected in (
                attn.to_q(hidden_states),
                attn.to_k(encoder_hidden_states),
                attn.to_v(encoder_hidden_states),
            )
        )
        if attn.norm_q is not None:
            query = attn.norm_q(query)
        if attn.norm_k is not None:
            key = attn.norm_k(key)
        self._recorder.add(query, key, query.shape[-1] ** -0.5)
        attended = functional.scaled_dot_product_attention(query, key, value)
        output: torch.Tensor = attn.to_out[0](attended.transpose(1, 2).flatten(2).to(query.dtype))
        output = attn.to_out[1](output)
        if attn.residual_connection:
            output = output + hidden_states
        output /= attn.rescale_output_factor
        return output


def cross_attention_layers(unet: UNet2DConditionModel) -> tuple[str, ...]:
    """Return the names of the processors that are observed: cross-attention of the down and up blocks.

    Raises:
        InputError: the U-Net has none, or they do more than attend to the text, so nothing can be attributed.
    """
    observed = {
        name: processor
        for name, processor in _own_processors(unet).items()
        if name.startswith(_OBSERVED_BLOCKS) and name.endswith(_CROSS_ATTENTION)
    }
    if not observed:
        raise InputError(
            "the generator's U-Net has no cross-attention in its down and up blocks, so nouns cannot be located; "
            f"{FAMILY}"
        )
    others = sorted({type(item).__name__ for item in observed.values() if type(item) not in _SAME_ATTENTION})
    if others:
        raise InputError(
            f"the generator's cross-attention is computed by {', '.join(others)}, which cannot be observed; "
            "load it without adapters"
        )
    return tuple(observed)


def _own_processors(unet: UNet2DConditionModel) -> dict[str, Any]:
    """The U-Net's processors without those of a recording that was ended, by a time limit, while it put them back."""
    return {
        name: item.replaced if isinstance(item, RecordingProcessor) else item
        for name, item in unet.attn_processors.items()
    }


@contextmanager
def recording(unet: UNet2DConditionModel, recorder: AttentionRecorder) -> Iterator[None]:
    """Let a recorder observe a U-Net; afterwards the U-Net has its own processors again.

    A time limit may end this anywhere, also while the processors are replaced.

    Raises:
        InputError: the U-Net has no layers that can be observed.
    """
    observed = cross_attention_layers(unet)
    originals = _own_processors(unet)
    try:
        unet.set_attn_processor(
            {name: RecordingProcessor(recorder, item) if name in observed else item for name, item in originals.items()}
        )
        yield
    finally:
        unet.set_attn_processor(originals)
