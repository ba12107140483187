"""Where names fit into the regions of a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.components import connected_components

_MOST_SIDE = 1024  # places are searched in a picture of at most so many pixels
_LEAST_SHARE = 0.003
_LEAST_SHARE_OF_FURTHER = 0.03

Bools = npt.NDArray[np.bool_]
Box = tuple[int, int]


@dataclass(frozen=True)
class NamePlace:
    """Where a name is written.

    Attributes:
        category: whose.
        left: pixels from the left border of the picture to its box.
        top: pixels from the upper border.
        choice: which of the category's boxes it is.
    """

    category: int
    left: int
    top: int
    choice: int


def place_names(labels: npt.NDArray[np.integer], boxes: Mapping[int, Sequence[Box]]) -> Iterator[NamePlace]:
    """Find places for names, each wholly inside a region of its category, so that no two overlap.

    The largest region of a category has its name where it fits, and so have its other large ones.

    Args:
        labels: (H, W) integers, -1 where unknown.
        boxes: for each category that is to be named, widths and heights of its name, pixels, the best first.
    """
    step = ceil(max(labels.shape) / _MOST_SIDE)
    reduced = np.ascontiguousarray(labels[::step, ::step])
    components = connected_components(reduced)
    sizes = np.bincount(components.ravel())
    pixels = components.ravel().argsort(kind="stable")  # those of each component together
    ends = sizes.cumsum()
    named: set[int] = set()
    for number in (-sizes).argsort(kind="stable"):
        area = int(sizes[number])
        if area < _LEAST_SHARE * reduced.size:
            break
        rows, columns = np.divmod(pixels[ends[number] - area : ends[number]], reduced.shape[1])
        category = int(reduced[rows[0], columns[0]])
        if category not in boxes or (category in named and area < _LEAST_SHARE_OF_FURTHER * reduced.size):
            continue
        top, left = int(rows.min()), int(columns.min())
        inside = np.zeros((rows.max() - top + 1, columns.max() - left + 1), dtype=np.bool_)
        inside[rows - top, columns - left] = True
        for choice, (width, height) in enumerate(boxes[category]):
            place = _middle_place(inside, ceil(height / step) + (step > 1), ceil(width / step) + (step > 1))
            if place is not None:
                named.add(category)
                yield NamePlace(category, (left + place[1]) * step, (top + place[0]) * step, choice)
                break


def _middle_place(inside: Bools, height: int, width: int) -> tuple[int, int] | None:
    """Return top and left of a box inside a region, as far from its border as can be; None where it fits nowhere."""
    sums = np.pad(inside.cumsum(axis=0, dtype=np.int32).cumsum(axis=1, dtype=np.int32), ((1, 0), (1, 0)))
    if not _fits(sums, height, width).any():
        return None
    least, most = 0, max(inside.shape)  # margins that do and do not fit
    while most - least > 1:
        middle = (least + most) // 2
        fits = _fits(sums, height + 2 * middle, width + 2 * middle).any()
        least, most = (middle, most) if fits else (least, middle)
    places = np.argwhere(_fits(sums, height + 2 * least, width + 2 * least)) + least
    centre = np.argwhere(inside).mean(axis=0) - (height / 2, width / 2)
    top, left = places[np.abs(places - centre).sum(axis=1).argmin()]
    return int(top), int(left)


def _fits(sums: npt.NDArray[np.int32], height: int, width: int) -> Bools:
    """Whether a box lies inside at each place of its upper left corner; empty where it is larger than all."""
    if height >= len(sums) or width >= len(sums[0]):
        return np.zeros((0, 0), dtype=np.bool_)
    total = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return np.asarray(total == height * width)
