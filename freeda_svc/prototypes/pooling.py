"""Pooling of dense features under a mask, eq. 2."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

_LEAST_WEIGHT = 1e-4  # below any true weight of a mask on a grid; what is left is rounding of the resizing


def pool_prototype(features: torch.Tensor, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32] | None:
    """Average the features under a mask.

    The mask is resized to the feature grid bilinearly with aligned corners and without antialiasing, as the released
    inference code resizes the regions that are later compared with prototypes; its values are the weights.

    Args:
        features: (Dv, h, w) float32, v(I).
        mask: (H, W) bool, M(I, w).

    Returns:
        (Dv,) float32, p(I, w); None when no weight falls on the grid or the mean is not finite.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(mask)).to(torch.float32)
    weights = functional.interpolate(
        pixels[None, None], size=features.shape[-2:], mode="bilinear", align_corners=True, antialias=False
    )[0, 0]
    total = weights.sum()
    if total < _LEAST_WEIGHT:
        return None
    covered = weights > _LEAST_WEIGHT  # a feature that counts for nothing must not spoil the mean by not being finite
    mean = (features[:, covered].to(torch.float32) * weights[covered]).sum(dim=1) / total
    if not bool(mean.isfinite().all()):
        return None
    pooled: npt.NDArray[np.float32] = mean.numpy()
    return pooled
