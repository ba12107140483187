"""What an annotator has drawn in Label Studio, as masks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.annotation_tools.label_config import LabelledImage
from freeda_svc.errors import InputError
from freeda_svc.input_files import MOST_PIXELS
from freeda_svc.outputs.label_studio import unpack_brush
from freeda_svc.outputs.mark_controls import MarkControl, MarkKind

UNCHANGED = "prediction"
"""The origin of a mark that an annotator has taken over as it was predicted."""
_PERCENT = 100.0
_LEAST_CORNERS = 3


@dataclass(frozen=True, eq=False)
class DrawnMarks:
    """All marks of one category in an image.

    Attributes:
        category: its name.
        mask: (H, W) bool, the pixels that are marked.
    """

    category: str
    mask: npt.NDArray[np.bool_]


def read_marks(
    results: Sequence[Mapping[str, Any]], image: LabelledImage, *, most_pixels: int = MOST_PIXELS
) -> list[DrawnMarks]:
    """Read what an annotator has drawn in an image; predictions that were taken over unchanged are left out.

    Args:
        results: of an annotation, as Label Studio sends them.
        image: whose marks are read.
        most_pixels: of the image.

    Returns:
        One entry a category that has marks.

    Raises:
        InputError: a mark cannot be read.
    """
    controls = {control.name: control for control in image.controls}
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for number, result in enumerate(results, start=1):
        control = controls.get(str(result.get("from_name")))
        if control is None or result.get("origin") == UNCHANGED or result.get("type") != control.kind:
            continue
        try:
            for category in _categories(result, control):
                _add(found, category, _mask(result, control, most_pixels))
        except (InputError, KeyError, TypeError, ValueError, OverflowError) as error:
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__} {error}"
            raise InputError(f"mark {number} of the annotation cannot be read: {reason}") from error
    return [DrawnMarks(category, mask) for category, mask in found.items() if mask.any()]


def _add(found: dict[str, npt.NDArray[np.bool_]], category: str, mask: npt.NDArray[np.bool_]) -> None:
    known = found.setdefault(category, np.zeros_like(mask))
    if known.shape != mask.shape:
        raise InputError("the image has another size than in a mark before it")
    known |= mask


def _categories(result: Mapping[str, Any], control: MarkControl) -> Iterator[str]:
    """The categories of a mark: its labels are written by alias or by value."""
    by_label = {label: name for name, label in control.labels.items()}
    for label in result["value"][control.kind.value]:
        name = by_label.get(label, label if label in control.labels else None)
        if name is not None:
            yield name


def _mask(result: Mapping[str, Any], control: MarkControl, most_pixels: int) -> npt.NDArray[np.bool_]:
    width, height = int(result["original_width"]), int(result["original_height"])
    if not (width > 0 and height > 0 and width * height <= most_pixels):
        raise InputError(f"an image of {width} x {height} pixels is not taken; at most {most_pixels:,} are")
    if float(result.get("image_rotation") or 0) % 360:
        raise InputError("it was drawn on a turned image; turn the image back")
    value = result["value"]
    if control.kind is MarkKind.BRUSH:
        return unpack_brush(value["rle"], (height, width))
    corners = value["points"] if control.kind is MarkKind.POLYGON else _corners(value, width / height)
    if len(corners) < _LEAST_CORNERS:
        raise InputError("a polygon has at least three corners")
    points = np.asarray(corners, dtype=np.float64) * [width / _PERCENT, height / _PERCENT]
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():  # noqa: PLR2004 - x and y
        raise InputError("corners are pairs of numbers")
    return _filled(points, (height, width))


def _corners(value: Mapping[str, Any], aspect: float) -> list[list[float]]:
    """The corners of a rectangle, in percents of the image; it is turned around its upper left one."""
    turned = np.radians(float(value.get("rotation") or 0))
    across = np.array([np.cos(turned), np.sin(turned) * aspect]) * float(value["width"])
    down = np.array([-np.sin(turned) / aspect, np.cos(turned)]) * float(value["height"])
    first = np.array([float(value["x"]), float(value["y"])])
    corners: list[list[float]] = np.stack((first, first + across, first + across + down, first + down)).tolist()
    return corners


def _filled(points: npt.NDArray[np.float64], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels whose centres lie inside a polygon; corners are in pixels from the image's corner."""
    from skimage.draw import polygon  # noqa: PLC0415 - slow to import, and brushes do without it

    height, width = size
    bounded = np.clip(points, -width - height, 2 * (width + height)) - 0.5
    mask = np.zeros(size, dtype=np.bool_)
    mask[polygon(bounded[:, 1], bounded[:, 0], size)] = True
    return mask
