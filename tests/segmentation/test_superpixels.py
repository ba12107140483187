import sys
from typing import get_args

import numpy as np
import pytest
from skimage.measure import label as connected

from freeda_svc.errors import UnavailableError
from freeda_svc.miniature.scenes import CROWDED, paint_scene
from freeda_svc.parameters import SuperpixelAlgorithm, SuperpixelParameters
from freeda_svc.segmentation.superpixels import NO_SUPERPIXEL, cut_superpixels

PARAMETERS = SuperpixelParameters(algorithm="felzenszwalb", scale=100.0, sigma=0.5, min_size=5, region_size=40)
CUTTING = tuple(algorithm for algorithm in get_args(SuperpixelAlgorithm) if algorithm != "none")

pytestmark = pytest.mark.parametrize("algorithm", CUTTING)


def parameters(algorithm: str, **changes: object) -> SuperpixelParameters:
    return PARAMETERS.replace(algorithm=algorithm, **changes)


def borders(labels: np.ndarray) -> np.ndarray:
    """Where a pixel and its right or lower neighbour are in two regions."""
    return (labels[:-1, :-1] != labels[1:, :-1]) | (labels[:-1, :-1] != labels[:-1, 1:])


def two_colours() -> np.ndarray:
    image = np.zeros((24, 32, 3), dtype=np.uint8)
    image[:, :16] = (200, 30, 30)
    image[:, 16:] = (30, 30, 200)
    return image


def test_colours_are_distinguished(algorithm: str) -> None:
    labels = cut_superpixels(two_colours(), parameters(algorithm))
    assert labels.dtype == np.int32
    assert labels.shape == (24, 32)
    assert set(labels[:, :14].ravel()).isdisjoint(labels[:, 18:].ravel())


def test_labels_have_no_gaps_and_do_not_change(algorithm: str) -> None:
    image = np.asarray(paint_scene((7, 1), CROWDED).image)
    labels = cut_superpixels(image, parameters(algorithm))
    assert set(labels.ravel()) == set(range(labels.max() + 1))
    assert labels.max() > 3
    assert np.array_equal(cut_superpixels(image, parameters(algorithm)), labels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (1, 50), (50, 1), (2, 3), (3, 200), (17, 300), (16, 16)])
def test_windows_of_any_shape_are_cut_into_superpixels(algorithm: str, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for image in (noise, np.full((*shape, 3), 77, dtype=np.uint8)):
        for size in (1, 40, 10**6):
            labels = cut_superpixels(image, parameters(algorithm, region_size=size))
            assert labels.shape == shape
            assert set(labels.ravel()) == set(range(labels.max() + 1))


def test_larger_superpixel_parameters_give_fewer_regions(algorithm: str) -> None:
    image = np.asarray(paint_scene((7, 1), CROWDED).image)
    fewer = {
        "felzenszwalb": {"min_size": 100},
        "quickshift": {"quickshift_max_distance": 40.0, "quickshift_kernel_size": 6.0},
    }.get(algorithm, {"region_size": 256})
    many, few = (cut_superpixels(image, parameters(algorithm, **changes)) for changes in ({}, fewer))
    assert few.max() < many.max() / 2
    if algorithm == "felzenszwalb":
        assert np.bincount(few.ravel()).min() >= 100
    elif algorithm != "quickshift":
        assert 256 / 3 < image.shape[0] * image.shape[1] / (few.max() + 1) < 256 * 3


def test_regions_are_connected_as_far_as_is_documented(algorithm: str) -> None:
    image = np.asarray(paint_scene((7, 1), CROWDED).image)
    labels = cut_superpixels(image, parameters(algorithm))
    regions = labels.max() + 1
    by_sides, by_corners = (connected(labels + 1, connectivity=reach).max() for reach in (1, 2))
    if algorithm in {"slic", "watershed"}:
        assert by_sides == regions
    elif algorithm == "felzenszwalb":
        assert by_corners == regions < by_sides
    elif algorithm == "seeds":
        assert by_corners <= 1.1 * regions  # a few crumbs
    else:
        assert by_corners > 1.1 * regions


def test_one_white_pixel_moves_no_distant_boundary_except_of_slic(algorithm: str) -> None:
    """SLIC of scikit-image stretches the contrast of the whole window (decision 19)."""
    image = np.asarray(paint_scene((7, 1), CROWDED).image) // 2
    image[-1, -1] = image[0, 0]
    spotted = image.copy()
    spotted[-1, -1] = 255
    plain, changed = (cut_superpixels(given, parameters(algorithm)) for given in (image, spotted))
    moved = (borders(plain) != borders(changed))[:32, :32].mean()
    assert (moved > 0.02) == (algorithm == "slic")


def test_none_puts_no_pixel_in_a_region(algorithm: str) -> None:
    labels = cut_superpixels(two_colours(), parameters("none"))
    assert labels.dtype == np.int32
    assert (labels == NO_SUPERPIXEL).all()


def test_only_seeds_needs_opencv(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    if algorithm != "seeds":
        cut_superpixels(two_colours(), parameters(algorithm))
        return
    with pytest.raises(UnavailableError, match=r"pip install 'freeda-svc\[seeds\]'") as caught:
        cut_superpixels(two_colours(), parameters(algorithm))
    assert "\n" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "cv2", type(sys)("cv2"))  # OpenCV without its contributed modules
    with pytest.raises(UnavailableError, match="contributed modules"):
        cut_superpixels(two_colours(), parameters(algorithm))
