"""Trainings multiply in bfloat16 where the processor can, and compute the same everywhere else."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTextConfig, CLIPTextModel

from freeda_svc.miniature.training import arithmetic
from freeda_svc.miniature.training.arithmetic import attend_plainly, quick_arithmetic


@pytest.fixture(params=[True, False], ids=["quick", "usual"])
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(arithmetic, "processor_rounds_to_bfloat16", lambda: request.param)
    return bool(request.param)


def test_products_are_rounded_where_the_processor_can(quick: bool) -> None:
    weights = torch.randn(8, 8, requires_grad=True)
    with quick_arithmetic():
        product = torch.randn(4, 8) @ weights
    assert product.dtype == (torch.bfloat16 if quick else torch.float32)
    product.float().sum().backward()
    assert weights.dtype == torch.float32
    assert weights.grad is not None
    assert weights.grad.dtype == torch.float32
    assert (torch.randn(4, 8) @ weights).dtype == torch.float32


def test_attention_written_out_is_the_same_attention(quick: bool) -> None:
    torch.manual_seed(0)
    text_encoder = CLIPTextModel(
        CLIPTextConfig(vocab_size=20, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    ).eval()
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=8,
    ).eval()

    @torch.no_grad()
    def drawn() -> torch.Tensor:
        states = text_encoder(torch.arange(6)[None]).last_hidden_state
        sample: torch.Tensor = unet(torch.ones(1, 4, 8, 8), 3, encoder_hidden_states=states).sample
        return sample

    before = drawn()
    attend_plainly(text_encoder, unet)
    torch.testing.assert_close(drawn(), before, atol=1e-5, rtol=1e-4)
    assert all(isinstance(one, AttnProcessor) == quick for one in unet.attn_processors.values())
    attention = text_encoder.config._attn_implementation  # noqa: SLF001 - it has no public name
    assert (attention == "eager") == quick
