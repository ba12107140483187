"""The result of a segmentation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from freeda_svc.bank import Revision
from freeda_svc.parameters import Category, SegmentationParameters
from freeda_svc.segmentation.intersections import MergedRegions
from freeda_svc.segmentation.known_words import KnownWord
from freeda_svc.segmentation.merging import Merged

UNKNOWN = -1
"""Label of pixels that belong to none of the categories."""

_PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class CategoryScore:
    """The score and area of one category in an image.

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


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmented image.

    Attributes:
        labels: (H, W) int32, indices into ``categories``, or ``UNKNOWN``, at the size of the image.
        categories: what was asked for.
        scores: one per category, in the same order.
        regions: how many superpixels and given regions all windows were cut into; 0 where there are none.
        windows: how many windows the image was cut into.
        parameters: that it was made with.
        pack: fingerprint of the model pack it was made with.
        timings: seconds of each step, in order.
        encoders: how its features were computed: ``device``, ``precision`` and ``runtime``; empty when unknown.
        bank: name and version of the bank whose prototypes were used; empty when unknown.
        bank_revision: its revision when the image was segmented.
        words: what the bank knew of the words of each category, in the same order; empty when the bank was not asked.
        unknown_share: share of the image's pixels that belong to no category, 0 to 1.
        transparent_share: share of them that do because the image is transparent there.
        region_scores: the intersections of the windows' superpixels, at the scaled size, with the scores of each,
            before refinement.
        pixel_scores: (H, W) float32, the final score of each pixel's category, -1 to 1; 0 where it is transparent.
        given_regions: (h, w) int32 at the scaled size, the regions that the caller or a mask generator gave; below 0
            for none. None where all regions are superpixels.
    """

    labels: npt.NDArray[np.int32]
    categories: tuple[Category, ...]
    scores: tuple[CategoryScore, ...]
    regions: int
    windows: int
    parameters: SegmentationParameters
    pack: str
    timings: Mapping[str, float]
    encoders: Mapping[str, str] = field(default_factory=dict)
    bank: str = ""
    bank_revision: Revision | None = None
    words: tuple[tuple[KnownWord, ...], ...] = ()
    unknown_share: float = 0.0
    transparent_share: float = 0.0
    region_scores: MergedRegions | None = None
    pixel_scores: npt.NDArray[np.float32] | None = None
    given_regions: npt.NDArray[np.int32] | None = None


def score_categories(categories: tuple[Category, ...], merged: Merged) -> tuple[CategoryScore, ...]:
    """Return the score and area of each category in a merged image; unknown pixels count for the area only."""
    pixels, sums = np.zeros(len(categories) + 1, dtype=np.int64), np.zeros(len(categories) + 1)
    rows = max(1, _PIXELS_AT_ONCE // merged.labels.shape[1])  # counting makes 16 bytes of each pixel
    for start in range(0, len(merged.labels), rows):
        labels = merged.labels[start : start + rows].ravel() + 1  # unknown pixels are the first
        scores = merged.scores[start : start + rows].ravel()
        pixels += np.bincount(labels, minlength=len(pixels))
        sums += np.bincount(labels, weights=scores, minlength=len(pixels))
    pixels, sums = pixels[1:], sums[1:]
    return tuple(
        CategoryScore(
            name=category.name,
            score=float(sums[index] / pixels[index]) if pixels[index] else None,
            highest_score=float(merged.highest[index]),
            area_share=float(pixels[index] / merged.labels.size),
            absent=not pixels[index],
        )
        for index, category in enumerate(categories)
    )
