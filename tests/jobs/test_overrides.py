from dataclasses import replace
from typing import Any

import pytest

from freeda_svc.errors import InputError
from freeda_svc.jobs.overrides import OVERRIDE_KEYS, apply_overrides, check_categories
from freeda_svc.packs.parameters import SegmentationParameters, SuperpixelParameters

PACK = SegmentationParameters(
    k=350,
    beta=0.8,
    short_side=448,
    long_side=2048,
    window=448,
    stride=224,
    superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=100.0, sigma=1.0, min_size=20),
)


def test_what_is_not_said_stays_as_the_pack_has_it() -> None:
    assert apply_overrides(PACK, {}) == PACK
    assert apply_overrides(PACK, {"beta": 1, "k": 18}) == replace(PACK, beta=1.0, k=18)


def test_origins_and_what_exemplars_count_are_taken() -> None:
    changed = apply_overrides(PACK, {"origins": ["exemplar", "generated"], "exemplar_share": 0.25})
    assert (changed.origins, changed.exemplar_share) == (("exemplar", "generated"), 0.25)
    assert (PACK.origins, PACK.exemplar_share) == ((), 0.5)


def test_superpixels_change_by_their_parts() -> None:
    changed = apply_overrides(PACK, {"superpixels": "none", "superpixel_scale": 20, "superpixel_min_size": 50})
    assert changed.superpixels == SuperpixelParameters(algorithm="none", scale=20.0, sigma=1.0, min_size=50)


def test_every_key_is_taken() -> None:
    values: dict[str, Any] = dict.fromkeys(OVERRIDE_KEYS, 1) | {"superpixels": "none", "origins": ["exemplar"]}
    assert apply_overrides(PACK, values).long_side == 1


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
        ("superpixels", "slic"),
        ("superpixels", None),
        ("superpixel_scale", float("inf")),
        ("superpixel_min_size", 0.5),
        ("gamma", 0.5),
        ("exemplar_share", 1.5),
        ("origins", []),
        ("origins", "exemplar"),
        ("origins", ["drawn"]),
    ],
)
def test_unusable_values_are_one_line(key: str, value: object) -> None:
    with pytest.raises(InputError, match=key.split("_", maxsplit=1)[0]) as caught:
        apply_overrides(PACK, {key: value})
    assert "\n" not in str(caught.value)


def test_categories_lose_what_is_not_given() -> None:
    assert check_categories([{"name": "Cat ", "text": None}, {"name": "b", "text": "c", "prototype_text": "d"}]) == [
        {"name": "Cat "},
        {"name": "b", "text": "c", "prototype_text": "d"},
    ]


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ([], "no categories"),
        ([{"name": ""}], "no name"),
        ([{"text": "cat"}], "no name"),
        ([{"name": "cat", "text": " "}], "empty text"),
        ([{"name": "cat", "colour": "red"}], "colour"),
        ([{"name": "cat"}, {"name": "dog"}, {"name": "Cat "}], "'Cat ' is given twice"),
        ([{"name": "c" * 201}], "201 characters"),
        ([{"name": str(number)} for number in range(257)], "257 categories"),
    ],
)
def test_unusable_categories_are_one_line(categories: list[dict[str, str | None]], expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        check_categories(categories)
