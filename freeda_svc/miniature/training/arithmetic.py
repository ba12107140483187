"""Forward passes in bfloat16 where the processor has instructions for it: a step then takes about two thirds."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedModel

from freeda_svc.packs.precision import processor_rounds_to_bfloat16


@contextmanager
def quick_arithmetic() -> Iterator[None]:
    """Multiply matrices in bfloat16 inside, if the processor can; weights, their averages and losses stay float32."""
    quick = processor_rounds_to_bfloat16()
    backends = [SDPBackend.MATH] if quick else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=quick), sdpa_kernel(backends):
        yield


def attend_plainly(*models: PreTrainedModel | UNet2DConditionModel) -> None:
    """Write attention out as two products in these models, if the processor can multiply in bfloat16.

    torch 2.13's fused attention in bfloat16 takes longer backwards on a processor than all the rest of a step.
    """
    if not processor_rounds_to_bfloat16():
        return
    for model in models:
        if isinstance(model, PreTrainedModel):
            model.set_attn_implementation("eager")
        else:
            model.set_attn_processor(AttnProcessor())
