import numpy as np
import pytest

from freeda_svc.packs.parameters import SuperpixelParameters
from freeda_svc.segmentation.superpixels import NO_SUPERPIXEL, cut_superpixels

PARAMETERS = SuperpixelParameters("felzenszwalb", scale=100.0, sigma=0.5, min_size=5)


def two_colours() -> np.ndarray:
    image = np.zeros((24, 32, 3), dtype=np.uint8)
    image[:, :16] = (200, 30, 30)
    image[:, 16:] = (30, 30, 200)
    return image


def test_colours_are_told_apart() -> None:
    labels = cut_superpixels(two_colours(), PARAMETERS)
    assert labels.dtype == np.int32
    assert labels.shape == (24, 32)
    assert set(labels[:, :14].ravel()).isdisjoint(labels[:, 18:].ravel())
    assert set(labels.ravel()) == set(range(labels.max() + 1))


def test_min_size_is_obeyed() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    many = cut_superpixels(image, SuperpixelParameters("felzenszwalb", scale=1.0, sigma=0.0, min_size=1))
    few = cut_superpixels(image, SuperpixelParameters("felzenszwalb", scale=1.0, sigma=0.0, min_size=50))
    assert np.bincount(few.ravel()).min() >= 50
    assert many.max() > few.max()


def test_none_puts_no_pixel_in_a_region() -> None:
    labels = cut_superpixels(two_colours(), SuperpixelParameters("none", scale=100.0, sigma=0.5, min_size=5))
    assert labels.dtype == np.int32
    assert (labels == NO_SUPERPIXEL).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_narrow_windows_are_cut_too(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert cut_superpixels(image, PARAMETERS).shape == shape
