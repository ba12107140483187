"""A tiny pipeline of each accepted kind; do not change them in a test without changing them back."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTokenizer


def _sharpen(unet: "UNet2DConditionModel") -> None:
    """Give cross-attention large weights: the untrained one is flat and would hide mistakes."""
    import torch  # noqa: PLC0415

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(5)
        for name, parameter in unet.named_parameters():
            if "attn2.to_q" in name or "attn2.to_k" in name:
                parameter.copy_(torch.randn_like(parameter) * (48 / parameter.shape[1]) ** 0.5)


@pytest.fixture(scope="session")
def pipeline(tiny_models_folder: Path) -> "StableDiffusionPipeline":
    """Stable Diffusion 1.x and 2.x: one text encoder."""
    import torch  # noqa: PLC0415
    from diffusers import StableDiffusionPipeline  # noqa: PLC0415

    pipeline = StableDiffusionPipeline.from_pretrained(
        str(tiny_models_folder / "generator"), safety_checker=None, feature_extractor=None, image_encoder=None
    ).to(dtype=torch.float32)
    _sharpen(pipeline.unet)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="session")
def xl_pipeline(pipeline: "StableDiffusionPipeline", tiny_tokenizer: "CLIPTokenizer") -> "StableDiffusionXLPipeline":
    """Stable Diffusion XL: two text encoders whose embeddings are joined, and a pooled one."""
    import torch  # noqa: PLC0415
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel  # noqa: PLC0415
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection  # noqa: PLC0415

    def text_configuration(width: int) -> CLIPTextConfig:
        return CLIPTextConfig(
            vocab_size=len(tiny_tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            projection_dim=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=tiny_tokenizer.model_max_length,
            bos_token_id=tiny_tokenizer.bos_token_id,
            eos_token_id=tiny_tokenizer.eos_token_id,
            pad_token_id=tiny_tokenizer.pad_token_id,
        )

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        unet = UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2),
            cross_attention_dim=32 + 48,
            attention_head_dim=(2, 4),
            norm_num_groups=8,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 24,
        )
        _sharpen(unet)
        xl_pipeline = StableDiffusionXLPipeline(
            vae=pipeline.vae,
            text_encoder=CLIPTextModel(text_configuration(32)).eval(),
            text_encoder_2=CLIPTextModelWithProjection(text_configuration(48)).eval(),
            tokenizer=tiny_tokenizer,
            tokenizer_2=tiny_tokenizer,
            unet=unet.eval(),
            scheduler=pipeline.scheduler,
            add_watermarker=False,
        )
    xl_pipeline.set_progress_bar_config(disable=True)
    return xl_pipeline
