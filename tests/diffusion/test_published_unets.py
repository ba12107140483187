"""The U-Nets that the packs name, at their published sizes and without weights: every layer is found and fits."""

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from freeda_svc.captions.caption import Noun
from freeda_svc.diffusion import AttentionRecorder, TokenColumns, cross_attention_layers, recording

PUBLISHED = json.loads((Path(__file__).parent / "published_unets.json").read_text())
COLUMNS = TokenColumns((Noun("dog", ((2, 5),)), Noun("traffic light", ((10, 23),))), ((2,), (4, 5)), ())


class WatchedRecorder(AttentionRecorder):
    """Also notes the shapes it was shown."""

    def __init__(self, columns: list[TokenColumns], tokens: int, latent_size: tuple[int, int]) -> None:
        super().__init__(columns, tokens, latent_size)
        self.shown: list[tuple[int, ...]] = []

    def add(self, query: torch.Tensor, key: torch.Tensor, scale: float) -> None:
        self.shown.append((*query.shape, key.shape[2]))
        assert key.shape == (*query.shape[:2], key.shape[2], query.shape[3])
        assert scale == pytest.approx(query.shape[3] ** -0.5)
        super().add(query, key, scale)


@pytest.fixture(scope="module", params=list(PUBLISHED))
def published(request: pytest.FixtureRequest) -> tuple[dict[str, Any], UNet2DConditionModel]:
    found = PUBLISHED[request.param]
    with torch.device("meta"):
        return found, UNet2DConditionModel(**found["configuration"])


def test_the_number_of_parameters_is_the_published_one(published: tuple[dict[str, Any], UNet2DConditionModel]) -> None:
    found, unet = published
    assert sum(parameter.numel() for parameter in unet.parameters()) == found["parameters"]


def test_every_cross_attention_layer_of_the_down_and_up_blocks_is_found(
    published: tuple[dict[str, Any], UNet2DConditionModel],
) -> None:
    found, unet = published
    layers = cross_attention_layers(unet)
    assert Counter(".".join(name.split(".")[:2]) for name in layers) == found["cross_attention_layers"]
    inner = {name for name in unet.attn_processors if name.startswith("mid_block") and "attn2" in name}
    assert inner  # the innermost layers are there, and left out
    assert set(layers) == {name for name in unet.attn_processors if "attn2" in name} - inner


@pytest.mark.parametrize("stretch", [1.0, 1.5])
@pytest.mark.parametrize("guided", [True, False])
def test_a_published_model_computes_and_every_layer_is_recorded(
    published: tuple[dict[str, Any], UNet2DConditionModel], guided: bool, stretch: float
) -> None:
    found, unet = published
    images, text = 3, found["text"]
    rows = 2 * images if guided else images
    height, width = found["latents"][0], int(found["latents"][1] * stretch)
    recorder = WatchedRecorder([COLUMNS] * images, text["tokens"], (height, width))
    with torch.device("meta"), torch.no_grad(), recording(unet, recorder):
        conditions = None
        if "pooled" in text:
            conditions = {"text_embeds": torch.empty(rows, text["pooled"]), "time_ids": torch.empty(rows, 6)}
        predicted = unet(
            torch.empty(rows, 4, height, width),
            torch.empty(()),
            encoder_hidden_states=torch.empty(rows, text["tokens"], text["width"]),
            added_cond_kwargs=conditions,
        ).sample
    assert predicted.shape == (rows, 4, height, width)
    assert len(recorder.shown) == sum(found["cross_attention_layers"].values())
    channels = found["configuration"]["block_out_channels"]
    for shown_rows, heads, positions, head_size, tokens in recorder.shown:
        level = round(math.log(height * width / positions, 4))
        assert positions == math.ceil(height / 2**level) * math.ceil(width / 2**level)
        assert (shown_rows, heads * head_size, tokens) == (rows, channels[level], text["tokens"])
        assert head_size == (found["head_size"] or channels[level] // 8)
