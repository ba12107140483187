"""The region step as the formula is written: a mask for each region, multiplied with every feature.

This is what the method costs without any thought for memory, in a few calls of torch without a
loop over regions or pixels.
"""

import torch
from torch.nn import functional

NAME = "a mask of each region"


def dense_mask_labels(
    features: torch.Tensor,
    superpixels: torch.Tensor,
    prototypes: torch.Tensor,
    global_similarity: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Return the (H, W) int64 best category of each pixel of a window.

    Args:
        features: (D, h, w) float32, the dense features of the window.
        superpixels: (H, W) integer labels from 0.
        prototypes: (N, D) float32.
        global_similarity: (N,) float32.
        beta: weight of the local similarity.
    """
    grid = features.shape[1:]
    masks = superpixels == torch.arange(int(superpixels.max()) + 1)[:, None, None]
    resized = functional.interpolate(masks[None].float(), size=grid, mode="bilinear", align_corners=True)[0]
    weights = resized.sum(dim=(1, 2))
    pooled = (features * resized[:, None]).sum(dim=(2, 3)) / (weights + torch.finfo(torch.float32).eps)[:, None]
    directions = functional.normalize(prototypes, dim=1)
    of_regions = torch.sigmoid(functional.normalize(pooled, dim=1) @ directions.T)
    of_cells = torch.sigmoid(torch.einsum("dhw,nd->nhw", functional.normalize(features, dim=0), directions))
    local = functional.interpolate(of_cells[None], size=superpixels.shape, mode="bilinear", align_corners=True)[0]
    local = torch.where((weights > 0)[superpixels], of_regions.T[:, superpixels], local)
    scores = beta * local + (1 - beta) * global_similarity[:, None, None]
    return scores.argmax(dim=0)
