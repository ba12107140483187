"""SigLIP 2, PE-Core and DINOv3 in small: the published classes with random weights, and the files they come in."""

import json
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from safetensors.torch import save_file
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import DINOv3ViTConfig, DINOv3ViTModel

SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
PAD, EOS = 0, 1
_FROM_TIMM = {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"}


def _own(named: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in named.items() if key not in _FROM_TIMM}


@timm.models.register_model
def freeda_tiny_siglip(**named: Any) -> VisionTransformer:  # noqa: ANN401
    """vit_*_siglip_* as timm builds it, in small: no class token, an attention pool, absolute positions."""
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
    return VisionTransformer(**sizes, class_token=False, **_own(named))


@timm.models.register_model
def freeda_tiny_pe_core(**named: Any) -> Eva:  # noqa: ANN401
    """vit_pe_core_* as timm builds it, in small: absolute and rotary positions, a norm before, an attention pool."""
    sizes = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2}
    rotary = {"use_rot_pos_emb": True, "ref_feat_shape": (4, 4), "rope_grid_offset": 1.0, "rope_grid_indexing": "xy"}
    pool = {"attn_pool_num_heads": 2, "attn_pool_mlp_ratio": 4.0}
    return Eva(**sizes, **rotary, **pool, attn_type="rope", use_pre_transformer_norm=True, **_own(named))


def gemma_tokenizer() -> Tokenizer:
    """Gemma's tokenizer as SigLIP 2 has it, with few words: bytes where it knows none, an end and no beginning."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(["itap of a red ball on the grass", "a photo of the large boat", "the sky"], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", EOS)]
    )
    return tokenizer


def write_gemma_tokenizer(folder: Path, **changed: object) -> Tokenizer:
    """Write the three files in which SigLIP 2's tokenizer is published; ``changed`` are settings, None leaves out."""
    tokenizer = gemma_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    named = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    settings = {
        "add_bos_token": False,
        "add_eos_token": True,
        "added_tokens_decoder": {str(number): {"content": word, **plain} for number, word in enumerate(SPECIAL[:4])},
        "clean_up_tokenization_spaces": False,
        "legacy": False,
        "model_max_length": 1000000000000000019884624838656,
        "padding_side": "right",
        "sp_model_kwargs": {},
        "spaces_between_special_tokens": False,
        "tokenizer_class": "GemmaTokenizer",
        "use_default_system_prompt": False,
        **named,
        **changed,
    }
    kept = {key: value for key, value in settings.items() if value is not None}
    (folder / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(named), encoding="utf-8")
    return tokenizer


def siglip2_settings() -> dict[str, Any]:
    """What open_clip's ViT-*-SigLIP2 say of themselves, in small."""
    return {
        "embed_dim": 32,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 32,
            "timm_model_name": "freeda_tiny_siglip",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 340,
            "hf_tokenizer_name": "timm/ViT-B-16-SigLIP2",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 32,
            "heads": 2,
            "layers": 2,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
            "act_kwargs": {"approximate": "tanh"},
        },
    }


def pe_core_settings() -> dict[str, Any]:
    """What open_clip's PE-Core-* say of themselves, in small."""
    return {
        "embed_dim": 24,
        "vision_cfg": {
            "image_size": 32,
            "timm_model_name": "freeda_tiny_pe_core",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": None,
        },
        "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 24, "heads": 2, "layers": 3},
        "custom_text": True,
    }


SETTINGS = {"siglip2": siglip2_settings, "pe_core": pe_core_settings}
PREPROCESSING = {
    "siglip2": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
    "pe_core": {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear", "resize_mode": "squash"},
}


def build(kind: str) -> open_clip.CustomTextCLIP:
    """Return a model with random weights; also those that begin as zeros, as attention pools and biases do."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        settings = SETTINGS[kind]()
        del settings["custom_text"]  # says which class it is
        model = open_clip.CustomTextCLIP(**settings)
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape)
    return model.eval()


def write_image_text(folder: Path, kind: str) -> open_clip.CustomTextCLIP:
    """Write a model's files as open_clip's own upload does: settings, safetensors, tokenizer where it has one."""
    folder.mkdir(parents=True, exist_ok=True)
    model = build(kind)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    settings = {"model_cfg": SETTINGS[kind](), "preprocess_cfg": PREPROCESSING[kind]}
    (folder / "open_clip_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    if kind == "siglip2":
        write_gemma_tokenizer(folder)
    return model


def dinov3(**changed: Any) -> DINOv3ViTModel:  # noqa: ANN401
    """A DINOv3 with random weights, biases and scales, so that nothing hides behind zeros and ones."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    usual = {"num_register_tokens": 3, "image_size": 64, "patch_size": 8, "layer_norm_eps": 1e-5}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        model = DINOv3ViTModel(DINOv3ViTConfig(**{**sizes, **usual, **changed}))
        for parameter in model.parameters():
            parameter.data += 0.2 * torch.randn(parameter.shape)
    return model.eval()
