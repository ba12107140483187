"""The parameters that a segmentation request may change."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

from freeda_svc.errors import InputError
from freeda_svc.packs.parameters import (
    Aggregation,
    LocalSimilarity,
    RefinementWay,
    SegmentationParameters,
    SuperpixelAlgorithm,
    SuperpixelParameters,
    SynonymWay,
    UnknownWay,
    WindowWay,
)
from freeda_svc.prototypes.record import ORIGINS
from freeda_svc.segmentation.checks import check_parameters

SUPERPIXEL_ALGORITHMS: tuple[SuperpixelAlgorithm, ...] = get_args(SuperpixelAlgorithm)
WINDOW_WAYS: tuple[WindowWay, ...] = get_args(WindowWay)
LOCAL_SIMILARITIES: tuple[LocalSimilarity, ...] = get_args(LocalSimilarity)
AGGREGATIONS: tuple[Aggregation, ...] = get_args(Aggregation)
SYNONYM_WAYS: tuple[SynonymWay, ...] = get_args(SynonymWay)
REFINEMENT_WAYS: tuple[RefinementWay, ...] = get_args(RefinementWay)
UNKNOWN_WAYS: tuple[UnknownWay, ...] = get_args(UnknownWay)

_SUPERPIXELS = "superpixel_"


def apply_overrides(parameters: SegmentationParameters, overrides: Mapping[str, Any]) -> SegmentationParameters:
    """Put a request's parameters over the pack's.

    Args:
        parameters: of the pack.
        overrides: values by the names in ``OVERRIDE_KEYS``: those of ``SegmentationParameters``; ``superpixels`` for
            the algorithm and ``superpixel_`` with the name of each of its numbers; ``unknown`` for the way and
            ``unknown_threshold`` for that of every way; ``refinement`` for the way, ``refinement_iterations``,
            ``refinement_dilations``.

    Returns:
        The parameters to segment with.

    Raises:
        InputError: an unknown key or a value out of range.
    """
    unknown = set(overrides) - set(OVERRIDE_KEYS)
    if unknown:
        raise InputError(f"unknown parameter {min(unknown)!r}; known are {', '.join(OVERRIDE_KEYS)}")
    changes: dict[str, dict[str, Any]] = {"": {}, "superpixels": {}, "unknown": {}, "refinement": {}}
    for key, value in overrides.items():
        part, name, read = _READERS[key]
        changes[part][name] = read(key, value)
    if "threshold" in changes["unknown"]:
        changes["unknown"]["local_threshold"] = changes["unknown"]["threshold"]
    changed = replace(
        parameters,
        **changes[""],
        superpixels=replace(parameters.superpixels, **changes["superpixels"]),
        unknown=replace(parameters.unknown, **changes["unknown"]),
        refinement=replace(parameters.refinement, **changes["refinement"]),
    )
    check_parameters(changed)
    return changed


def check_override(key: str, value: object) -> None:
    """See that a value is one that a parameter can have, whatever the others are.

    Raises:
        InputError: it is not.
    """
    _READERS[key][2](key, value)


Read = Callable[[str, object], object]


def _whole(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{key} is a whole number of at least 1, not {value!r}")
    return value


def _number(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{key} is a number, not {value!r}")
    return float(value)


def _one_of(known: Sequence[str]) -> Read:
    def read(key: str, value: object) -> object:
        if value not in known:
            raise InputError(f"{key} is one of {', '.join(known)}, not {value!r}")
        return value

    return read


def _colour(key: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputError(f"{key} is a colour such as white or #ff8000, not {value!r}")
    from freeda_svc.images import check_colour  # noqa: PLC0415 - listing jobs does without it

    return check_colour(value)


def _origins(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(origin in ORIGINS for origin in value):
        raise InputError(f"{key} is a list of some of {', '.join(ORIGINS)}, not {value!r}")
    return tuple(value)


def _dilations(key: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or not all(type(entry) is int for entry in value):
        raise InputError(f"{key} is a list of whole numbers, not {value!r}")
    return tuple(value)


def _superpixel_readers() -> dict[str, tuple[str, str, Read]]:
    numbers = [field for field in fields(SuperpixelParameters) if field.name != "algorithm"]
    return {
        f"{_SUPERPIXELS}{field.name}": ("superpixels", field.name, _whole if field.type is int else _number)
        for field in numbers
    }


_READERS: dict[str, tuple[str, str, Read]] = {
    "beta": ("", "beta", _number),
    **{name: ("", name, _whole) for name in ("k", "short_side", "long_side", "window", "stride")},
    "superpixels": ("superpixels", "algorithm", _one_of(SUPERPIXEL_ALGORITHMS)),
    **_superpixel_readers(),
    "origins": ("", "origins", _origins),
    "exemplar_share": ("", "exemplar_share", _number),
    "window_way": ("", "window_way", _one_of(WINDOW_WAYS)),
    "local_similarity": ("", "local_similarity", _one_of(LOCAL_SIMILARITIES)),
    "aggregation": ("", "aggregation", _one_of(AGGREGATIONS)),
    "synonyms": ("", "synonyms", _one_of(SYNONYM_WAYS)),
    "unknown": ("unknown", "way", _one_of(UNKNOWN_WAYS)),
    "unknown_threshold": ("unknown", "threshold", _number),
    "refinement": ("refinement", "way", _one_of(REFINEMENT_WAYS)),
    "refinement_iterations": ("refinement", "iterations", _whole),
    "fill_transparent": ("", "fill_transparent", _colour),
    "refinement_dilations": ("refinement", "dilations", _dilations),
}
OVERRIDE_KEYS = tuple(_READERS)
