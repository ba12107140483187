# ruff: noqa: ANN401  (pipelines and their parts share no type)
"""A tiny random pipeline of each family of transformers, made of the real classes.

Attention has large weights, as the untrained one is flat and would hide mistakes.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import diffusers
import torch
import transformers

from tests.diffusion.tiny_parts import clip, flow, gemma, qwen_numbers, t5, vae, video_vae, wide_t5
from tests.diffusion.tiny_tokenizers import (
    clip_tokenizer,
    gemma_tokenizer,
    mistral_processor,
    qwen_tokenizer,
    t5_tokenizer,
)


def _is_of_image_alone(name: str) -> bool:
    return ".attn1." in name and ".block." not in name  # the latter is HiDream, which calls joint attention so


def _sharpen(transformer: torch.nn.Module, names: Sequence[str]) -> None:
    with torch.no_grad():
        for name, parameter in transformer.named_parameters():
            if any(f".{part}." in name for part in names) and parameter.ndim == 2 and not _is_of_image_alone(name):
                parameter.copy_(torch.randn_like(parameter) * (12 / parameter.shape[1]) ** 0.5)
            elif name.endswith(("norm_q.weight", "norm_k.weight", "norm_added_q.weight", "norm_added_k.weight")):
                parameter.copy_(1.0 + torch.rand_like(parameter))
            elif parameter.ndim == 1 and name.endswith("weight"):
                parameter.copy_(1.0 + 0.2 * torch.randn_like(parameter))


PROJECTIONS = ("to_q", "to_k", "add_q_proj", "add_k_proj", "to_qkv_mlp_proj", "to_q_t", "to_k_t")


def pixart() -> Any:
    return diffusers.PixArtSigmaPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5(),
        vae=vae(),
        transformer=diffusers.PixArtTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=3,
            cross_attention_dim=16,
            caption_channels=24,
            sample_size=8,
            use_additional_conditions=False,
        ),
        scheduler=diffusers.DDIMScheduler(),
    )


def sana() -> Any:
    return diffusers.SanaPipeline(
        tokenizer=gemma_tokenizer(),
        text_encoder=gemma(),
        vae=diffusers.AutoencoderDC(
            latent_channels=4,
            attention_head_dim=4,
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            encoder_layers_per_block=(1, 1, 1),
            decoder_layers_per_block=(1, 1, 1),
            encoder_qkv_multiscales=((), (), ()),
            decoder_qkv_multiscales=((), (), ()),
        ),
        transformer=diffusers.SanaTransformer2DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=2,
            num_cross_attention_heads=4,
            cross_attention_head_dim=4,
            cross_attention_dim=16,
            caption_channels=16,
            sample_size=8,
        ),
        scheduler=flow(),
    )


def _sd3(t5: bool, **others: object) -> Any:
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            num_layers=3,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=40,
            caption_projection_dim=16,
            pooled_projection_dim=32,
            pos_embed_max_size=32,
            **others,
        ),
        scheduler=flow(),
        vae=vae(),
        text_encoder=clip("CLIPTextModelWithProjection"),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip("CLIPTextModelWithProjection"),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=wide_t5() if t5 else None,
        tokenizer_3=t5_tokenizer() if t5 else None,
    )


def sd3() -> Any:
    return _sd3(t5=True)


def sd35_without_t5() -> Any:
    return _sd3(t5=False, qk_norm="rms_norm", dual_attention_layers=(0, 1))


def _flux(guidance_embeds: bool) -> Any:
    return diffusers.FluxPipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=vae(),
        text_encoder=clip("CLIPTextModel"),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5(),
        tokenizer_2=t5_tokenizer(),
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=24,
            pooled_projection_dim=16,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=(2, 2, 4),
        ),
    )


def flux() -> Any:
    return _flux(guidance_embeds=False)


def flux_with_embedded_guidance() -> Any:
    return _flux(guidance_embeds=True)


def _flux2(kind: str, guidance_embeds: bool, **text: object) -> Any:
    return getattr(diffusers, kind)(
        scheduler=flow(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLFlux2(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
        ),
        **text,
        transformer=diffusers.Flux2Transformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=guidance_embeds,
        ),
    )


def flux2_klein() -> Any:
    encoder = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**qwen_numbers(layers=28)))
    return _flux2("Flux2KleinPipeline", guidance_embeds=False, text_encoder=encoder, tokenizer=qwen_tokenizer())


def flux2() -> Any:
    processor = mistral_processor()
    encoder = transformers.Mistral3ForConditionalGeneration(
        transformers.Mistral3Config(
            text_config={"model_type": "mistral"} | qwen_numbers(layers=30) | {"vocab_size": len(processor.tokenizer)},
            vision_config={
                "model_type": "pixtral",
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "head_dim": 8,
            },
        )
    )
    return _flux2("Flux2Pipeline", guidance_embeds=True, text_encoder=encoder, tokenizer=processor)


def qwen_image() -> Any:
    numbers = qwen_numbers(layers=2)
    return diffusers.QwenImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=video_vae(),
        text_encoder=transformers.Qwen2_5_VLForConditionalGeneration(
            transformers.Qwen2_5_VLConfig(
                text_config=numbers
                | {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6}},
                vision_config={
                    "depth": 1,
                    "hidden_size": 16,
                    "intermediate_size": 16,
                    "num_heads": 2,
                    "out_hidden_size": 16,
                },
            )
        ),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.QwenImageTransformer2DModel(
            in_channels=16,
            out_channels=4,
            num_layers=3,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=16,
            axes_dims_rope=(4, 6, 6),
        ),
    )


def z_image() -> Any:
    return diffusers.ZImagePipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=vae(),
        text_encoder=transformers.Qwen3Model(transformers.Qwen3Config(**qwen_numbers(layers=2))),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.ZImageTransformer2DModel(
            in_channels=4,
            dim=32,
            n_layers=3,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=16,
            axes_dims=[4, 6, 6],
            axes_lens=[256, 32, 32],
        ),
    )


def lumina2() -> Any:
    return diffusers.Lumina2Pipeline(
        scheduler=flow(),
        vae=diffusers.AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            norm_num_groups=4,
            shift_factor=0.1,
        ),
        text_encoder=gemma(),
        tokenizer=gemma_tokenizer(),
        transformer=diffusers.Lumina2Transformer2DModel(
            sample_size=8,
            in_channels=4,
            hidden_size=32,
            num_layers=3,
            num_refiner_layers=1,
            num_attention_heads=4,
            num_kv_heads=2,
            multiple_of=8,
            axes_dim_rope=(4, 2, 2),
            axes_lens=(300, 32, 32),
            cap_feat_dim=16,
        ),
    )


def krea2() -> Any:
    numbers = qwen_numbers(layers=3)
    return diffusers.Krea2Pipeline(
        scheduler=flow(use_dynamic_shifting=True),
        vae=video_vae(),
        text_encoder=transformers.Qwen3VLModel(
            transformers.Qwen3VLConfig(
                text_config=numbers
                | {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e6}},
                vision_config={
                    "depth": 1,
                    "hidden_size": 16,
                    "intermediate_size": 16,
                    "num_heads": 2,
                    "out_hidden_size": 16,
                    "deepstack_visual_indexes": [0],
                },
            )
        ),
        tokenizer=qwen_tokenizer(),
        transformer=diffusers.Krea2Transformer2DModel(
            in_channels=16,
            num_layers=3,
            attention_head_dim=16,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=32,
            timestep_embed_dim=16,
            text_hidden_dim=16,
            num_text_layers=2,
            text_num_attention_heads=2,
            text_num_key_value_heads=2,
            text_intermediate_size=16,
            num_layerwise_text_blocks=1,
            num_refiner_text_blocks=1,
            axes_dims_rope=(4, 6, 6),
        ),
        text_encoder_select_layers=(1, 3),
    )


def hidream() -> Any:
    pipeline = diffusers.HiDreamImagePipeline(
        scheduler=flow(),
        vae=vae(),
        text_encoder=clip("CLIPTextModelWithProjection", positions=256),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip("CLIPTextModelWithProjection", positions=256),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5(),
        tokenizer_3=t5_tokenizer(),
        text_encoder_4=transformers.LlamaForCausalLM(
            transformers.LlamaConfig(**qwen_numbers(layers=3), attn_implementation="eager")
        ),
        tokenizer_4=qwen_tokenizer(),
        transformer=diffusers.HiDreamImageTransformer2DModel(
            patch_size=2,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            caption_channels=[24, 16],
            text_emb_dim=32,
            num_routed_experts=2,
            num_activated_experts=1,
            axes_dims_rope=(4, 2, 2),
            max_resolution=(22, 22),
            llama_layers=[0, 1, 1, 2],
        ),
    )
    pipeline.default_sample_size = 20
    return pipeline


@cache
def tiny_pipeline(name: str) -> Any:
    """Return one of the pipelines above, always the same one; a test that changes it changes it back."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        pipeline = globals()[name]()
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()
                part.requires_grad_(False)
        _sharpen(pipeline.transformer, PROJECTIONS)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
