"""Masks as COCO keeps them: run lengths down the columns, packed into a text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.pieces import Piece
from freeda_svc.outputs.runs import category_runs

FIRST_ID = 1
"""Of categories, images and annotations: COCO's tools take 0 for "none" in places."""

_DIGIT_BITS, _MOST_DIGITS = 5, 7
_MORE, _SIGN, _FIRST_CHARACTER = 0x20, 0x10, 48


@dataclass(frozen=True)
class CategoryMask:
    """Where an image shows a category.

    Attributes:
        category: its index.
        segmentation: ``size`` (height and width) and ``counts`` (the packed run lengths), as pycocotools takes it.
        area: pixels.
        box: left, top, width and height of the box around it, pixels.
    """

    category: int
    segmentation: dict[str, Any]
    area: int
    box: tuple[int, int, int, int]


def pack_runs(lengths: npt.NDArray[np.int64]) -> str:
    """Pack run lengths into COCO's text.

    Each character holds five bits of a number, the least first, and whether more follow; from the fourth run on, what
    is packed is the difference to the run before the last.

    Args:
        lengths: (n,) int64, outside first.
    """
    numbers = lengths.copy()
    numbers[3:] -= lengths[1:-2]
    digits = np.empty((len(numbers), _MOST_DIGITS), dtype=np.uint8)
    used = np.zeros(digits.shape, dtype=np.bool_)
    going = np.ones(len(numbers), dtype=np.bool_)
    for place in range(_MOST_DIGITS):
        low = numbers & (_MORE - 1)
        numbers >>= _DIGIT_BITS
        used[:, place] = going
        # the last digit's highest bit tells the sign, so that it must agree with what is left of the number
        going = going & (numbers != np.where(low & _SIGN, -1, 0))
        digits[:, place] = low + np.where(going, _MORE, 0) + _FIRST_CHARACTER
    return digits[used].tobytes().decode("ascii")


def coco_masks(labels: npt.NDArray[np.int32]) -> Iterator[CategoryMask]:
    """Make the mask of each category that a label map shows.

    Args:
        labels: (H, W) int32, -1 where unknown.

    Yields:
        A mask a category, in ascending order.
    """
    height, width = labels.shape
    for category, lengths in category_runs(labels.T.ravel()):
        yield _mask_of(category, lengths, (height, width))


def _mask_of(category: int, lengths: npt.NDArray[np.int64], size: tuple[int, int]) -> CategoryMask:
    height, width = size
    ends = np.cumsum(lengths)
    starts, stops = ends[:-1:2], ends[1::2]  # of the runs inside
    first_rows, last_rows = starts % height, (stops - 1) % height
    left, right = int(starts[0]) // height, int(stops[-1] - 1) // height
    wraps = bool(((stops - 1) // height > starts // height).any())  # a run that goes on in the next column
    top = 0 if wraps else int(first_rows.min())
    bottom = height - 1 if wraps else int(last_rows.max())
    return CategoryMask(
        category=category,
        segmentation={"size": [height, width], "counts": pack_runs(lengths)},
        area=int(lengths[1::2].sum()),
        box=(left, top, right - left + 1, bottom - top + 1),
    )


def piece_mask(piece: Piece, size: tuple[int, int]) -> CategoryMask:
    """Make the mask of a piece of an image of a height and width."""
    height, width = size
    columns = np.pad(piece.inside.T, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(columns, axis=1)
    offset = piece.left * height + piece.top
    starts, stops = (
        np.array([column * height + row + offset for column, row in np.argwhere(edges == sign)], dtype=np.int64)
        for sign in (1, -1)
    )
    goes_on = np.flatnonzero(starts[1:] == stops[:-1])  # from the end of a column to the beginning of the next
    starts, stops = np.delete(starts, goes_on + 1), np.delete(stops, goes_on)
    borders = np.stack((starts, stops), axis=1).ravel()
    rest = height * width - int(borders[-1])
    lengths = np.diff(borders, prepend=0)
    return _mask_of(piece.category, np.append(lengths, rest) if rest else lengths, size)


def coco_categories(names: Sequence[str]) -> list[dict[str, Any]]:
    """List categories as a COCO file does; ``mask_value`` is their pixel value in mask files."""
    return [
        {"id": FIRST_ID + index, "name": name, "supercategory": "", "mask_value": index}
        for index, name in enumerate(names)
    ]


def coco_result(mask: CategoryMask, score: float | None, image_id: int) -> dict[str, Any]:
    """Return a mask of an image as ``COCO.loadRes`` takes it."""
    return {
        "image_id": image_id,
        "category_id": FIRST_ID + mask.category,
        "segmentation": mask.segmentation,
        "score": 0.0 if score is None else round(score, 6),
    }
