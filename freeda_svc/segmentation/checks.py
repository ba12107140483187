"""Whether the numbers of a segmentation make sense."""

from freeda_svc.errors import InputError
from freeda_svc.packs.parameters import SegmentationParameters, SuperpixelParameters


def _require(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise InputError(f"{name} is {value}, but must be {expected}")


def check_parameters(parameters: SegmentationParameters) -> None:
    """Refuse numbers with which an image cannot be segmented.

    Raises:
        InputError: names the first parameter that is out of its range.
    """
    _require(parameters.k >= 1, "k", parameters.k, "at least 1")
    _require(0 <= parameters.beta <= 1, "beta", parameters.beta, "from 0 to 1")
    _require(parameters.short_side >= 1, "short_side", parameters.short_side, "at least 1 pixel")
    _require(
        parameters.long_side >= parameters.short_side,
        "long_side",
        parameters.long_side,
        f"at least short_side, {parameters.short_side}",
    )
    _require(parameters.window >= 1, "window", parameters.window, "at least 1 pixel")
    _require(
        1 <= parameters.stride <= parameters.window,
        "stride",
        parameters.stride,
        f"from 1 to window, {parameters.window}, or pixels would be left out",
    )
    _check_superpixels(parameters.superpixels)


def _check_superpixels(superpixels: SuperpixelParameters) -> None:
    _require(
        superpixels.algorithm in ("felzenszwalb", "none"),
        "superpixel algorithm",
        superpixels.algorithm,
        "felzenszwalb or none",
    )
    _require(superpixels.scale > 0, "superpixel scale", superpixels.scale, "above 0")
    _require(superpixels.sigma >= 0, "superpixel sigma", superpixels.sigma, "0 or above")
    _require(superpixels.min_size >= 0, "superpixel min_size", superpixels.min_size, "0 or above")
