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
    [
        ("scale", 0.0),
        ("scale", float("nan")),
        ("scale", float("inf")),
        ("sigma", -1.0),
        ("min_size", -1),
        ("region_size", 0),
        ("slic_compactness", 0.0),
        ("watershed_compactness", -1.0),
        ("seeds_levels", 11),
        ("seeds_prior", 6),
        ("seeds_bins", 13),
        ("seeds_iterations", 0),
        ("quickshift_ratio", 1.1),
        ("quickshift_kernel_size", 0.5),
        ("quickshift_max_distance", 0.0),
    ],
)
def test_superpixel_numbers_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=f"^superpixel_{name} is {value}, but must be"):
        check_parameters(replace(GOOD, superpixels=replace(GOOD.superpixels, **{name: value})))


@pytest.mark.parametrize("name", ["window_way", "local_similarity", "aggregation", "synonyms"])
def test_ways_that_do_not_exist_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"^{name} is other, but must be one of"):
        check_parameters(replace(GOOD, **{name: "other"}))


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("superpixels", {"algorithm": "other"}, "superpixels is other, but must be one of felzenszwalb, slic"),
        ("unknown", {"way": "other"}, "unknown is other, but must be one of none, channel"),
        ("unknown", {"threshold": 1.5}, "unknown_threshold is 1.5, but must be from -1 to 1"),
        ("unknown", {"threshold": float("nan")}, "unknown_threshold is nan"),
        ("refinement", {"way": "other"}, "refinement is other, but must be one of none, pamr"),
        ("refinement", {"iterations": 0}, "refinement_iterations is 0"),
        ("refinement", {"dilations": ()}, r"refinement_dilations is \[\]"),
        ("refinement", {"dilations": (1, 0)}, r"refinement_dilations is \[1, 0\]"),
        ("refinement", {"dilations": (513,)}, r"refinement_dilations is \[513\]"),
    ],
)
def test_parts_out_of_range_are_refused(part: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as caught:
        check_parameters(replace(GOOD, **{part: replace(getattr(GOOD, part), **changes)}))
    assert "\n" not in str(caught.value)
