"""Superpixels: regions of similar colour, which follow edges better than the feature grid does.

Those of Felzenszwalb's algorithm hang together by sides or corners of their pixels, those of SLIC and the watershed by
sides; SEEDS leaves a few crumbs, and quickshift's regions need not hang together at all. Nothing relies on it: a region
is a set of pixels with one feature, and outlines are drawn around connected pieces of the finished mask.
"""

import math
from collections.abc import Callable
from types import ModuleType

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import UnavailableError
from freeda_svc.parameters import SuperpixelAlgorithm, SuperpixelParameters

NO_SUPERPIXEL = -1

_SEEDS_SMALLEST_SIDE = 16

Image = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]


def cut_superpixels(image: Image, parameters: SuperpixelParameters) -> npt.NDArray[np.int32]:
    """Cut a window into superpixels.

    Args:
        image: (H, W, 3) uint8, RGB, of any size from 1 x 1.
        parameters: the algorithm and its numbers.

    Returns:
        (H, W) int32 labels from 0, without gaps. Where the algorithm is ``none`` every pixel is
        ``NO_SUPERPIXEL``, which means that it is scored by the dense similarity.

    Raises:
        UnavailableError: SEEDS was asked for and OpenCV's contributed modules are not installed.
    """
    if parameters.algorithm == "none":
        return np.full(image.shape[:2], NO_SUPERPIXEL, dtype=np.int32)
    labels = _ALGORITHMS[parameters.algorithm](image, parameters)
    present = np.zeros(int(labels.max()) + 1, dtype=np.bool_)
    present[labels] = True
    if present.all():
        return labels.astype(np.int32, copy=False)
    numbers = present.cumsum(dtype=np.int32) - np.int32(1)
    return numbers[labels].astype(np.int32, copy=False)


def prepare_superpixels(parameters: SuperpixelParameters) -> None:
    """Load and compile what an algorithm needs, so that the first window does not wait for it.

    Raises:
        UnavailableError: as `cut_superpixels` says.
    """
    cut_superpixels(np.zeros((_SEEDS_SMALLEST_SIDE, _SEEDS_SMALLEST_SIDE, 3), dtype=np.uint8), parameters)


def _segments(image: Image, parameters: SuperpixelParameters) -> int:
    """How many regions of the size that is asked for an image has, at least one."""
    pixels: int = image.shape[0] * image.shape[1]
    return max(1, round(pixels / parameters.region_size))


def _felzenszwalb(image: Image, parameters: SuperpixelParameters) -> Labels:
    from freeda_svc.segmentation.felzenszwalb import cut_felzenszwalb  # noqa: PLC0415 - the compiler takes a second

    return cut_felzenszwalb(image, scale=parameters.scale, sigma=parameters.sigma, min_size=parameters.min_size)


def _slic(image: Image, parameters: SuperpixelParameters) -> Labels:
    from skimage.segmentation import slic  # noqa: PLC0415 - scikit-image takes a while to import, and is rarely needed

    labels: Labels = slic(
        image / 255,
        n_segments=_segments(image, parameters),
        compactness=parameters.slic_compactness,
        sigma=parameters.sigma,
        start_label=0,
    )
    return labels


def _watershed(image: Image, parameters: SuperpixelParameters) -> Labels:
    """The watershed of the gradient of the grey image, flooded from seeds on a grid."""
    from skimage.color import rgb2gray  # noqa: PLC0415 - as above
    from skimage.filters import sobel  # noqa: PLC0415 - as above
    from skimage.segmentation import watershed  # noqa: PLC0415 - as above

    labels: Labels = watershed(
        sobel(rgb2gray(image / 255)),
        markers=_segments(image, parameters),
        compactness=parameters.watershed_compactness,
    )
    return labels - 1


def _quickshift(image: Image, parameters: SuperpixelParameters) -> Labels:
    from skimage.segmentation import quickshift  # noqa: PLC0415 - as above

    labels: Labels = quickshift(
        image / 255,
        ratio=parameters.quickshift_ratio,
        kernel_size=parameters.quickshift_kernel_size,
        max_dist=parameters.quickshift_max_distance,
        sigma=parameters.sigma,
    )
    return labels


def _seeds(image: Image, parameters: SuperpixelParameters) -> Labels:
    cv2 = _contributed_opencv()
    height, width = image.shape[:2]
    border = ((0, max(0, _SEEDS_SMALLEST_SIDE - height)), (0, max(0, _SEEDS_SMALLEST_SIDE - width)), (0, 0))
    padded = np.ascontiguousarray(np.pad(image, border, mode="edge"))
    algorithm = cv2.ximgproc.createSuperpixelSEEDS(
        padded.shape[1],
        padded.shape[0],
        3,
        _seeds_segments(_segments(image, parameters), *padded.shape[:2]),
        parameters.seeds_levels,
        parameters.seeds_prior,
        histogram_bins=parameters.seeds_bins,
        double_step=False,
    )
    algorithm.iterate(padded, parameters.seeds_iterations)
    labels: Labels = algorithm.getLabels()[:height, :width]
    return labels


def _seeds_segments(segments: int, height: int, width: int) -> int:
    """The number of segments nearest to one that is asked for with which OpenCV's SEEDS does not crash.

    It needs a grid of at least 2 x 2 blocks, each of which can be halved at least twice; with others it divides by
    zero or reads beyond its arrays, where no exception is raised.
    """
    rows = max(2, math.ceil(2 * height / width))
    fewest = max(10, math.ceil(rows * rows * width / height))
    return min(max(segments, fewest), height * width // 16)


def _contributed_opencv() -> ModuleType:
    try:
        import cv2  # noqa: PLC0415 - optional, and large
    except ImportError as error:
        raise UnavailableError(_NO_SEEDS) from error
    if not hasattr(cv2, "ximgproc"):
        raise UnavailableError(_NO_SEEDS)
    return cv2


_NO_SEEDS = (
    "SEEDS superpixels need OpenCV's contributed modules, which are not installed: "
    "pip install 'freeda-svc[seeds]', or choose another algorithm"
)

_ALGORITHMS: dict[SuperpixelAlgorithm, Callable[[Image, SuperpixelParameters], Labels]] = {
    "felzenszwalb": _felzenszwalb,
    "slic": _slic,
    "watershed": _watershed,
    "seeds": _seeds,
    "quickshift": _quickshift,
}
