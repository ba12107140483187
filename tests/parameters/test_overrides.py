from collections.abc import Mapping
from typing import Any

import pytest

from freeda_svc.errors import InputError
from freeda_svc.parameters import (
    PLACES,
    RefinementParameters,
    SegmentationOverrides,
    SegmentationParameters,
    SuperpixelParameters,
    UnknownParameters,
)

PACK = SegmentationParameters(
    k=350,
    beta=0.8,
    short_side=448,
    long_side=2048,
    window=448,
    stride=224,
    superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=100.0, sigma=1.0, min_size=20),
)


def apply_overrides(parameters: SegmentationParameters, overrides: Mapping[str, Any]) -> SegmentationParameters:
    return SegmentationOverrides.read(overrides).over(parameters)


def test_what_is_not_said_stays_as_the_pack_has_it() -> None:
    assert apply_overrides(PACK, {}) == PACK
    assert apply_overrides(PACK, {"beta": 1, "k": 18}) == PACK.replace(beta=1.0, k=18)


def test_origins_and_what_exemplars_count_are_taken() -> None:
    changed = apply_overrides(PACK, {"origins": ["exemplar", "generated"], "exemplar_share": 0.25})
    assert (changed.origins, changed.exemplar_share) == (("exemplar", "generated"), 0.25)
    assert (PACK.origins, PACK.exemplar_share) == ((), 0.5)


def test_superpixels_change_by_their_parts() -> None:
    changed = apply_overrides(PACK, {"superpixels": "none", "superpixel_scale": 20, "superpixel_min_size": 50})
    assert changed.superpixels == SuperpixelParameters(algorithm="none", scale=20.0, sigma=1.0, min_size=50)


def test_every_override_changes_its_parameter() -> None:
    words = {
        "superpixels": "none",
        "regions": "masks",
        "region_overlaps": "smallest",
        "origins": ["exemplar"],
        "window_way": "whole",
        "local_similarity": "cosine",
        "aggregation": "max_similarity",
        "synonyms": "mean",
        "unknown": "channel",
        "refinement": "pamr",
        "refinement_dilations": [1, 2],
        "fill_transparent": "#ff8000",
    }
    values: dict[str, Any] = dict.fromkeys(PLACES, 1) | words
    changed = apply_overrides(PACK, values)
    assert (changed.long_side, changed.window_way, changed.local_similarity) == (1, "whole", "cosine")
    assert (changed.aggregation, changed.synonyms) == ("max_similarity", "mean")
    assert (changed.appearance_weight, changed.appearance_k) == (1.0, 1)
    assert changed.unknown == UnknownParameters(way="channel", threshold=1.0, local_threshold=1.0)
    assert changed.fill_transparent == "#ff8000"
    assert changed.refinement == RefinementParameters(way="pamr", iterations=1, dilations=(1, 2))
    assert set(changed.regions.model_dump().values()) == {"masks", "smallest", 1}
    assert set(changed.superpixels.model_dump().values()) == {"none", 1}


def test_only_what_is_given_is_kept() -> None:
    overrides = SegmentationOverrides.read({"beta": 1, "refinement_dilations": [1, 2], "k": None})
    assert overrides.given() == {"beta": 1.0, "refinement_dilations": [1, 2]}
    assert SegmentationOverrides.read(overrides.given()) == overrides


def test_every_parameter_of_a_pack_can_be_changed_by_a_request() -> None:
    changeable = set(PLACES.values()) | {("unknown", "local_threshold")}
    pack = {
        (name, inner) if isinstance(values, dict) else (name,)
        for name, values in PACK.model_dump().items()
        for inner in (values if isinstance(values, dict) else [name])
    }
    assert changeable == pack


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("beta", 1.01),
        ("beta", -0.1),
        ("beta", float("nan")),
        ("beta", True),
        ("beta", "1"),
        ("k", 0),
        ("k", 2.5),
        ("k", True),
        ("window", 100),  # smaller than the stride
        ("stride", 449),
        ("short_side", 4096),
        ("superpixels", "snic"),
        ("superpixels", ["slic"]),
        ("superpixel_seeds_prior", 7),
        ("superpixel_region_size", "many"),
        ("window_way", "half"),
        ("local_similarity", "dot"),
        ("aggregation", "median"),
        ("synonyms", "worst"),
        ("appearance_weight", -0.1),
        ("appearance_k", 1001),
        ("unknown", True),
        ("unknown_threshold", 1.5),
        ("unknown_threshold", "0.4"),
        ("refinement", "crf"),
        ("refinement_iterations", 10**6),
        ("refinement_dilations", 3),
        ("refinement_dilations", []),
        ("refinement_dilations", [1, 2.5]),
        ("refinement_dilations", [0]),
        ("superpixel_scale", float("inf")),
        ("superpixel_min_size", 0.5),
        ("gamma", 0.5),
        ("exemplar_share", 1.5),
        ("origins", "exemplar"),
        ("origins", ["drawn"]),
        ("fill_transparent", "whit"),
        ("fill_transparent", 3),
        ("fill_transparent", "#ffffff80"),
    ],
)
def test_unusable_values_are_one_line(key: str, value: object) -> None:
    with pytest.raises(InputError, match=key.split("_", maxsplit=1)[0]) as caught:
        apply_overrides(PACK, {key: value})
    assert "\n" not in str(caught.value)
