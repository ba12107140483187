"""From the scores of windows to the labels of the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.segmentation.bilinear import bilinear_samples, resample
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

SCORES_AT_ONCE = 16_000_000
"""How many scores (categories x pixels) are held at once, 64 MB of float32."""


@dataclass(frozen=True)
class Merged:
    """What is known of an image after its windows are merged.

    Attributes:
        labels: (H, W) int32, the best category of each pixel.
        scores: (H, W) float32, its score.
        highest: (N,) float32, the highest score that each category has anywhere.
    """

    labels: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    highest: npt.NDArray[np.float32]


def average_rows(
    windows: Sequence[tuple[Window, WindowScores]], width: int, start: int, stop: int, categories: int
) -> torch.Tensor:
    """Average the scores of all windows that cover rows ``start`` to ``stop``, exclusive, of the scaled image.

    Returns:
        (categories, stop - start, width) float32.
    """
    device = windows[0][1].dense.device
    total = torch.zeros(categories, stop - start, width, device=device)
    count = torch.zeros(stop - start, width, device=device)
    for window, scores in windows:
        top, bottom = max(start, window.top), min(stop, window.bottom)
        if top < bottom:
            rows, columns = slice(top - start, bottom - start), slice(window.left, window.right)
            total[:, rows, columns] += scores.rows(top - window.top, bottom - window.top)
            count[rows, columns] += 1
    return total / count


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
        scores_at_once: how many scores are held at once; the result does not depend on it.

    Returns:
        Labels and scores at the image's own size.
    """
    height, width = size
    categories, device = windows[0][1].dense.shape[0], windows[0][1].dense.device
    down = bilinear_samples(scaled[0], height, aligned=False, device=device)
    across = bilinear_samples(scaled[1], width, aligned=False, device=device)
    band = max(1, scores_at_once // (categories * max(width, scaled[1])))
    labels = np.empty((height, width), dtype=np.int32)
    best = np.empty((height, width), dtype=np.float32)
    highest = torch.full((categories,), -torch.inf, device=device)
    for start in range(0, height, band):
        part = down.part(start, start + band)
        first, last = int(part.lower[0]), int(part.upper[-1])
        scores = average_rows(windows, scaled[1], first, last + 1, categories)
        if scaled != size:
            scores = resample(resample(scores, part.shifted(first), dim=1), across, dim=2)
        values, indices = scores.max(dim=0)
        labels[start : start + band] = indices.cpu().numpy()
        best[start : start + band] = values.cpu().numpy()
        highest = torch.maximum(highest, scores.amax(dim=(1, 2)))
    return Merged(labels, best, highest.cpu().numpy())
