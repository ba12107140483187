"""DINOv3 against a plain restatement of it: where its tokens are, and where its positions are turned."""

import math

import pytest
import torch
from torch.nn import functional
from transformers import DINOv3ViTModel

from freeda_svc.encoders import DenseBackbone
from freeda_svc.errors import InputError
from tests.encoders.newer_models import dinov3

HEADS = 2


def turned(vectors: torch.Tensor, rows: int, columns: int, theta: float) -> torch.Tensor:
    """Turn (N, heads, D) patches by the place of their middle, first by the row and then by the column, -1 to 1."""
    quarter = vectors.shape[-1] // 4
    frequencies = theta ** -(torch.arange(quarter) / quarter)
    result = torch.empty_like(vectors)
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        places = [2 * (row + 0.5) / rows - 1, 2 * (column + 0.5) / columns - 1]
        angles = torch.cat([2 * math.pi * place * frequencies for place in places])
        first, second = vectors[number].chunk(2, dim=-1)
        result[number] = torch.cat(
            [first * angles.cos() - second * angles.sin(), second * angles.cos() + first * angles.sin()], dim=-1
        )
    return result


def restated(model: DINOv3ViTModel, pixels: torch.Tensor) -> torch.Tensor:
    """All tokens (N, D) of one image (3, H, W), from the tensors in their published names."""
    weights = {name.replace("model.layer.", "layer."): value for name, value in model.state_dict().items()}
    config = model.config
    side, registers = config.patch_size, config.num_register_tokens
    rows, columns = pixels.shape[1] // side, pixels.shape[2] // side
    patches = [
        weights["embeddings.patch_embeddings.weight"].flatten(1)
        @ pixels[:, side * row : side * (row + 1), side * column : side * (column + 1)].flatten()
        + weights["embeddings.patch_embeddings.bias"]
        for row in range(rows)
        for column in range(columns)
    ]
    lead = [weights["embeddings.cls_token"][0], weights["embeddings.register_tokens"][0]]
    tokens = torch.cat([*lead, torch.stack(patches)])
    activation = functional.silu if config.use_gated_mlp else functional.gelu

    def linear(name: str, values: torch.Tensor) -> torch.Tensor:
        return functional.linear(values, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def normed(name: str, values: torch.Tensor) -> torch.Tensor:
        shape = (config.hidden_size,)
        return functional.layer_norm(values, shape, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-5)

    for layer in (f"layer.{number}" for number in range(config.num_hidden_layers)):
        within = normed(f"{layer}.norm1", tokens)
        query, key, value = (
            linear(f"{layer}.attention.{name}_proj", within).view(len(tokens), HEADS, -1) for name in "qkv"
        )
        for vectors in (query, key):
            vectors[1 + registers :] = turned(vectors[1 + registers :].clone(), rows, columns, config.rope_theta)
        logits = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(query.shape[-1])
        attended = torch.einsum("hqk,khd->qhd", logits.softmax(dim=-1), value).flatten(1)
        tokens = tokens + weights[f"{layer}.layer_scale1.lambda1"] * linear(f"{layer}.attention.o_proj", attended)
        within = normed(f"{layer}.norm2", tokens)
        if config.use_gated_mlp:
            inner = activation(linear(f"{layer}.mlp.gate_proj", within)) * linear(f"{layer}.mlp.up_proj", within)
        else:
            inner = activation(linear(f"{layer}.mlp.up_proj", within))
        tokens = tokens + weights[f"{layer}.layer_scale2.lambda1"] * linear(f"{layer}.mlp.down_proj", inner)
    return normed("norm", tokens)


def images(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def normalised(photos: torch.Tensor) -> torch.Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (photos - mean[:, None, None]) / std[:, None, None]


@pytest.mark.parametrize("registers", [0, 3, 4])
@pytest.mark.parametrize("gated", [False, True])
def test_features_are_the_patches_behind_class_and_registers(registers: int, gated: bool) -> None:
    model = dinov3(num_register_tokens=registers, use_gated_mlp=gated, hidden_act="silu" if gated else "gelu")
    backbone = DenseBackbone(model, 40)
    assert (backbone.grid, backbone.dimension) == (5, 32)
    photo = images(1, 40, 40)
    with torch.no_grad():
        tokens = restated(model, normalised(photo)[0])
    assert tokens.shape == (1 + registers + 25, 32)
    features = backbone.features(photo)[0]
    torch.testing.assert_close(features.flatten(1).T, tokens[1 + registers :], atol=1e-4, rtol=1e-4)


def test_an_image_alone_gives_what_it_gives_in_a_batch() -> None:
    backbone = DenseBackbone(dinov3(), 64)
    photos = images(4, 50, 90)
    together = backbone.features(photos)
    assert together.shape == (4, 32, 8, 8)
    for number in range(4):
        torch.testing.assert_close(
            backbone.features(photos[number : number + 1])[0], together[number], atol=1e-5, rtol=0
        )


def test_another_size_than_the_model_was_trained_at_gives_another_grid() -> None:
    assert DenseBackbone(dinov3(), 96).features(images(1, 30, 30)).shape == (1, 32, 12, 12)


def test_rectangular_patches_are_refused() -> None:
    assert DenseBackbone(dinov3(patch_size=[8, 8]), 64).grid == 8
    with pytest.raises(InputError, match="patches of 8 x 16 pixels, but needs square ones"):
        DenseBackbone(dinov3(patch_size=[8, 16]), 64)


@pytest.mark.parametrize("size", [60, 4])
def test_pixels_that_no_patch_covers_are_refused(size: int) -> None:
    with pytest.raises(InputError, match=f"backbone_size is {size}, but must be a multiple of the backbone's patches"):
        DenseBackbone(dinov3(), size)
