from dataclasses import replace

import pytest

from freeda_svc.errors import InputError
from freeda_svc.packs.parameters import SegmentationParameters, SuperpixelParameters
from freeda_svc.segmentation.checks import check_parameters

GOOD = SegmentationParameters(
    k=350,
    beta=0.8,
    short_side=448,
    long_side=2048,
    window=448,
    stride=224,
    superpixels=SuperpixelParameters("felzenszwalb", scale=100.0, sigma=1.0, min_size=20),
)


def test_the_parameters_of_the_paper_are_fine() -> None:
    check_parameters(GOOD)


@pytest.mark.parametrize("changes", [{"beta": 0.0}, {"beta": 1.0}, {"k": 1}, {"stride": 448}, {"long_side": 448}])
def test_ends_of_the_ranges_are_fine(changes: dict[str, float]) -> None:
    check_parameters(replace(GOOD, **changes))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("k", 0),
        ("beta", -0.1),
        ("beta", 1.1),
        ("beta", float("nan")),
        ("short_side", 0),
        ("long_side", 447),
        ("window", 0),
        ("stride", 0),
        ("stride", 449),
    ],
)
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"^{name} is {value}, but must be"):
        check_parameters(replace(GOOD, **{name: value}))


@pytest.mark.parametrize(
    ("name", "value"),
    [("algorithm", "slic"), ("scale", 0.0), ("sigma", -1.0), ("min_size", -1), ("scale", float("nan"))],
)
def test_superpixel_numbers_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"^superpixel {name} is {value}, but must be"):
        check_parameters(replace(GOOD, superpixels=replace(GOOD.superpixels, **{name: value})))
