"""The parts of the scores of regions, for the categories that did best in each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.segmentation.intersections import NO_REGION, MergedRegions
from freeda_svc.segmentation.parts import nearest_pixels
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

TILES = 64
"""Pixels that are scored on their own are reported in tiles, so many along the longer side of the image."""

_NO_SPLIT = float("nan")

Table = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RegionEvidence:
    """The scores of the regions of an image; those of pixels without region stand for a tile of them.

    Attributes:
        map: (h, w) int32 of the scaled image's size, the region of each pixel, 0 to R - 1.
        regions: how many of the R are regions; the others, behind them, are tiles, scored at one pixel in each.
        labels: (R,) int32, the label that most of its pixels have in the image; -1 where they are unknown.
        pixels: (R,) int64, how many pixels it has in ``map``.
        categories: (R, T) int32, the categories with the highest scores, best first; the one that it is labelled
            with is among them.
        scores: (R, T) float32, their scores before refinement: beta local + (1 - beta) global, and support by
            appearance where that has a weight.
        local: (R, T) float32, their local similarity as it enters eq. 5; not a number where it is not known: in tiles,
            where appearance has a weight.
        global_: (R, T) float32, their global similarity; not a number where it is not known: in tiles, where a
            category has several texts.
        support: (R, T) float32, their support by appearance; not a number where that has no weight, and in tiles.
    """

    map: npt.NDArray[np.int32]
    regions: int
    labels: npt.NDArray[np.int32]
    pixels: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int32]
    scores: Table
    local: Table
    global_: Table
    support: Table


def explain_regions(regions: MergedRegions, labels: npt.NDArray[np.int32], beta: float, shown: int) -> RegionEvidence:
    """Say how the categories did in each region.

    Args:
        regions: of the image.
        labels: (H, W) int32, of the image.
        beta: weight of the local similarity, eq. 5.
        shown: T, for how many categories of each region; all where there are fewer.
    """
    tiles, places = _tile(regions.map)
    rows, columns = places
    categories = regions.scores.shape[1]
    of_tiles = regions.pixel_scores(rows, columns).numpy() if len(rows) else np.zeros((0, categories), np.float32)
    major = _majority(tiles, labels, len(regions.scores) + len(of_tiles))
    known = len(regions.scores)
    chosen = np.concatenate(
        [
            _best(regions.scores, major[:known], shown),
            _best(of_tiles, major[known:], shown),
        ]
    )
    scores = np.concatenate(
        [np.take_along_axis(regions.scores, chosen[:known], 1), np.take_along_axis(of_tiles, chosen[known:], 1)]
    )
    local, global_, support = (np.full_like(scores, _NO_SPLIT) for _ in range(3))
    local[:known], global_[:known], support[:known] = _split_regions(regions, chosen[:known])
    global_[known:] = _global_of_pixels(regions.windows, rows, columns, chosen[known:])
    if beta > 0 and all(scored.support is None for _, scored in regions.windows):
        local[known:] = (scores[known:] - (1 - beta) * global_[known:]) / beta
    return RegionEvidence(
        map=tiles,
        regions=known,
        labels=major,
        pixels=np.bincount(tiles.ravel(), minlength=len(scores)).astype(np.int64),
        categories=chosen.astype(np.int32),
        scores=scores,
        local=local,
        global_=global_,
        support=support,
    )


def _tile(regions: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], tuple[torch.Tensor, torch.Tensor]]:
    """Give the pixels without region a number by tile; return the new map and a pixel in the middle of each tile."""
    height, width = regions.shape
    side = max(1, -(-max(height, width) // TILES))
    y, x = np.nonzero(regions == NO_REGION)
    tile = (y // side) * (-(-width // side)) + x // side
    numbers, met = np.unique(tile, return_inverse=True)
    tiles = regions.copy()
    tiles[y, x] = met + int(regions.max(initial=NO_REGION)) + 1
    order = np.argsort(met, kind="stable")
    ends = np.cumsum(np.bincount(met, minlength=len(numbers)))
    middle = order[(ends - np.bincount(met, minlength=len(numbers)) + ends) // 2] if len(numbers) else order
    return tiles, (torch.from_numpy(y[middle]), torch.from_numpy(x[middle]))


def _majority(tiles: npt.NDArray[np.int32], labels: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int32]:
    """Return the (R,) most frequent label of the pixels of each region."""
    seen = nearest_pixels(labels, (tiles.shape[0], tiles.shape[1]))
    choices = int(seen.max()) + 2
    pairs, pixels = np.unique(tiles.astype(np.int64) * choices + seen + 1, return_counts=True)
    order = np.argsort(pixels, kind="stable")  # of the pairs of a region the most frequent is written last
    major = np.full(count, -1, dtype=np.int32)
    major[pairs[order] // choices] = pairs[order] % choices - 1
    return major


def _best(scores: Table, labels: npt.NDArray[np.int32], shown: int) -> npt.NDArray[np.int64]:
    """Return the (R, T) categories with the highest scores, in falling order, with the labels among them."""
    count = min(shown, scores.shape[1])
    best = torch.from_numpy(scores).topk(count, dim=1).indices.numpy()
    lacking = (labels >= 0) & ~(best == labels[:, None]).any(axis=1)
    best[lacking, -1] = labels[lacking]
    return best


def _split_regions(regions: MergedRegions, chosen: npt.NDArray[np.int64]) -> tuple[Table, Table, Table]:
    """Average local and global similarity and support of (R, T) categories over the windows of each region."""
    local, global_, support = (np.zeros(chosen.shape, np.float32) for _ in range(3))
    for number, (_, scores) in enumerate(regions.windows):
        inside = np.flatnonzero(regions.members[:, number] >= 0)
        at = regions.members[inside, number, None], chosen[inside]
        local[inside] += scores.local.numpy()[at]
        similarity = scores.global_similarity.numpy()
        global_[inside] += similarity[at[1]] if similarity.ndim == 1 else similarity[at]
        support[inside] += _NO_SPLIT if scores.support is None else scores.support.numpy()[at]
    counts = (regions.members >= 0).sum(axis=1, keepdims=True).astype(np.float32)
    return local / counts, global_ / counts, support / counts


def _global_of_pixels(
    windows: Sequence[tuple[Window, WindowScores]],
    rows: torch.Tensor,
    columns: torch.Tensor,
    chosen: npt.NDArray[np.int64],
) -> Table:
    """Average the global similarity of (P, T) categories over the windows that cover each pixel."""
    total = np.zeros(chosen.shape, np.float32)
    counts = np.zeros((len(chosen), 1), np.float32)
    for window, scores in windows:
        if scores.global_similarity.ndim > 1:
            return np.full(chosen.shape, _NO_SPLIT, np.float32)
        covered = (rows >= window.top) & (rows < window.bottom) & (columns >= window.left) & (columns < window.right)
        inside = np.flatnonzero(covered.numpy())
        total[inside] += scores.global_similarity.numpy()[chosen[inside]]
        counts[inside] += 1
    total /= counts
    return total
