"""Masks in COCO's notation (RLE): lengths of runs down the columns, packed into a string by pycocotools."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as pycocotools_mask

from freeda_svc.errors import InputError
from freeda_svc.images import MOST_COCO_PIXELS
from freeda_svc.outputs.masks import UNKNOWN, category_runs
from freeda_svc.outputs.pieces import Piece

FIRST_ID = 1
"""Of categories, images and annotations: COCO's tools take 0 for "none" in places."""


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


def coco_masks(labels: npt.NDArray[np.int32]) -> Iterator[CategoryMask]:
    """Make the mask of each category that a label map shows.

    Args:
        labels: (H, W) int32, -1 where unknown.

    Yields:
        A mask per category, in ascending order.

    Raises:
        InputError: the map has more pixels than COCO's masks can have.
    """
    height, width = labels.shape
    for category, lengths in category_runs(labels.T.ravel()):
        yield _mask_of(category, lengths, (height, width))


def piece_mask(piece: Piece, size: tuple[int, int]) -> CategoryMask:
    """Make the mask of a piece of an image of a height and width.

    Raises:
        InputError: the image has more pixels than COCO's masks can have.
    """
    height, width = size
    rows, columns = piece.box
    own_columns = np.full((columns.stop - columns.start, height), UNKNOWN, dtype=np.int32)
    own_columns[:, rows][piece.inside.T] = piece.category
    [(_, lengths)] = category_runs(own_columns.ravel())
    lengths[0] += columns.start * height
    lengths = lengths[: len(lengths) // 2 * 2]  # up to the last pixel inside
    rest = height * width - int(lengths.sum())
    return _mask_of(piece.category, np.append(lengths, rest) if rest else lengths, size)


def _mask_of(category: int, lengths: npt.NDArray[np.int64], size: tuple[int, int]) -> CategoryMask:
    height, width = size
    if height * width > MOST_COCO_PIXELS:
        raise InputError(
            f"an image has {height * width:,} pixels, COCO's masks at most {MOST_COCO_PIXELS:,}; "
            "leave out the format coco"
        )
    rle = pycocotools_mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)
    left, top, box_width, box_height = map(int, pycocotools_mask.toBbox(rle))
    return CategoryMask(
        category=category,
        segmentation={"size": [height, width], "counts": rle["counts"].decode("ascii")},
        area=int(pycocotools_mask.area(rle)),
        box=(left, top, box_width, box_height),
    )


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
