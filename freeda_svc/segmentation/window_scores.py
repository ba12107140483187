"""The scores of one window, kept per region."""

from dataclasses import dataclass

import torch

from freeda_svc.segmentation.bilinear import bilinear_samples, resample
from freeda_svc.segmentation.regions import pool_regions
from freeda_svc.segmentation.scoring import cosine, ensemble


@dataclass(frozen=True)
class WindowScores:
    """The scores of a window; those of pixels are made only when rows of them are asked for.

    Attributes:
        superpixels: (H, W) int64, the region of each pixel; below 0 for pixels that take the dense scores,
            because they belong to no region or to one without weight.
        by_region: (R, N) float32, the scores of each region.
        dense: (N, h, w) float32, the scores of each cell of the feature grid.
        regions: how many superpixels the window was cut into.
    """

    superpixels: torch.Tensor
    by_region: torch.Tensor
    dense: torch.Tensor
    regions: int

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Return the (N, stop - start, W) float32 scores of the pixels in rows ``start`` to ``stop``, exclusive."""
        superpixels = self.superpixels[start:stop]
        outside = superpixels < 0
        if not bool(outside.any()):
            return self.by_region.T[:, superpixels]
        height, width = self.superpixels.shape
        down = bilinear_samples(self.dense.shape[1], height, aligned=True, device=self.dense.device)
        across = bilinear_samples(self.dense.shape[2], width, aligned=True, device=self.dense.device)
        dense = resample(resample(self.dense, down.part(start, stop), dim=1), across, dim=2)
        if bool(outside.all()):
            return dense
        return torch.where(outside, dense, self.by_region.T[:, superpixels.clamp(min=0)])

    def labels(self) -> torch.Tensor:
        """Return the (H, W) int64 best category of each pixel."""
        return self.rows(0, self.superpixels.shape[0]).argmax(dim=0)


def score_window(
    features: torch.Tensor,
    superpixels: torch.Tensor,
    prototypes: torch.Tensor,
    global_similarity: torch.Tensor,
    beta: float,
) -> WindowScores:
    """Score every category at every region of a window, eq. 5.

    A region that gets no weight when it is resized to the feature grid takes, at each of its pixels, the dense
    similarity: the sigmoid of the cosine at each cell, upsampled bilinearly with aligned corners.

    Args:
        features: (D, h, w) float32, the dense features of the window.
        superpixels: (H, W) integer labels from 0; below 0 for pixels to be scored by the dense similarity.
        prototypes: (N, D) float32, one class prototype a category, not normalised.
        global_similarity: (N,) float32, cosines of the window's and the categories' embeddings.
        beta: weight of the local similarity, 0 to 1.

    Returns:
        The scores.
    """
    labels = superpixels.to(torch.int64)
    regions = int(labels.max()) + 1
    dimension, rows, columns = features.shape
    # Scores are joined before upsampling, which is linear with weights that sum to one: the same as after it.
    cells = features.reshape(dimension, rows * columns).T
    dense = ensemble(cosine(cells, prototypes), global_similarity, beta).T.reshape(-1, rows, columns)
    if regions <= 0:
        return WindowScores(labels, dense.new_zeros(0, len(prototypes)), dense, 0)
    pooled, weighted = pool_regions(features, labels)
    by_region = ensemble(cosine(pooled, prototypes), global_similarity, beta)
    has_weight = weighted[labels.clamp(min=0)] & (labels >= 0)
    return WindowScores(labels.masked_fill(~has_weight, -1), by_region, dense, regions)
