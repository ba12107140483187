"""A time limit, which may end anything anywhere, leaves no processor of a recording in the U-Net."""

from typing import TYPE_CHECKING

import pytest
import torch
from diffusers.models.attention_processor import Attention

from freeda_svc.captions import Noun
from freeda_svc.diffusion.attribution import AttentionRecorder
from freeda_svc.diffusion.columns import TokenColumns
from freeda_svc.diffusion.recording import RecordingProcessor, cross_attention_layers, recording

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

SIZE = (8, 8)


class TimeOverError(Exception):
    """Stands for the time limit."""


def recorder(images: int) -> AttentionRecorder:
    return AttentionRecorder([TokenColumns((Noun("dog", ((2, 5),)),), ((1,),), ())] * images, 77, SIZE)


def end_at(patch: pytest.MonkeyPatch, number: int) -> None:
    """Let the time be over when so many processors were set."""
    set_processor, done = Attention.set_processor, []

    def counting(layer: Attention, processor: object) -> None:
        set_processor(layer, processor)
        done.append(processor)
        if len(done) == number:
            raise TimeOverError

    patch.setattr(Attention, "set_processor", counting)


def predict(unet: "UNet2DConditionModel", images: int) -> torch.Tensor:
    width = unet.config.cross_attention_dim
    with torch.no_grad():
        noise, text = torch.zeros(images, 4, *SIZE), torch.zeros(images, 77, width)
        predicted: torch.Tensor = unet(noise, torch.tensor(1), encoder_hidden_states=text).sample
    return predicted


@pytest.mark.parametrize("part", ["before", "after"])
def test_time_that_is_over_while_processors_are_exchanged(
    pipeline: "StableDiffusionPipeline", monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    unet = pipeline.unet
    own, layers = dict(unet.attn_processors), len(unet.attn_processors)
    plain = predict(unet, 1)
    for number in range(1, layers + 1):
        with monkeypatch.context() as patch:
            end_at(patch, number if part == "before" else layers + number)
            with pytest.raises(TimeOverError), recording(unet, recorder(4)):
                assert part == "after"
        if part == "before":  # all that is loaded may be used at once
            assert dict(unet.attn_processors) == own
            assert torch.equal(predict(unet, 1), plain)
        with recording(unet, recorder(1)):
            assert sum(isinstance(item, RecordingProcessor) for item in unet.attn_processors.values()) == len(
                cross_attention_layers(unet)
            )
            predict(unet, 1)
        assert dict(unet.attn_processors) == own
