"""The scores of one window, kept per region."""

from dataclasses import dataclass, replace

import torch

from freeda_svc.segmentation.bilinear import bilinear_samples, resample
from freeda_svc.segmentation.regions import pool_regions
from freeda_svc.segmentation.scoring import Compare, Ensemble, Support, cosine


@dataclass(frozen=True, eq=False)
class WindowScores:
    """The scores of a window; those of pixels are made only where they are asked for.

    Attributes:
        superpixels: (H, W) int64, the region of each pixel; below 0 for pixels that take the dense scores,
            because they belong to no region or to one without weight.
        by_region: (R, N) float32, the scores of each region.
        local: (R, N) float32, the local similarity of each region, as it enters eq. 5.
        global_similarity: (N,) float32, the global similarity (g of eq. 5); (R, N) where it is that of the best of a
            category's texts, which may be another one for each region.
        dense: (h, w, N) float32, the scores of each cell of the feature grid; (0, 0, N) where no pixel takes them.
        regions: how many superpixels the window was cut into.
        support: (R, N) float32, the support of each region by appearance; None where it has no weight.
        support_of_cells: (h * w, T) float32, the support of each text in each cell of the feature grid, 0 in cells that
            no pixel takes scores from; None where no pixel does, or where appearance has no weight.
    """

    superpixels: torch.Tensor
    by_region: torch.Tensor
    local: torch.Tensor
    global_similarity: torch.Tensor
    dense: torch.Tensor
    regions: int
    support: torch.Tensor | None = None
    support_of_cells: torch.Tensor | None = None

    @property
    def categories(self) -> int:
        """N, how many categories are scored."""
        return self.dense.shape[2]

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Return the (N, stop - start, W) float32 scores of the pixels in rows ``start`` to ``stop``, exclusive."""
        superpixels = self.superpixels[start:stop]
        outside = superpixels < 0
        if not bool(outside.any()):
            return self.by_region.T[:, superpixels]
        height, width = self.superpixels.shape
        down = bilinear_samples(self.dense.shape[0], height, aligned=True, device=self.dense.device)
        across = bilinear_samples(self.dense.shape[1], width, aligned=True, device=self.dense.device)
        dense = resample(resample(self.dense.permute(2, 0, 1), down.part(start, stop), dim=1), across, dim=2)
        if bool(outside.all()):
            return dense
        return torch.where(outside, dense, self.by_region.T[:, superpixels.clamp(min=0)])

    def pixels(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Return the (P, N) float32 scores of single pixels, which are those that ``rows`` has there.

        Args:
            rows: (P,) int64.
            columns: (P,) int64.
        """
        regions = self.superpixels[rows, columns]
        outside = (regions < 0).nonzero()[:, 0]
        if len(outside) == len(regions):
            return self._dense_at(rows, columns)
        scores = self.by_region.index_select(0, regions.clamp(min=0))
        return scores.index_copy_(0, outside, self._dense_at(rows[outside], columns[outside]))

    def _dense_at(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Upsample the dense scores at single pixels: (P, N)."""
        if not len(rows):
            return self.dense.new_zeros(0, self.categories)
        height, width = self.superpixels.shape
        down = bilinear_samples(self.dense.shape[0], height, aligned=True, device=self.dense.device)
        across = bilinear_samples(self.dense.shape[1], width, aligned=True, device=self.dense.device)
        cells = self.dense.flatten(end_dim=1)
        above, below = (self.dense.shape[1] * side[rows] for side in (down.lower, down.upper))
        left, right = across.lower[columns], across.upper[columns]
        downwards, sideways = down.fraction[rows, None], across.fraction[columns, None]
        at_left = cells.index_select(0, above + left).lerp_(cells.index_select(0, below + left), downwards)
        at_right = cells.index_select(0, above + right).lerp_(cells.index_select(0, below + right), downwards)
        return at_left.lerp_(at_right, sideways)

    def labels(self) -> torch.Tensor:
        """Return the (H, W) int64 best category of each pixel."""
        if not self.regions:
            return self.rows(0, self.superpixels.shape[0]).argmax(dim=0)
        labels = self.by_region.argmax(dim=1)[self.superpixels.clamp(min=0)]
        rows, columns = (self.superpixels < 0).nonzero(as_tuple=True)
        labels[rows, columns] = self.pixels(rows, columns).argmax(dim=1)
        return labels


def score_window(
    features: torch.Tensor,
    superpixels: torch.Tensor,
    prototypes: torch.Tensor,
    global_similarity: torch.Tensor,
    beta: float,
) -> WindowScores:
    """Score every category at every region of a window as the released code does.

    Args:
        features: (D, h, w) float32, the dense features of the window.
        superpixels: (H, W) integer labels from 0; below 0 for pixels to be scored by the dense similarity.
        prototypes: (N, D) float32, one class prototype per category, not normalised.
        global_similarity: (N,) float32, cosines of the window's and the categories' embeddings.
        beta: weight of the local similarity, 0 to 1.

    Returns:
        The scores, eq. 5 with the sigmoid of the local cosine.
    """
    return join_window(features, superpixels, lambda seen: cosine(seen, prototypes), global_similarity, Ensemble(beta))


def join_window(
    features: torch.Tensor,
    superpixels: torch.Tensor,
    compare: Compare,
    global_similarity: torch.Tensor,
    ensemble: Ensemble,
    *,
    support: Support | None = None,
) -> WindowScores:
    """Score every category at every region of a window, eq. 5.

    A region that gets no weight when it is resized to the feature grid takes, at each of its pixels, the dense
    similarity: that of each cell, upsampled bilinearly with aligned corners.

    Args:
        features: (D, h, w) float32, the dense features of the window.
        superpixels: (H, W) integer labels from 0; below 0 for pixels to be scored by the dense similarity.
        compare: gives the (M, T) local cosines of (M, D) features and T texts.
        global_similarity: (T,) float32, cosines of the window's and the texts' embeddings.
        ensemble: joins them to the scores of N categories.
        support: gives the (M, T) support of T texts by the appearance of (M, D) features; None where it has no weight.

    Returns:
        The scores.
    """
    labels = superpixels.to(torch.int64)
    regions = max(int(labels.max()) + 1, 0)
    dimension, rows, columns = features.shape
    pooled = features.new_zeros(0, dimension)
    if regions:
        pooled, weighted = pool_regions(features, labels)
        has_weight = weighted[labels.clamp(min=0)] & (labels >= 0)
        labels = labels.masked_fill(~has_weight, -1)
    of_regions = ensemble.join(compare(pooled), global_similarity, None if support is None else support(pooled))
    dense = features.new_zeros(0, 0, of_regions.scores.shape[1])
    support_of_cells = None
    if bool((labels < 0).any()):
        # Scores are joined before upsampling, which is linear with weights that sum to one: the same as after it.
        cells = features.reshape(dimension, rows * columns).T
        if support is not None:
            read = cells_read(labels < 0, rows, columns)
            supported = support(cells[read])
            support_of_cells = supported.new_zeros(rows * columns, supported.shape[1])
            support_of_cells[read] = supported
        dense = ensemble.join(compare(cells), global_similarity, support_of_cells).scores.reshape(rows, columns, -1)
    return WindowScores(
        superpixels=labels,
        by_region=of_regions.scores,
        local=of_regions.local,
        global_similarity=of_regions.global_similarity,
        dense=dense,
        regions=regions,
        support=of_regions.support,
        support_of_cells=support_of_cells,
    )


def cells_read(pixels: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Return the (rows * columns,) cells of a grid that some pixels are interpolated from.

    Args:
        pixels: (H, W) bool, which pixels.
        rows: of the grid, whose corners are aligned with those of the pixels.
        columns: of the grid.
    """
    down = bilinear_samples(rows, pixels.shape[0], aligned=True, device=pixels.device)
    across = bilinear_samples(columns, pixels.shape[1], aligned=True, device=pixels.device)
    y, x = pixels.nonzero(as_tuple=True)
    read = torch.zeros(rows * columns, dtype=torch.bool, device=pixels.device)
    for row in (down.lower[y], down.upper[y]):
        for column in (across.lower[x], across.upper[x]):
            read[row * columns + column] = True
    return read


def local_window(
    scores: WindowScores,
    features: torch.Tensor,
    compare: Compare,
    global_similarity: torch.Tensor,
    ensemble: Ensemble,
) -> WindowScores:
    """Return the window with its local similarities instead of its scores.

    Args:
        scores: of the window.
        features: and the following: as ``join_window`` took them.
        compare: as above.
        global_similarity: as above.
        ensemble: as above.
    """
    rows, columns, categories = scores.dense.shape
    dense = scores.dense
    if rows:
        cells = features.reshape(features.shape[0], rows * columns).T
        joined = ensemble.join(compare(cells), global_similarity, scores.support_of_cells)
        dense = joined.local.reshape(rows, columns, categories)
    return replace(scores, by_region=scores.local, dense=dense)
