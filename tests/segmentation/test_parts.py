import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.miniature.scenes import CROWDED, paint_scene
from freeda_svc.packs import Pack
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation.encoding import EncodedWindow
from freeda_svc.segmentation.parts import cut_parts, image_parts, nearest_pixels


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Wide enough for windows that overlap."""
    return np.concatenate([paint_scene((9, number), CROWDED).image for number in range(2)], axis=1)


def window(features: torch.Tensor, superpixels: np.ndarray) -> EncodedWindow:
    return EncodedWindow(features, None, torch.from_numpy(superpixels), 0.0, 0.0)


@pytest.mark.parametrize("algorithm", ["felzenszwalb", "none"])
def test_every_pixel_counts_once_though_windows_overlap(pack: Pack, image: np.ndarray, algorithm: str) -> None:
    given = pack.parameters.segmentation
    parameters = given.replace(superpixels=given.superpixels.replace(algorithm=algorithm))
    windows = list(image_parts(pack, image, parameters))
    assert len(windows) > 2
    assert sum(float(parts.pixels.sum()) for parts in windows) == pytest.approx(64 * 128, rel=1e-4)


def test_each_label_counts_its_own_pixels_and_those_below_zero_are_left_out(pack: Pack, image: np.ndarray) -> None:
    labels = np.full(image.shape[:2], -1, dtype=np.int32)
    labels[:10, :20] = 0
    labels[30:, 100:] = 1
    windows = list(image_parts(pack, image, pack.parameters.segmentation, labels=labels, count=2))
    counted = sum(parts.pixels.sum(dim=0) for parts in windows)
    assert counted.tolist() == pytest.approx([200, 34 * 28], rel=1e-4)
    assert all((parts.pixels.sum(dim=1) > 0).all() for parts in windows)


def test_pixels_without_region_are_seen_as_the_grid_upsampled_to_them() -> None:
    features = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0))
    labels = np.random.default_rng(0).integers(-1, 2, (17, 13)).astype(np.int32)
    nowhere = np.full((17, 13), -1, dtype=np.int32)
    parts = cut_parts(window(features, nowhere), labels, np.ones((17, 13), dtype=np.float32), 2)
    upsampled = functional.interpolate(features[None], size=(17, 13), mode="bilinear", align_corners=True)[0]
    for label in (0, 1):
        expected = upsampled[:, torch.from_numpy(labels == label)].sum(dim=1)
        assert torch.allclose(parts.pixels[:, label] @ parts.features, expected, atol=1e-4)


def test_pixels_of_a_region_are_seen_as_the_mean_under_it() -> None:
    features = torch.zeros(1, 2, 2)
    features[0, :, 1] = 4.0
    superpixels = np.zeros((2, 4), dtype=np.int32)
    superpixels[:, 2:] = 1
    parts = cut_parts(window(features, superpixels), np.zeros((2, 4), np.int32), np.ones((2, 4), np.float32), 1)
    assert parts.features.ravel().tolist() == pytest.approx([0.0, 4.0])
    assert parts.pixels.ravel().tolist() == [4.0, 4.0]


def test_a_map_of_the_same_size_stays_as_it_is_and_others_take_the_pixel_at_each_centre() -> None:
    values = np.arange(12, dtype=np.int32).reshape(3, 4)
    assert (nearest_pixels(values, (3, 4)) == values).all()
    assert (nearest_pixels(values, (6, 8)) == values.repeat(2, axis=0).repeat(2, axis=1)).all()
    assert nearest_pixels(values, (1, 1)).tolist() == [[6]]


def test_windows_are_embedded_only_where_somebody_asks(pack: Pack, image: np.ndarray) -> None:
    given: SegmentationParameters = pack.parameters.segmentation
    assert all(parts.embedding is None for parts in image_parts(pack, image, given))
    assert all(parts.embedding is not None for parts in image_parts(pack, image, given, embed=True))
