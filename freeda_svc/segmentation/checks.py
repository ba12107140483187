"""Whether the numbers of a segmentation make sense."""

from typing import get_args

from freeda_svc.errors import InputError
from freeda_svc.packs.parameters import (
    Aggregation,
    LocalSimilarity,
    RefinementParameters,
    RefinementWay,
    SegmentationParameters,
    SuperpixelAlgorithm,
    SuperpixelParameters,
    SynonymWay,
    UnknownWay,
    WindowWay,
)

LARGEST_SIDE = 16_384
"""Longest side at which an image is seen, pixels; one window of such a square holds 268 million pixels."""
MOST_ITERATIONS = 1_000
MOST_DILATIONS = 16
LARGEST_DILATION = 512
MOST_SEEDS_LEVELS = 10
MOST_SEEDS_BINS = 12
MOST_SEEDS_PRIOR = 5


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise InputError(f"{name} is {value}, but must be {expected}")


def _require_one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    _require(value in known, name, value, f"one of {', '.join(known)}")


def check_parameters(parameters: SegmentationParameters) -> None:
    """Refuse numbers with which an image cannot be segmented.

    Raises:
        InputError: names the first parameter that is out of its range.
    """
    _require(parameters.k >= 1, "k", parameters.k, "at least 1")
    _require(0 <= parameters.beta <= 1, "beta", parameters.beta, "from 0 to 1")
    _require(parameters.short_side >= 1, "short_side", parameters.short_side, "at least 1 pixel")
    _require(
        parameters.short_side <= parameters.long_side <= LARGEST_SIDE,
        "long_side",
        parameters.long_side,
        f"at least short_side, {parameters.short_side}, and at most {LARGEST_SIDE}",
    )
    _require(parameters.window >= 1, "window", parameters.window, "at least 1 pixel")
    _require(
        1 <= parameters.stride <= parameters.window,
        "stride",
        parameters.stride,
        f"from 1 to window, {parameters.window}, or pixels would be left out",
    )
    _require(0 <= parameters.exemplar_share <= 1, "exemplar_share", parameters.exemplar_share, "from 0 to 1")
    _require_one_of("window_way", parameters.window_way, get_args(WindowWay))
    _require_one_of("local_similarity", parameters.local_similarity, get_args(LocalSimilarity))
    _require_one_of("aggregation", parameters.aggregation, get_args(Aggregation))
    _require_one_of("synonyms", parameters.synonyms, get_args(SynonymWay))
    _require_one_of("unknown", parameters.unknown.way, get_args(UnknownWay))
    for threshold in (parameters.unknown.threshold, parameters.unknown.local_threshold):
        _require(-1 <= threshold <= 1, "unknown_threshold", threshold, "from -1 to 1")
    if parameters.fill_transparent:
        from freeda_svc.images import check_colour  # noqa: PLC0415 - commands that only look do without Pillow

        check_colour(parameters.fill_transparent)
    _check_refinement(parameters.refinement)
    _check_superpixels(parameters.superpixels)


def _check_refinement(refinement: RefinementParameters) -> None:
    _require_one_of("refinement", refinement.way, get_args(RefinementWay))
    _require(
        1 <= refinement.iterations <= MOST_ITERATIONS,
        "refinement_iterations",
        refinement.iterations,
        f"from 1 to {MOST_ITERATIONS}",
    )
    _require(
        1 <= len(refinement.dilations) <= MOST_DILATIONS
        and all(1 <= dilation <= LARGEST_DILATION for dilation in refinement.dilations),
        "refinement_dilations",
        list(refinement.dilations),
        f"1 to {MOST_DILATIONS} numbers from 1 to {LARGEST_DILATION}",
    )


def _check_superpixels(superpixels: SuperpixelParameters) -> None:
    _require_one_of("superpixels", superpixels.algorithm, get_args(SuperpixelAlgorithm))
    for name, value, least, most in (
        ("sigma", superpixels.sigma, 0, 100),
        ("min_size", superpixels.min_size, 0, 10**9),
        ("region_size", superpixels.region_size, 1, 10**9),
        ("watershed_compactness", superpixels.watershed_compactness, 0, 10**9),
        ("seeds_levels", superpixels.seeds_levels, 1, MOST_SEEDS_LEVELS),
        ("seeds_prior", superpixels.seeds_prior, 0, MOST_SEEDS_PRIOR),
        ("seeds_bins", superpixels.seeds_bins, 1, MOST_SEEDS_BINS),
        ("seeds_iterations", superpixels.seeds_iterations, 1, MOST_ITERATIONS),
        ("quickshift_ratio", superpixels.quickshift_ratio, 0, 1),
        ("quickshift_kernel_size", superpixels.quickshift_kernel_size, 1, 20),
    ):
        _require(least <= value <= most, f"superpixel_{name}", value, f"from {least} to {most}")
    for name, value in (
        ("scale", superpixels.scale),
        ("slic_compactness", superpixels.slic_compactness),
        ("quickshift_max_distance", superpixels.quickshift_max_distance),
    ):
        _require(0 < value <= 10**9, f"superpixel_{name}", value, "above 0")
