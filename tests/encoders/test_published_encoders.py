"""The encoders that the packs name, at their published sizes and without weights."""

import logging

import open_clip
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

DINOV2 = {
    "base": ({"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12}, 86_580_480),
    "large": ({"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}, 304_368_640),
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
    with caplog.at_level(logging.ERROR):  # open_clip warns that there are no weights
        model = open_clip.create_model(name, device="meta").eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    with torch.no_grad():
        assert model.encode_image(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, dimension)
        tokens = torch.zeros(2, 77, dtype=torch.long, device="meta")
        assert model.encode_text(tokens).shape == (2, dimension)
    activations = {type(module).__name__ for module in model.modules() if "GELU" in type(module).__name__}
    assert activations == {"QuickGELU"}
