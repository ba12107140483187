"""What a segmentation request may say: its categories and the parameters it changes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from freeda_svc.errors import InputError
from freeda_svc.packs.parameters import SegmentationParameters
from freeda_svc.prototypes.record import ORIGINS

CATEGORY_KEYS = ("name", "text", "prototype_text")
LONGEST_TEXT = 200
MOST_CATEGORIES = 256
SUPERPIXEL_ALGORITHMS = ("felzenszwalb", "none")

_WHOLE = ("k", "short_side", "long_side", "window", "stride")
_SHARES = ("beta", "exemplar_share")
_SUPERPIXEL_NUMBERS = {"superpixel_scale": "scale", "superpixel_sigma": "sigma", "superpixel_min_size": "min_size"}
OVERRIDE_KEYS = ("beta", *_WHOLE, "superpixels", *_SUPERPIXEL_NUMBERS, "origins", "exemplar_share")


def check_categories(categories: Sequence[Mapping[str, str | None]]) -> list[dict[str, str]]:
    """Check categories and leave out what is not given.

    Args:
        categories: mappings with ``name`` and, where they differ from it, ``text`` (what is embedded) and
            ``prototype_text`` (whose prototypes are fetched).

    Returns:
        The same as plain dictionaries, for JSON.

    Raises:
        InputError: no category, one without name, an unknown key, or a name twice.
    """
    if not categories:
        raise InputError("no categories were given; name at least one, such as 'cat, dog, background'")
    if len(categories) > MOST_CATEGORIES:
        raise InputError(f"{len(categories)} categories were given; a mask tells at most {MOST_CATEGORIES} apart")
    checked = [_check_category(category) for category in categories]
    names = [" ".join(category["name"].casefold().split()) for category in checked]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"category {checked[number]['name']!r} is given twice; name each once")
    return checked


def _check_category(category: Mapping[str, str | None]) -> dict[str, str]:
    unknown = set(category) - set(CATEGORY_KEYS)
    if unknown:
        raise InputError(f"a category has {', '.join(CATEGORY_KEYS)}, not {', '.join(sorted(unknown))}")
    given = {key: value for key, value in category.items() if value is not None}
    if not given.get("name", "").strip():
        raise InputError("a category has no name; leave out empty entries")
    for key, value in given.items():
        if not value.strip():
            raise InputError(f"category {given['name']!r} has an empty {key}; leave it out instead")
        if len(value) > LONGEST_TEXT:
            raise InputError(f"the {key} of a category has {len(value)} characters; at most {LONGEST_TEXT} are read")
    return given


def apply_overrides(parameters: SegmentationParameters, overrides: Mapping[str, Any]) -> SegmentationParameters:
    """Put a request's parameters over the pack's.

    Args:
        parameters: of the pack.
        overrides: any of ``beta`` (0 to 1), ``k``, ``short_side``, ``long_side``, ``window``, ``stride`` (whole, at
            least 1), ``superpixels`` (``felzenszwalb`` or ``none``), ``superpixel_scale``, ``superpixel_sigma``
            (at least 0), ``superpixel_min_size`` (whole, at least 1), ``origins`` (a list of the origins of
            prototypes), ``exemplar_share`` (0 to 1).

    Returns:
        The parameters to segment with.

    Raises:
        InputError: an unknown key or a value out of range.
    """
    unknown = set(overrides) - set(OVERRIDE_KEYS)
    if unknown:
        raise InputError(f"unknown parameter {min(unknown)!r}; known are {', '.join(OVERRIDE_KEYS)}")
    changes: dict[str, Any] = {}
    superpixels: dict[str, Any] = {}
    for key, value in overrides.items():
        if key in _WHOLE:
            changes[key] = _whole(key, value)
        elif key in _SHARES:
            changes[key] = _number(key, value, 1.0)
        elif key == "origins":
            changes[key] = _origins(value)
        elif key == "superpixels":
            if value not in SUPERPIXEL_ALGORITHMS:
                raise InputError(f"superpixels is one of {', '.join(SUPERPIXEL_ALGORITHMS)}, not {value!r}")
            superpixels["algorithm"] = value
        else:
            name = _SUPERPIXEL_NUMBERS[key]
            superpixels[name] = _whole(key, value) if name == "min_size" else _number(key, value)
    changed = replace(parameters, **changes, superpixels=replace(parameters.superpixels, **superpixels))
    if changed.stride > changed.window:
        raise InputError(f"stride {changed.stride} is larger than window {changed.window}: pixels would be left out")
    if changed.long_side < changed.short_side:
        raise InputError(f"long_side {changed.long_side} is smaller than short_side {changed.short_side}")
    return changed


def _origins(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or not all(origin in ORIGINS for origin in value):
        raise InputError(f"origins is a list of some of {', '.join(ORIGINS)}, not {value!r}")
    return tuple(value)


def _whole(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{key} is a whole number of at least 1, not {value!r}")
    return value


def _number(key: str, value: object, most: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value == float("inf"):
        raise InputError(f"{key} is a number from 0{f' to {most:g}' if most != float('inf') else ''}, not {value!r}")
    return float(value)
