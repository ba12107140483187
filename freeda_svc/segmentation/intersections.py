"""Scores of the regions into which the superpixels of overlapping windows cut an image.

Where windows overlap, each has its own superpixels there. A pixel's score is the mean over its windows, so it is the
same wherever the same regions meet: scores are kept for these intersections, and never for every pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

NO_REGION = -1
"""In the map of an image, a pixel that is scored on its own."""


@dataclass(frozen=True, eq=False)
class MergedRegions:
    """An image cut into the intersections of its windows' superpixels, with the scores of each.

    Attributes:
        map: (h, w) int32 at the scaled size, the region of each pixel; ``NO_REGION`` for pixels that take the dense
            scores in any of their windows, which differ from pixel to pixel (``pixel_scores``).
        scores: (R, N) float32, the mean over the windows that cover the region.
        members: (R, V) int32, the superpixel of each of the V windows that the region lies in; -1 where it lies
            outside of the window.
        windows: the windows with their scores.
    """

    map: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    members: npt.NDArray[np.int32]
    windows: tuple[tuple[Window, WindowScores], ...]

    @cached_property
    def local(self) -> npt.NDArray[np.float32]:
        """(R, N) float32, the mean local similarity, before it is joined (l of eq. 5)."""
        return _means([scores.local for _, scores in self.windows], torch.from_numpy(self.members)).numpy()

    @cached_property
    def global_(self) -> npt.NDArray[np.float32]:
        """(R, N) float32, the mean global similarity (g of eq. 5)."""
        similarities = [scores.global_similarity.expand(len(scores.local), -1) for _, scores in self.windows]
        return _means(similarities, torch.from_numpy(self.members)).numpy()

    def pixel_scores(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Average the scores of single pixels of the scaled image over their windows.

        Args:
            rows: (P,) int64.
            columns: (P,) int64.

        Returns:
            (P, N) float32.
        """
        total = torch.zeros(len(rows), self.scores.shape[1])
        count = torch.zeros(len(rows), 1)
        for window, scores in self.windows:
            inside = (rows >= window.top) & (rows < window.bottom) & (columns >= window.left) & (columns < window.right)
            covered = inside.nonzero()[:, 0]
            if len(covered):
                found = scores.pixels(rows[covered] - window.top, columns[covered] - window.left)
                total.index_add_(0, covered, found)
                count[covered] += 1
        return total.div_(count)


def intersect_windows(windows: Sequence[tuple[Window, WindowScores]], scaled: tuple[int, int]) -> MergedRegions:
    """Cut the scaled image into the intersections of its windows' regions and average the scores of each.

    Args:
        windows: all windows of the image with their scores; together they cover the scaled image.
        scaled: height and width of the scaled image.
    """
    regions = torch.zeros(scaled, dtype=torch.int64)
    alone = torch.zeros(scaled, dtype=torch.bool)
    members = torch.full((1, len(windows)), -1, dtype=torch.int32)
    for number, (window, scores) in enumerate(windows):
        covered = slice(window.top, window.bottom), slice(window.left, window.right)
        alone[covered] |= scores.superpixels < 0
        choices = scores.regions + 1
        pairs, met = torch.unique(regions[covered] * choices + scores.superpixels + 1, return_inverse=True)
        regions[covered] = met + len(members)
        cut = members[pairs // choices]
        cut[:, number] = (pairs % choices - 1).to(torch.int32)
        members = torch.cat((members, cut))
    present = torch.zeros(len(members), dtype=torch.bool)
    present[regions[~alone]] = True
    numbers = (present.cumsum(dim=0) - 1).to(torch.int32)
    members = members[present]
    return MergedRegions(
        map=numbers[regions].masked_fill(alone, NO_REGION).numpy(),
        scores=_means([scores.by_region for _, scores in windows], members).numpy(),
        members=members.numpy(),
        windows=tuple(windows),
    )


def _means(tables: Sequence[torch.Tensor], members: torch.Tensor) -> torch.Tensor:
    """Average, for each region, the (., N) rows of the superpixels that it lies in, one table a window."""
    total = torch.zeros(len(members), tables[0].shape[1])
    for number, table in enumerate(tables):
        inside = (members[:, number] >= 0).nonzero()[:, 0]
        total[inside] += table[members[inside, number].to(torch.int64)]
    return total / (members >= 0).sum(dim=1, keepdim=True)
