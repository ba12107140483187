"""Superpixels: connected regions of similar colour, which follow edges better than the feature grid does."""

import numpy as np
import numpy.typing as npt
from skimage.segmentation import felzenszwalb

from freeda_svc.packs.parameters import SuperpixelParameters

NO_SUPERPIXEL = -1


def cut_superpixels(image: npt.NDArray[np.uint8], parameters: SuperpixelParameters) -> npt.NDArray[np.int32]:
    """Cut a window into superpixels.

    Args:
        image: (H, W, 3) uint8, RGB.
        parameters: the algorithm and its numbers.

    Returns:
        (H, W) int32 labels from 0, without gaps. Where the algorithm is ``none`` every pixel is
        ``NO_SUPERPIXEL``, which means that it is scored by the dense similarity.
    """
    if parameters.algorithm == "none":
        return np.full(image.shape[:2], NO_SUPERPIXEL, dtype=np.int32)
    labels = felzenszwalb(image / 255, scale=parameters.scale, sigma=parameters.sigma, min_size=parameters.min_size)
    return np.asarray(labels, dtype=np.int32)
