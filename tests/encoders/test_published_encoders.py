"""The encoders that the packs name, at their published sizes and without weights."""

import logging

import open_clip
import pytest
import torch
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
)

from freeda_svc.encoders import DenseBackbone, ImageTextModel

DINOV2 = {
    "base": ({"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}, 86_580_480),
    "large": ({"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}, 304_368_640),
}
# width, inner width, layers, heads, gated; and the parameters: published as 21, 29, 86, 300 and 840 million, ViT-L's
# exactly, as its file of 1,212,559,776 bytes holds them in float32 behind 41,376 bytes of names
DINOV3 = {
    "vits16": (384, 1536, 12, 6, False, 21_596_544),
    "vits16plus": (384, 1536, 12, 6, True, 28_692_864),
    "vitb16": (768, 3072, 12, 12, False, 85_660_416),
    "vitl16": (1024, 4096, 24, 16, False, (1_212_559_776 - 41_376) // 4),
    "vith16plus": (1280, 5120, 32, 20, True, 840_592_640),
}
# dimension, side, context length; parameters, and those of the image encoder as published: open_clip's table has 93.18
# and 316.28 million for SigLIP's at 384 pixels, PE's model card 0.09 and 0.32 billion
NEWER = {
    "ViT-B-16-SigLIP2-384": (768, 384, 64, 375_479_810, "93.18"),
    "ViT-L-16-SigLIP2-384": (1024, 384, 64, 881_854_466, "316.28"),
    "PE-Core-B-16": (1024, 224, 32, 447_660_545, "0.09"),
    "PE-Core-L-14-336": (1024, 336, 32, 671_138_817, "0.32"),
}
CLIP = {"ViT-B-16-quickgelu": (512, 149_620_737), "ViT-L-14-quickgelu": (768, 427_616_513)}


@pytest.mark.parametrize("size", DINOV2)
def test_dinov2_is_the_published_one(size: str) -> None:
    shape, parameters = DINOV2[size]
    with torch.device("meta"), torch.no_grad():
        model = Dinov2Model(Dinov2Config(image_size=518, patch_size=14, mlp_ratio=4, **shape)).eval()
        tokens = model(torch.empty(2, 3, 518, 518)).last_hidden_state
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert tokens.shape == (2, 1 + 37 * 37, shape["hidden_size"])


@pytest.mark.parametrize("name", CLIP)
def test_clip_is_the_published_one(name: str, caplog: pytest.LogCaptureFixture) -> None:
    dimension, parameters = CLIP[name]
    with caplog.at_level(logging.ERROR), torch.device("meta"):  # open_clip warns that there are no weights
        model = open_clip.create_model(name, device="meta").eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    with torch.no_grad():
        assert model.encode_image(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, dimension)
        tokens = torch.zeros(2, 77, dtype=torch.long, device="meta")
        assert model.encode_text(tokens).shape == (2, dimension)
    activations = {type(module).__name__ for module in model.modules() if "GELU" in type(module).__name__}
    assert activations == {"QuickGELU"}


@pytest.mark.parametrize(("shape", "parameters"), [((768, 12, 12), 86_583_552), ((1024, 24, 16), 304_372_736)])
def test_dinov2_with_registers_is_the_published_one(shape: tuple[int, int, int], parameters: int) -> None:
    width, layers, heads = shape
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    with torch.device("meta"), torch.no_grad():
        model = Dinov2WithRegistersModel(
            Dinov2WithRegistersConfig(image_size=518, patch_size=14, num_register_tokens=4, **sizes)
        ).eval()
        tokens = model(torch.empty(2, 3, 518, 518)).last_hidden_state
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert tokens.shape == (2, 1 + 4 + 37 * 37, width)


@pytest.mark.parametrize("name", DINOV3)
def test_dinov3_is_the_published_one(name: str) -> None:
    width, inner, layers, heads, gated, parameters = DINOV3[name]
    sizes = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers}
    with torch.device("meta"), torch.no_grad():
        model = DINOv3ViTModel(
            DINOv3ViTConfig(num_attention_heads=heads, use_gated_mlp=gated, num_register_tokens=4, **sizes)
        ).eval()
        tokens = model(torch.empty(2, 3, 592, 592)).last_hidden_state
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert tokens.shape == (2, 1 + 4 + 37 * 37, width)
    assert DenseBackbone(model, 592).grid == 37


@pytest.mark.parametrize("name", NEWER)
def test_siglip2_and_pe_core_are_the_published_ones(name: str, caplog: pytest.LogCaptureFixture) -> None:
    dimension, side, length, parameters, image_encoder = NEWER[name]
    with caplog.at_level(logging.ERROR), torch.device("meta"):
        model = open_clip.create_model(name, device="meta").eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    count = sum(parameter.numel() for parameter in model.visual.parameters())
    assert image_encoder in {f"{count / 1e6:.2f}", f"{count / 1e9:.2f}"}
    found = ImageTextModel(model, lambda texts: torch.zeros(len(texts), length), side, (0.5,) * 3, (0.5,) * 3)
    assert found.dimension == dimension
    assert model.context_length == length
    with torch.no_grad():
        assert model.encode_image(torch.empty(2, 3, side, side, device="meta")).shape == (2, dimension)
        assert model.encode_text(torch.zeros(2, length, dtype=torch.long, device="meta")).shape == (2, dimension)
    assert (model.logit_bias is not None) == ("SigLIP" in name)
    assert not any("QuickGELU" in type(module).__name__ for module in model.modules())
