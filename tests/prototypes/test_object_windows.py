import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.prototypes.object_windows import CONTEXT, ObjectWindow, make_photo, window_around


def box(size: tuple[int, int], corner: tuple[int, int], opposite: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[corner[0] : opposite[0], corner[1] : opposite[1]] = True
    return mask


def test_a_window_is_square_and_around_the_object() -> None:
    assert window_around(box((400, 600), (100, 200), (140, 300))) == ObjectWindow(45, 175, 195, 325)


def test_a_window_at_the_border_is_moved_inside_the_image() -> None:
    assert window_around(box((400, 600), (0, 560), (40, 600))) == ObjectWindow(0, 540, 60, 600)


def test_a_window_around_a_large_object_ends_at_the_image() -> None:
    assert window_around(box((400, 600), (10, 20), (390, 580))) == ObjectWindow(0, 0, 400, 600)
    assert window_around(box((100, 600), (40, 200), (60, 340))) == ObjectWindow(0, 165, 100, 375)


@given(st.data(), st.integers(1, 60), st.integers(1, 60))
@settings(derandomize=True, deadline=None)
def test_every_window_lies_in_the_image_and_holds_the_object(data: st.DataObject, height: int, width: int) -> None:
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    bottom, right = data.draw(st.integers(top + 1, height)), data.draw(st.integers(left + 1, width))
    window = window_around(box((height, width), (top, left), (bottom, right)))
    assert 0 <= window.top <= top < bottom <= window.bottom <= height
    assert 0 <= window.left <= left < right <= window.right <= width
    side = round(CONTEXT * max(bottom - top, right - left))
    assert window.bottom - window.top == min(side, height)
    assert window.right - window.left == min(side, width)


def test_parts_of_a_mask_that_lie_apart_are_all_in_the_window() -> None:
    mask = box((400, 600), (100, 200), (110, 210)) | box((400, 600), (150, 220), (160, 230))
    assert window_around(mask).cut(mask).sum() == mask.sum() == 200


def test_the_backbone_is_shown_the_pixels_themselves_where_they_fit() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    shown = make_photo(pixels, 64)
    assert shown.dtype == torch.float32
    assert np.array_equal((shown * 255).round().to(torch.uint8).permute(1, 2, 0).numpy(), pixels)


def test_what_is_shrunk_keeps_all_of_its_light() -> None:
    pixels = np.zeros((640, 320, 3), dtype=np.uint8)
    pixels[::10, ::10] = 255  # points that sampling without antialiasing would find or lose
    shown = make_photo(pixels, 64)
    assert shown.shape == (3, 64, 64)
    assert float(shown[:, 8:-8, 8:-8].mean()) == pytest.approx(0.01, rel=0.05)


def test_what_is_enlarged_stays_between_black_and_white() -> None:
    shown = make_photo(np.array([[[0, 255, 7]], [[255, 0, 7]]], dtype=np.uint8), 32)
    assert shown.shape == (3, 32, 32)
    assert float(shown.min()) == 0
    assert float(shown.max()) == 1
