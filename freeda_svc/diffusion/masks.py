"""Attributions to weak masks (section 3.1)."""

import numpy as np
import numpy.typing as npt


def _scale(attribution: npt.NDArray[np.floating]) -> npt.NDArray[np.float64] | None:
    """Scale to 0..1 by the least and the greatest value; None when they are equal or not finite."""
    values = np.asarray(attribution, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        return None
    low, high = values.min(), values.max()
    if low == high:
        return None
    scaled: npt.NDArray[np.float64] = (values - low) / (high - low)
    return scaled


def weak_mask(attribution: npt.NDArray[np.floating], gamma: float) -> npt.NDArray[np.bool_]:
    """Binarize an attribution: scale it to [-1, 1], apply a sigmoid, keep what exceeds the threshold.

    Args:
        attribution: (H, W) floating point, one noun's A(I, w) of eq. 1.
        gamma: threshold after the sigmoid, 0.45 in the paper.

    Returns:
        (H, W) bool, M(I, w); all False when the attribution is constant or not finite, for then it points nowhere.
    """
    scaled = _scale(attribution)
    if scaled is None:
        return np.zeros(np.shape(attribution), dtype=np.bool_)
    mask: npt.NDArray[np.bool_] = 1.0 / (1.0 + np.exp(1.0 - 2.0 * scaled)) > gamma
    return mask


def contrast(attribution: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_]) -> float:
    """Return the contrast of a mask within its attribution.

    Args:
        attribution: (H, W) floating point.
        mask: (H, W) bool.

    Returns:
        Mean attribution under the mask less the mean outside, after scaling to 0..1; between -1 and 1, and 0 when
        the mask or its outside is empty, or the attribution constant or not finite.
    """
    scaled = _scale(attribution)
    if scaled is None or mask.all() or not mask.any():
        return 0.0
    return float(scaled[mask].mean() - scaled[~mask].mean())
