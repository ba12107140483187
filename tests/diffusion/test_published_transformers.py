"""Transformers that packs may name, at their published sizes and without weights: every layer is found and fits."""

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from freeda_svc.captions.caption import Noun
from freeda_svc.diffusion.columns import TokenColumns
from freeda_svc.diffusion.families import FAMILIES, Family, attention_layers
from freeda_svc.diffusion.observing import Attended, observing
from freeda_svc.diffusion.token_attention import TokenAttentionRecorder

PUBLISHED = json.loads((Path(__file__).parent / "published_transformers.json").read_text())
COLUMNS = TokenColumns((Noun("dog", ((2, 5),)), Noun("traffic light", ((10, 23),))), ((2,), (4, 5)), ())
IMAGES = 2
GRID = (32, 24)
TOKENS = GRID[0] * GRID[1]


class WatchedRecorder(TokenAttentionRecorder):
    """Also notes the shapes it was shown."""

    def __init__(self, *given: Any, **others: Any) -> None:  # noqa: ANN401
        super().__init__(*given, **others)
        self.shown: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def attended(self, layer: Attended) -> None:
        self.shown.append((tuple(layer.query.shape), tuple(layer.key.shape)))
        if len(self.shown) == 1:  # the others have the same shapes
            super().attended(layer)


@pytest.fixture(scope="module", params=list(PUBLISHED))
def published(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Family, Any]:
    found = PUBLISHED[request.param]
    [family] = [family for family in FAMILIES if family.pipeline == found["family"]]
    with torch.device("meta"):
        return found, family, getattr(diffusers, found["class"])(**found["configuration"])


def test_the_number_of_parameters_is_the_published_one(published: tuple[dict[str, Any], Family, Any]) -> None:
    found, _, transformer = published
    number = sum(parameter.numel() for parameter in transformer.parameters())
    assert number == found["parameters"]
    if found["published"].endswith("B"):  # makers of most models say it rounded
        digits = len(found["published"].partition(".")[2]) - 1
        assert f"{number / 1e9:.{max(0, digits)}f}B" == found["published"]
    else:
        assert f"{number:,}" == found["published"]


def test_every_layer_with_attention_to_the_text_is_found(published: tuple[dict[str, Any], Family, Any]) -> None:
    found, family, transformer = published
    layers = attention_layers(family, transformer)
    assert len(layers) == found["layers"]
    assert {layer.heads for layer in layers} == {found["heads"]}


INPUTS = {
    "PixArtTransformer2DModel": lambda rows: {
        "hidden_states": torch.empty(rows, 4, 2 * GRID[0], 2 * GRID[1]),
        "timestep": torch.empty(rows),
        "encoder_hidden_states": torch.empty(rows, 300, 4096),
        "encoder_attention_mask": torch.empty(rows, 300),
        "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
    },
    "SanaTransformer2DModel": lambda rows: {
        "hidden_states": torch.empty(rows, 32, *GRID),
        "timestep": torch.empty(rows),
        "encoder_hidden_states": torch.empty(rows, 300, 2304),
        "encoder_attention_mask": torch.empty(rows, 300),
    },
    "SD3Transformer2DModel": lambda rows: {
        "hidden_states": torch.empty(rows, 16, 2 * GRID[0], 2 * GRID[1]),
        "timestep": torch.empty(rows),
        "encoder_hidden_states": torch.empty(rows, 333, 4096),
        "pooled_projections": torch.empty(rows, 2048),
    },
    "FluxTransformer2DModel": lambda rows: {
        "hidden_states": torch.empty(rows, TOKENS, 64),
        "timestep": torch.empty(rows),
        "guidance": torch.empty(rows),
        "encoder_hidden_states": torch.empty(rows, 512, 4096),
        "pooled_projections": torch.empty(rows, 768),
        "txt_ids": torch.empty(512, 3),
        "img_ids": torch.empty(TOKENS, 3),
    },
    "Flux2Transformer2DModel": lambda rows: {
        "hidden_states": torch.empty(rows, TOKENS, 128),
        "timestep": torch.empty(rows),
        "txt_ids": torch.empty(512, 4),
        "img_ids": torch.empty(TOKENS, 4),
    },
}
TEXT = {"PixArtTransformer2DModel": 300, "SanaTransformer2DModel": 300, "SD3Transformer2DModel": 333}


# the others read lengths from masks or tables of rotary embeddings, which have no values here
@pytest.mark.parametrize(
    "published", [name for name, found in PUBLISHED.items() if found["class"] in INPUTS], indirect=True
)
def test_a_published_model_computes_and_every_layer_is_recorded(published: tuple[dict[str, Any], Family, Any]) -> None:
    found, family, transformer = published
    halved = found["class"] in TEXT
    rows = 2 * IMAGES if halved else IMAGES
    recorder = WatchedRecorder([COLUMNS] * IMAGES, [9] * IMAGES, GRID, family.arrangement)
    with torch.device("meta"), torch.no_grad():
        given = INPUTS[found["class"]](rows)
        if found["class"] == "Flux2Transformer2DModel":
            given["encoder_hidden_states"] = torch.empty(rows, 512, found["configuration"]["joint_attention_dim"])
        if "guidance" in given and not found["configuration"].get("guidance_embeds"):
            del given["guidance"]
        with observing(transformer, attention_layers(family, transformer), recorder, 1, ()):
            transformer(**given)
    assert len(recorder.shown) == found["layers"]
    text = TEXT.get(found["class"], 512)
    separate = family.pipeline in {"PixArtSigmaPipeline", "SanaPipeline"}
    for query, key in recorder.shown:
        assert query[:3] == (rows, found["heads"], TOKENS if separate else TOKENS + text)
        assert key[:3] == (rows, found["heads"], text if separate else TOKENS + text)
