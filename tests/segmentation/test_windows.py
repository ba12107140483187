import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from freeda_svc.parameters import SegmentationParameters, SuperpixelParameters
from freeda_svc.segmentation.windows import (
    Window,
    cut_windows,
    place_windows,
    resize_image,
    scaled_size,
    window_positions,
)


@pytest.mark.parametrize(
    ("length", "positions"),
    [
        (673, (0, 224, 225)),
        (672, (0, 224)),
        (671, (0, 223)),
        (449, (0, 1)),
        (448, (0,)),
        (100, (0,)),
        (1, (0,)),
        (896, (0, 224, 448)),
    ],
)
def test_the_last_window_ends_at_the_border(length: int, positions: tuple[int, ...]) -> None:
    assert window_positions(length, 448, 224) == positions


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    window=st.integers(1, 40),
    data=st.data(),
)
def test_windows_cover_every_pixel_and_are_of_one_size(
    height: int, width: int, window: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window))
    covered = np.zeros((height, width), dtype=int)
    windows = cut_windows(height, width, window=window, stride=stride)
    for part in windows:
        assert 0 <= part.top < part.bottom <= height
        assert 0 <= part.left < part.right <= width
        assert (part.bottom - part.top, part.right - part.left) == (min(window, height), min(window, width))
        covered[part.top : part.bottom, part.left : part.right] += 1
    assert covered.min() >= 1
    assert len(set(windows)) == len(windows)


@pytest.mark.parametrize(
    ("size", "scaled"),
    [
        ((448, 448), (448, 448)),
        ((480, 640), (448, 597)),  # 597.33
        ((640, 480), (597, 448)),
        ((375, 500), (448, 597)),
        ((64, 64), (448, 448)),
        ((333, 500), (448, 673)),  # 672.67
        ((500, 5000), (205, 2048)),  # the long side decides
        ((1, 100_000), (1, 2048)),
    ],
)
def test_the_short_side_decides_unless_the_long_side_is_too_long(
    size: tuple[int, int], scaled: tuple[int, int]
) -> None:
    assert scaled_size(*size, short_side=448, long_side=2048) == scaled


@pytest.mark.parametrize(("height", "width"), [(30, 41), (7, 9), (64, 20), (1, 1)])
def test_an_image_is_resized_bilinearly_without_antialiasing(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    expected = functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None].double(), size=(height, width), mode="bilinear"
    )[0].permute(1, 2, 0)
    resized = resize_image(image, height, width)
    assert resized.dtype == np.uint8
    assert resized.shape == (height, width, 3)
    assert np.abs(resized - expected.numpy()).max() <= 0.5 + 1e-3  # rounded to nearest, up to float32


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    assert np.array_equal(resize_image(image, 8, 9), image)


def test_windows_slide_or_are_the_whole_image() -> None:
    superpixels = SuperpixelParameters(algorithm="none", scale=100.0, sigma=1.0, min_size=20)
    parameters = SegmentationParameters(
        k=350, beta=0.8, short_side=448, long_side=2048, window=448, stride=224, superpixels=superpixels
    )
    assert place_windows(448, 673, parameters) == cut_windows(448, 673, window=448, stride=224)
    assert place_windows(448, 673, parameters.replace(window_way="whole")) == (Window(0, 0, 448, 673),)
