"""From the scores of windows to the labels of the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.segmentation.bilinear import bilinear_samples, resample
from freeda_svc.segmentation.intersections import MergedRegions, intersect_windows
from freeda_svc.segmentation.labelling import label_bands
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

SCORES_AT_ONCE = 16_000_000
"""How many scores (categories x pixels) are in memory at once, 64 MB of float32."""


@dataclass(frozen=True, eq=False)
class Merged:
    """An image whose windows are merged.

    Attributes:
        labels: (H, W) int32, the best category of each pixel.
        scores: (H, W) float32, its score.
        highest: (N,) float32, the highest score that each category has anywhere, before scores are resized.
        regions: the intersections of the windows' superpixels with their scores.
    """

    labels: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    highest: npt.NDArray[np.float32]
    regions: MergedRegions


def score_rows(regions: MergedRegions, size: tuple[int, int], start: int, stop: int) -> torch.Tensor:
    """Return the final scores of rows ``start`` to ``stop``, exclusive, of the image: the plain way, for a few rows.

    Scores are resized bilinearly, corners not aligned.

    Args:
        regions: of the image, with their scores.
        size: height and width of the image.
        start: the first row.
        stop: the row after the last.

    Returns:
        (N, stop - start, W) float32.
    """
    scaled = regions.map.shape
    down = bilinear_samples(scaled[0], size[0], aligned=False).part(start, stop)
    across = bilinear_samples(scaled[1], size[1], aligned=False)
    first, last = int(down.lower[0]), int(down.upper[-1])
    numbers = torch.from_numpy(regions.map[first : last + 1]).to(torch.int64)
    table = torch.from_numpy(regions.scores)
    scores = table.new_empty(table.shape[1], *numbers.shape)
    if len(table):
        scores = table.T[:, numbers.clamp(min=0)]
    rows, columns = (numbers < 0).nonzero(as_tuple=True)
    if len(rows):
        scores[:, rows, columns] = regions.pixel_scores(rows + first, columns).T
    if scaled == size:
        return scores[:, : stop - start]
    return resample(resample(scores, down.shifted(first), dim=1), across, dim=2)


def merge_windows(
    windows: Sequence[tuple[Window, WindowScores]],
    scaled: tuple[int, int],
    size: tuple[int, int],
    scores_at_once: int = SCORES_AT_ONCE,
) -> Merged:
    """Average windows where they overlap, resize the scores to the image, and choose the best category.

    Scores are resized bilinearly, corners not aligned. The image is done in bands of rows, because the scores of
    150 categories at each pixel of a large photo would take gigabytes.

    Args:
        windows: all windows of the image with their scores; together they cover the scaled image.
        scaled: height and width of the scaled image.
        size: height and width of the image.
        scores_at_once: how many scores are in memory at once; the result does not depend on it.

    Returns:
        Labels and scores at the image's own size.
    """
    regions = intersect_windows(windows, scaled)
    labels = np.empty(size, dtype=np.int32)
    best = np.empty(size, dtype=np.float32)
    highest = torch.full((regions.scores.shape[1],), -torch.inf)
    for rows, of_rows, scores, highest_of_rows in label_bands(regions, size, scores_at_once):
        labels[rows], best[rows] = of_rows.numpy(), scores.numpy()
        highest = torch.maximum(highest, highest_of_rows)
    return Merged(labels, best, highest.numpy(), regions)


def score_map(regions: MergedRegions, size: tuple[int, int], category: int) -> npt.NDArray[np.float32]:
    """Return the final score of one category at each pixel of the image, in bands of rows as all scores take gigabytes.

    Args:
        regions: what the windows say together.
        size: height and width of the image.
        category: its index, 0 to N - 1.

    Returns:
        (H, W) float32.
    """
    height, width = size
    rows = max(1, SCORES_AT_ONCE // (regions.scores.shape[1] * width))
    bands = (score_rows(regions, size, start, min(start + rows, height)) for start in range(0, height, rows))
    return np.concatenate([band[category].numpy() for band in bands])
