"""Packs with DINOv3, SigLIP 2 and PE-Core: their files in small, and what is refused about them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from freeda_svc.encoders import DenseBackbone
from freeda_svc.errors import InputError
from freeda_svc.packs import load_pack
from freeda_svc.parameters import Source
from tests.encoders.newer_models import dinov3, write_gemma_tokenizer, write_image_text

Sign = Callable[..., None]


def put_dinov3(pack_folder: Path, **changed: Any) -> Path:  # noqa: ANN401
    folder = pack_folder / "backbone"
    shutil.rmtree(folder)
    dinov3(**changed).save_pretrained(folder)
    return folder


def put_image_text(pack_folder: Path, kind: str) -> Path:
    folder = pack_folder / "image_text"
    shutil.rmtree(folder)
    write_image_text(folder, kind)
    return folder


def edit_json(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def refuse(pack_folder: Path, part: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        getattr(load_pack(str(pack_folder)), part)
    assert "\n" not in str(caught.value)


def test_dinov3_loads_from_the_files_it_comes_in(pack_folder: Path, sign: Sign) -> None:
    folder = put_dinov3(pack_folder)
    weights = load_file(folder / "model.safetensors")
    assert "layer.1.attention.q_proj.weight" in weights  # as published, where the class says model.layer.1
    assert "layer.1.attention.k_proj.bias" not in weights
    sign(backbone_size=40)
    backbone = load_pack(str(pack_folder)).backbone
    photos = torch.rand(2, 3, 50, 60)
    assert backbone.grid == 5
    torch.testing.assert_close(backbone.features(photos), DenseBackbone(dinov3(), 40).features(photos))


def test_a_backbone_that_was_trained_on_satellite_images_is_given_its_own_colours(
    pack_folder: Path, sign: Sign
) -> None:
    mean, std = [0.43, 0.411, 0.296], [0.213, 0.156, 0.143]
    folder = put_dinov3(pack_folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": mean, "image_std": std}))
    sign()
    photos = torch.rand(1, 3, 64, 64)
    found = load_pack(str(pack_folder)).backbone.features(photos)
    torch.testing.assert_close(found, DenseBackbone(dinov3(), 64, mean, std).features(photos))
    assert not torch.allclose(found, DenseBackbone(dinov3(), 64).features(photos), atol=1e-2)


@pytest.mark.parametrize("values", [[0.4, 0.4], 0.4, [0.4, 0.4, 0], [0.4, 0.4, "0.4"], [123.7, 116.3, 103.5]])
def test_colours_that_are_none_are_refused(pack_folder: Path, sign: Sign, values: object) -> None:
    (pack_folder / "backbone" / "preprocessor_config.json").write_text(json.dumps({"image_std": values}))
    sign()
    refuse(
        pack_folder, "backbone", r"preprocessor_config\.json: image_mean and image_std must be three numbers above 0"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "dinov3_convnext"}, "holds a dinov3_convnext, but a backbone must be one of"),
        ({"num_register_tokens": 0}, "backbone"),  # as the class has it where a configuration says nothing
        ({"num_hidden_layers": 3}, "lacks the tensor model.layer.2"),
        ({"num_hidden_layers": 1, "out_features": ["stage1"], "out_indices": [1]}, "has an unknown tensor"),
        ({"key_bias": True}, r"lacks the tensor .*k_proj\.bias"),
        ({"patch_size": [8, 16]}, "backbone"),
    ],
)
def test_settings_that_are_not_those_of_the_checkpoint_are_refused(
    pack_folder: Path, sign: Sign, change: dict[str, object], message: str
) -> None:
    folder = put_dinov3(pack_folder)
    edit_json(folder / "config.json", lambda content: content.update(change))
    sign()
    refuse(pack_folder, "backbone", message)


def test_sizes_that_are_no_multiple_of_the_patches_are_refused(pack_folder: Path, sign: Sign) -> None:
    put_dinov3(pack_folder)
    put_image_text(pack_folder, "pe_core")
    sign(backbone_size=60, image_text_size=36)
    refuse(pack_folder, "backbone", "backbone_size is 60, but must be a multiple of the backbone's patches of 8")
    refuse(pack_folder, "image_text", "image_text_size is 36, but must be a multiple of the image-text model's patches")


@pytest.mark.parametrize("kind", ["siglip2", "pe_core"])
def test_a_pack_with_newer_encoders_works_as_a_whole(pack_folder: Path, sign: Sign, kind: str) -> None:
    put_dinov3(pack_folder)
    put_image_text(pack_folder, kind)
    sign(
        Source(description="x", licence="x", origin="x", activation={"siglip2": "gelu_tanh", "pe_core": "gelu"}[kind]),
        image_text_size=48,
    )
    pack = load_pack(str(pack_folder))
    pack.try_out()
    assert pack.image_text.embed_images(torch.rand(2, 3, 64, 64)).shape == (2, pack.image_text.dimension)
    half = load_pack(str(pack_folder), precision="bfloat16")
    nouns = ["ball", "large boat"]
    close = functional.cosine_similarity(pack.image_text.embed_nouns(nouns), half.image_text.embed_nouns(nouns))
    assert close.min() > 0.99
    photos = torch.rand(1, 3, 64, 64)
    whole, other = (found.backbone.features(photos).flatten() for found in (pack, half))
    assert functional.cosine_similarity(whole, other, dim=0) > 0.99


def set_in(*keys: str, value: object) -> Callable[[dict[str, Any]], object]:
    def edit(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return edit


def drop(*keys: str) -> Callable[[dict[str, Any]], object]:
    def edit(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        del content[keys[-1]]

    return edit


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        ("siglip2", drop("model_cfg", "init_logit_bias"), r"model\.safetensors has the bias of a sigmoid, .* has none"),
        ("pe_core", set_in("model_cfg", "init_logit_bias", value=-10), r"config\.json has the bias of a sigmoid"),
        ("siglip2", set_in("model_cfg", "quick_gelu", value=True), "asks for quick_gelu, but an image encoder of timm"),
        ("pe_core", set_in("model_cfg", "quick_gelu", value=True), "asks for quick_gelu, but an image encoder of timm"),
        ("siglip2", drop("model_cfg", "text_cfg", "act_kwargs"), "computes with gelu, but .* trained with gelu_tanh"),
        (
            "pe_core",
            set_in("model_cfg", "text_cfg", "act_kwargs", value={"approximate": "tanh"}),
            "computes with gelu_tanh, but .* with gelu: use a configuration with no act_kwargs",
        ),
        (
            "siglip2",
            set_in("model_cfg", "text_cfg", "hf_model_name", value="roberta-base"),
            "names the text encoder rob",
        ),
        ("siglip2", set_in("model_cfg", "vision_cfg", "timm_model_name", value="hf-hub:a/b"), "is not in the pack"),
        ("siglip2", set_in("model_cfg", "vision_cfg", "timm_model_name", value="vit_none"), "cannot be loaded"),
        ("siglip2", set_in("model_cfg", "multimodal_cfg", value={}), "writes captions"),
        (
            "siglip2",
            set_in("model_cfg", "text_cfg", "tokenizer_kwargs", "trust_remote_code", value=True),
            r"tokenizer_kwargs\.trust_remote_code is not taken; expected clean, strip_sep_token",
        ),
        ("siglip2", set_in("model_cfg", "text_cfg", "tokenizer_kwargs", "clean", value="soap"), "cannot be loaded"),
        ("siglip2", set_in("model_cfg", "text_cfg", "context_length", value=20), "positional_embedding in the shape"),
        ("pe_core", set_in("model_cfg", "embed_dim", value=32), "cannot be loaded"),
        ("pe_core", drop("model_cfg"), "has no table model_cfg"),
    ],
)
def test_settings_of_another_model_are_refused(
    pack_folder: Path, sign: Sign, kind: str, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    folder = put_image_text(pack_folder, kind)
    edit_json(folder / "open_clip_config.json", edit)
    sign(
        Source(description="x", licence="x", origin="x", activation={"siglip2": "gelu_tanh", "pe_core": "gelu"}[kind]),
        image_text_size=32,
    )
    refuse(pack_folder, "image_text", message)


def test_a_checkpoint_without_the_bias_of_its_sigmoid_is_refused(pack_folder: Path, sign: Sign) -> None:
    folder = put_image_text(pack_folder, "siglip2")
    weights = load_file(folder / "open_clip_model.safetensors")
    del weights["logit_bias"]
    save_file(weights, folder / "open_clip_model.safetensors")
    sign(image_text_size=32)
    refuse(pack_folder, "image_text", r"config\.json has the bias of a sigmoid, as SigLIP does, and .* has none")


def test_a_tokenizer_that_fills_up_on_the_left_is_refused(pack_folder: Path, sign: Sign) -> None:
    folder = put_image_text(pack_folder, "siglip2")
    write_gemma_tokenizer(folder, padding_side=None)  # which is then the left of Gemma
    sign(image_text_size=32)
    refuse(pack_folder, "image_text", "the tokenizer fills short texts up on the left, but")


def test_a_tokenizer_that_ends_no_text_is_refused(pack_folder: Path, sign: Sign) -> None:
    folder = put_image_text(pack_folder, "siglip2")
    write_gemma_tokenizer(folder, add_eos_token=None)
    edit_json(folder / "tokenizer.json", set_in("post_processor", value=None))
    sign(image_text_size=32)
    refuse(pack_folder, "image_text", "the tokenizer does not end texts with <eos>")


def test_a_tokenizer_with_more_words_than_the_model_is_refused(pack_folder: Path, sign: Sign) -> None:
    folder = put_image_text(pack_folder, "siglip2")
    edit_json(folder / "open_clip_config.json", set_in("model_cfg", "text_cfg", "vocab_size", value=290))
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["text.token_embedding.weight"] = weights["text.token_embedding.weight"][:290].contiguous()
    save_file(weights, folder / "open_clip_model.safetensors")
    sign(image_text_size=32)
    model = load_pack(str(pack_folder)).image_text
    with pytest.raises(InputError, match=r"knows 290 tokens, but its tokenizer gave the number \d+: they do"):
        model.embed_nouns(["large boat"])


def test_a_tokenizer_without_its_words_is_refused(pack_folder: Path, sign: Sign) -> None:
    (pack_folder / "image_text" / "tokenizer.json").unlink()
    sign()
    refuse(pack_folder, "image_text", "the tokenizer in .*image_text knows no words: its tokenizer")
    folder = put_image_text(pack_folder, "siglip2")
    (folder / "tokenizer.json").unlink()
    sign(image_text_size=32)
    refuse(pack_folder, "image_text", "the tokenizer in .*image_text knows no words: its tokenizer")
