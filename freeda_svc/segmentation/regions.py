"""One feature for each region of a window, pooled over the feature grid.

The released code makes a mask of each region, resizes it to the grid bilinearly with aligned corners and
averages the features by it. Such a resizing reads at most four pixels a cell, so all masks together have at most
four weights a cell; here they are one sparse (regions x cells) matrix, and no mask is ever made.
"""

import torch

from freeda_svc.segmentation.bilinear import bilinear_samples


def region_weights(superpixels: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """Return each region's weight in each cell of the feature grid.

    Args:
        superpixels: (H, W) integer labels from 0; pixels labelled below 0 belong to no region.
        rows: of the feature grid.
        columns: of the feature grid.

    Returns:
        (R, rows * columns) float32, sparse, where R is the highest label plus one: row r is the mask of
        region r resized to the grid.
    """
    down = bilinear_samples(superpixels.shape[0], rows, aligned=True, device=superpixels.device)
    across = bilinear_samples(superpixels.shape[1], columns, aligned=True, device=superpixels.device)
    cells = torch.arange(rows * columns, device=superpixels.device)
    labels, weights = [], []
    for y, y_weight in ((down.lower, 1 - down.fraction), (down.upper, down.fraction)):
        for x, x_weight in ((across.lower, 1 - across.fraction), (across.upper, across.fraction)):
            labels.append(superpixels[y[:, None], x[None, :]].reshape(-1).to(torch.int64))
            weights.append((y_weight[:, None] * x_weight[None, :]).reshape(-1))
    all_labels, all_weights, all_cells = torch.cat(labels), torch.cat(weights), cells.repeat(4)
    inside = all_labels >= 0
    return torch.sparse_coo_tensor(
        torch.stack((all_labels[inside], all_cells[inside])),
        all_weights[inside],
        size=(max(int(superpixels.max()) + 1, 0), rows * columns),
        check_invariants=False,
    ).coalesce()


def pool_regions(features: torch.Tensor, superpixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pool dense features over the regions of a window.

    Args:
        features: (D, h, w) float32, the dense features of the window.
        superpixels: (H, W) integer labels from 0; pixels labelled below 0 belong to no region.

    Returns:
        The region features, (R, D) float32: sum of weighted features over the sum of weights plus the
        float32 epsilon; and (R,) bool, whether the region has any weight. A region that falls between
        the positions that the resizing reads has none, and its feature is zero.
    """
    dimension, rows, columns = features.shape
    weights = region_weights(superpixels, rows, columns)
    total = torch.sparse.sum(weights, dim=1).to_dense()
    summed = torch.sparse.mm(weights, features.reshape(dimension, rows * columns).T)
    return summed / (total + torch.finfo(torch.float32).eps)[:, None], total > 0
