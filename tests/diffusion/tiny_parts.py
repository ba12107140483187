# ruff: noqa: ANN401  (models share no type)
"""Tiny random text encoders and autoencoders."""

from typing import Any

import diffusers
import transformers

from tests.diffusion.tiny_tokenizers import clip_tokenizer, gemma_tokenizer, qwen_tokenizer, t5_tokenizer


def vae(channels: int = 4) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=4,
        shift_factor=0.1,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def video_vae() -> Any:
    return diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )


def flow(**others: object) -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(**others)


def t5() -> Any:
    size = len(t5_tokenizer())
    return transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=size, d_model=24, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    )


def clip(kind: str, positions: int = 77) -> Any:
    tokenizer = clip_tokenizer()
    configuration = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        projection_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=positions,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return getattr(transformers, kind)(configuration)


def qwen_numbers(layers: int) -> dict[str, Any]:
    return {
        "vocab_size": len(qwen_tokenizer()),
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "pad_token_id": None,
    }


def gemma() -> Any:
    return transformers.Gemma2Model(
        transformers.Gemma2Config(
            vocab_size=len(gemma_tokenizer()),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
        )
    )


def wide_t5() -> Any:
    size = len(t5_tokenizer())
    return transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=size, d_model=40, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    )
