"""From the scores of windows to the labels of the image, with each window's scores refined on the way.

Refined scores differ from pixel to pixel, so that they cannot be kept by region. Categories are therefore done a few
at a time, and only the best so far is kept of each pixel.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.parameters import RefinementParameters
from freeda_svc.segmentation.bilinear import bilinear_samples, resample
from freeda_svc.segmentation.intersections import intersect_windows
from freeda_svc.segmentation.merging import SCORES_AT_ONCE, Merged
from freeda_svc.segmentation.pamr import refine
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window


class _Best:
    """The highest score so far at each pixel, and its category."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.scores = torch.full(size, -torch.inf)
        self.categories = torch.zeros(size, dtype=torch.int32)

    def update(self, rows: slice, scores: torch.Tensor, first: int) -> None:
        """Compare (C, rows, W) scores of the categories from ``first`` on; of equal ones the first stays."""
        values, indices = scores.max(dim=0)
        higher = values > self.scores[rows]
        self.scores[rows] = torch.where(higher, values, self.scores[rows])
        self.categories[rows] = torch.where(higher, indices.int() + first, self.categories[rows])


def merge_refined(
    windows: Sequence[tuple[Window, WindowScores]],
    image: npt.NDArray[np.uint8],
    size: tuple[int, int],
    parameters: RefinementParameters,
    scores_at_once: int = SCORES_AT_ONCE,
) -> tuple[Merged, tuple[torch.Tensor, ...]]:
    """Refine the scores of each window, average windows where they overlap, resize, and choose the best category.

    Args:
        windows: all windows of the image with their scores; together they cover the scaled image.
        image: (h, w, 3) uint8, RGB, the scaled image.
        size: height and width of the result.
        parameters: how scores are refined.
        scores_at_once: how many scores (categories x pixels of the scaled image) are in memory at once; the result does
            not depend on it.

    Returns:
        Labels and scores at ``size``, with regions that have the scores from before; and for each window, (H, W) int64,
        the category with the best refined score at each pixel.
    """
    scaled = image.shape[0], image.shape[1]
    categories = windows[0][1].categories
    at_once = max(1, scores_at_once // (scaled[0] * scaled[1]))
    best, in_windows = _Best(size), [_Best(_size(window)) for window, _ in windows]
    highest = torch.empty(categories)
    count = torch.zeros(scaled)
    for window, _ in windows:
        count[window.top : window.bottom, window.left : window.right] += 1
    for first in range(0, categories, at_once):
        some = slice(first, min(first + at_once, categories))
        total = torch.zeros(some.stop - first, *scaled)
        for (window, scores), best_here in zip(windows, in_windows, strict=True):
            covered = slice(window.top, window.bottom), slice(window.left, window.right)
            refined = refine(torch.from_numpy(image[covered]), _some_categories(scores, some), parameters)
            best_here.update(slice(None), refined, first)
            total[:, covered[0], covered[1]] += refined
        highest[some] = _choose(total.div_(count), best, first, scores_at_once)
    merged = Merged(
        labels=best.categories.numpy(),
        scores=best.scores.numpy(),
        highest=highest.numpy(),
        regions=intersect_windows(windows, scaled),
    )
    return merged, tuple(best.categories.to(torch.int64) for best in in_windows)


def _size(window: Window) -> tuple[int, int]:
    return window.bottom - window.top, window.right - window.left


def _some_categories(scores: WindowScores, some: slice) -> torch.Tensor:
    part = replace(scores, by_region=scores.by_region[:, some], dense=scores.dense[:, :, some])
    return part.rows(0, scores.superpixels.shape[0])


def _choose(scores: torch.Tensor, best: _Best, first: int, scores_at_once: int) -> torch.Tensor:
    """Resize (C, h, w) scores band by band and keep the best; return the (C,) highest of each."""
    height, width = best.scores.shape
    down = bilinear_samples(scores.shape[1], height, aligned=False)
    across = bilinear_samples(scores.shape[2], width, aligned=False)
    band = max(1, scores_at_once // (len(scores) * max(width, scores.shape[2])))
    highest = torch.full((len(scores),), -torch.inf)
    for start in range(0, height, band):
        rows = slice(start, min(start + band, height))
        part = scores[:, rows]
        if scores.shape[1:] != best.scores.shape:
            part = resample(resample(scores, down.part(rows.start, rows.stop), dim=1), across, dim=2)
        best.update(rows, part, first)
        highest = torch.maximum(highest, part.amax(dim=(1, 2)))
    return highest
