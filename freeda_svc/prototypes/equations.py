"""The equations of prototypes: dense features pooled under a mask (eq. 2), and textual keys (eq. 3)."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from freeda_svc.errors import InputError

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
    covered = weights > _LEAST_WEIGHT  # features without weight may be infinite, and must not enter the mean
    mean = (features[:, covered].to(torch.float32) * weights[covered]).sum(dim=1) / total
    if not bool(mean.isfinite().all()):
        return None
    pooled: npt.NDArray[np.float32] = mean.numpy()
    return pooled


def make_keys(noun_embeddings: torch.Tensor, caption_embedding: torch.Tensor, alpha: float) -> torch.Tensor:
    """Interpolate between the embeddings of a caption's nouns and of the whole caption.

    Args:
        noun_embeddings: (N, Dt) float32, unit length, t-hat(w) for each noun.
        caption_embedding: (Dt,) float32, unit length, c-hat.
        alpha: share of the noun embedding, 0 to 1.

    Returns:
        (N, Dt) float32, k(c, w) for each noun, not normalised.

    Raises:
        InputError: the shapes do not fit together.
    """
    if noun_embeddings.ndim != caption_embedding.ndim + 1 or noun_embeddings.shape[1:] != caption_embedding.shape:
        raise InputError(
            f"noun embeddings of shape (N, Dt) and a caption embedding of shape (Dt,) were expected, "
            f"not {tuple(noun_embeddings.shape)} and {tuple(caption_embedding.shape)}"
        )
    return alpha * noun_embeddings + (1.0 - alpha) * caption_embedding
