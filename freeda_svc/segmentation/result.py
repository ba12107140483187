"""What a segmentation answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.packs.parameters import SegmentationParameters
from freeda_svc.segmentation.categories import Category
from freeda_svc.segmentation.merging import Merged


@dataclass(frozen=True)
class CategoryScore:
    """How one category did in an image.

    Attributes:
        name: the category's name, exactly as typed.
        score: mean score over the pixels that it took; None when it took none.
        highest_score: its highest score anywhere, also where another category won.
        area_share: share of the image's pixels that it took, 0 to 1.
        absent: whether it took no pixel.
    """

    name: str
    score: float | None
    highest_score: float
    area_share: float
    absent: bool


@dataclass(frozen=True)
class Segmentation:
    """A segmented image.

    Attributes:
        labels: (H, W) int32, indices into ``categories``, at the size of the image.
        categories: what was asked for.
        scores: one a category, in the same order.
        regions: how many superpixels all windows were cut into; 0 where there are none.
        windows: how many windows the image was cut into.
        parameters: the numbers it was made with.
        pack: fingerprint of the model pack it was made with.
        timings: seconds of each step, in order.
    """

    labels: npt.NDArray[np.int32]
    categories: tuple[Category, ...]
    scores: tuple[CategoryScore, ...]
    regions: int
    windows: int
    parameters: SegmentationParameters
    pack: str
    timings: Mapping[str, float]


def score_categories(categories: tuple[Category, ...], merged: Merged) -> tuple[CategoryScore, ...]:
    """Sum up how each category did in a merged image."""
    labels = merged.labels.ravel()
    pixels = np.bincount(labels, minlength=len(categories))
    sums = np.bincount(labels, weights=merged.scores.ravel(), minlength=len(categories))
    return tuple(
        CategoryScore(
            name=category.name,
            score=float(sums[index] / pixels[index]) if pixels[index] else None,
            highest_score=float(merged.highest[index]),
            area_share=float(pixels[index] / labels.size),
            absent=not pixels[index],
        )
        for index, category in enumerate(categories)
    )
