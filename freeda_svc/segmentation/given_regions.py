"""Regions that a caller or a mask generator gives for a whole image: cut into windows, scored as one, labelled as one.

A given region lies in several windows, each of which pools a feature of its part. Its score is the mean of theirs,
weighted by its pixels in each, so that every part of it takes the same category. Pixels of no given region keep the
superpixels of their window.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.errors import InputError
from freeda_svc.segmentation.merging import Merged
from freeda_svc.segmentation.superpixels import NO_SUPERPIXEL
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

RegionMap = npt.NDArray[np.int32]

_PIXELS_AT_ONCE = 4_000_000
_MOST_COUNTS = 50_000_000
"""Pixels of each region and label are counted in a table of at most this size, 400 MB."""


@dataclass(frozen=True, eq=False)
class CutRegions:
    """The regions of one window.

    Attributes:
        labels: (H, W) int32 from 0 without gaps, ``NO_SUPERPIXEL`` for pixels of no region.
        given: (R,) int64, which of the image's given regions each is; -1 for a superpixel.
    """

    labels: torch.Tensor
    given: torch.Tensor


def check_regions(regions: RegionMap | None, size: tuple[int, int]) -> None:
    """Refuse given regions that are not of the image's size.

    Raises:
        InputError: they are not.
    """
    if regions is not None and regions.shape != size:
        raise InputError(
            f"the regions are {regions.shape[1]} x {regions.shape[0]} pixels large, but the image {size[1]} x "
            f"{size[0]}; give regions of the image's own size"
        )


def cut_given(given: RegionMap, window: Window, superpixels: torch.Tensor) -> CutRegions:
    """Return the regions of a window: the given ones, and what is left of its superpixels between them.

    Args:
        given: (h, w) int32, the given region of each pixel of the scaled image; below 0 for none.
        window: its place in the scaled image.
        superpixels: (H, W) integer labels from 0; below 0 for pixels of no superpixel.
    """
    inside = torch.from_numpy(given[window.top : window.bottom, window.left : window.right].astype(np.int64))
    first = max(int(inside.max()) + 1, 0)
    cut = superpixels.to(torch.int64)
    joined = torch.where(inside >= 0, inside, torch.where(cut >= 0, cut + first, NO_SUPERPIXEL))
    numbers, labels = torch.unique(joined, return_inverse=True)
    if int(numbers[0]) == NO_SUPERPIXEL:
        numbers, labels = numbers[1:], labels - 1
    return CutRegions(labels.to(torch.int32), numbers.masked_fill(numbers >= first, -1))


def share_scores(
    windows: Sequence[tuple[Window, WindowScores]], given: Sequence[torch.Tensor]
) -> list[tuple[Window, WindowScores]]:
    """Give each given region the mean score of its parts in all windows, weighted by their pixels.

    Args:
        windows: of one image, with their scores.
        given: of each window, (R,) int64, which given region each of its regions is; -1 for a superpixel.

    Returns:
        The windows with other scores of given regions. A part without weight on its window's feature grid keeps the
        dense scores of its pixels.
    """
    count = max((int(numbers.max()) + 1 for numbers in given if len(numbers)), default=0)
    if not count or len(windows) == 1:
        return list(windows)
    categories = windows[0][1].categories
    kinds = len(_tables(windows[0][1]))
    sums, pixels = torch.zeros(kinds, count, categories), torch.zeros(count)
    for (_, scores), numbers in zip(windows, given, strict=True):
        rows = (numbers >= 0).nonzero()[:, 0]
        owned = scores.superpixels[scores.superpixels >= 0]
        areas = torch.bincount(owned, minlength=len(numbers)).to(torch.float32)[rows]
        pixels.index_add_(0, numbers[rows], areas)
        for place, table in enumerate(_tables(scores)):
            sums[place].index_add_(0, numbers[rows], table[rows] * areas[:, None])
    means = sums / pixels.clamp(min=1)[None, :, None]
    shared = []
    for (window, scores), numbers in zip(windows, given, strict=True):
        rows = ((numbers >= 0) & (pixels[numbers.clamp(min=0)] > 0)).nonzero()[:, 0]
        by_region, local, global_, *support = (
            table.index_copy(0, rows, means[place][numbers[rows]]) for place, table in enumerate(_tables(scores))
        )
        changes = replace(scores, by_region=by_region, local=local, global_similarity=global_)
        shared.append((window, replace(changes, support=support[0]) if support else changes))
    return shared


def _tables(scores: WindowScores) -> tuple[torch.Tensor, ...]:
    """Return the (R, N) final, local and global scores of a window's regions, and their support where there is any."""
    tables = scores.by_region, scores.local, scores.global_similarity.expand(len(scores.local), -1)
    return tables if scores.support is None else (*tables, scores.support)


def label_given(merged: Merged, given: RegionMap) -> Merged:
    """Give all pixels of a given region the label that most of them have, at the image's own size.

    So a region has the outline in which it was given, also where the models see the image smaller, and where it is too
    small for the feature grid.

    Args:
        merged: the image; its labels and scores are changed.
        given: (H, W) int32, the given region of each pixel, below 0 for none.

    Returns:
        The same. The score of such a pixel is the mean of the pixels of its region that had the label before.
    """
    count = int(given.max()) + 1
    choices = len(merged.highest) + 1  # unknown pixels are the first
    at_once = max(1, _MOST_COUNTS // choices)
    for first in range(0, count, at_once):
        _label_some(merged, given, first, min(first + at_once, count), choices)
    return merged


def _label_some(merged: Merged, given: RegionMap, first: int, last: int, choices: int) -> None:
    """Label the given regions from ``first`` to below ``last``."""
    pixels = np.zeros((last - first) * choices, dtype=np.int64)
    sums = np.zeros((last - first) * choices)
    band = max(1, _PIXELS_AT_ONCE // given.shape[1])
    bands = [slice(start, start + band) for start in range(0, len(given), band)]
    for rows in bands:
        inside = (given[rows] >= first) & (given[rows] < last)
        places = (given[rows][inside] - first).astype(np.int64) * choices + merged.labels[rows][inside] + 1
        pixels += np.bincount(places, minlength=len(pixels))
        sums += np.bincount(places, weights=merged.scores[rows][inside], minlength=len(sums))
    table = pixels.reshape(-1, choices)
    chosen = table.argmax(axis=1)
    every = np.arange(len(table))
    means = sums.reshape(-1, choices)[every, chosen] / np.maximum(table[every, chosen], 1)
    for rows in bands:
        inside = (given[rows] >= first) & (given[rows] < last)
        regions = given[rows][inside] - first
        merged.labels[rows][inside] = chosen[regions] - 1
        merged.scores[rows][inside] = means[regions]
