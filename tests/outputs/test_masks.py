from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.outputs import UNKNOWN_COLOUR, palette, read_labels, write_mask

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)


def test_pixel_values_are_labels_and_the_palette_is_for_looking(tmp_path: Path) -> None:
    labels = np.arange(-1, 255, dtype=np.int32).reshape(8, 32)
    write_mask(tmp_path / "mask.png", labels, palette())
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels % 256)  # unknown, -1, is 255
        shown = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert np.array_equal(shown, np.vstack(([UNKNOWN_COLOUR], palette())))


def test_a_short_palette_is_enough_for_few_labels(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2]], dtype=np.uint8)
    write_mask(tmp_path / "mask.png", labels, palette(3))
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image), labels)
        assert np.array_equal(np.asarray(image.convert("RGB"))[0], palette(3))


def test_more_than_255_categories_take_sixteen_bits(tmp_path: Path) -> None:
    labels = np.array([[0, 255, 256], [-1, 9_999, 1]])
    write_mask(tmp_path / "mask.png", labels, palette(10_000))
    with Image.open(tmp_path / "mask.png") as image:
        assert np.asarray(image).tolist() == [[0, 255, 256], [65535, 9_999, 1]]
    assert np.array_equal(read_labels(tmp_path / "mask.png"), labels)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.sampled_from([1, 2, 255, 256, 65535]).flatmap(lambda n: st.tuples(st.just(n), arrays.arrays(
    np.int32, SHAPES, elements=st.integers(-1, n - 1)))))  # fmt: skip
def test_labels_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, made: tuple[int, np.ndarray]) -> None:
    categories, labels = made
    path = tmp_path_factory.getbasetemp() / "mask.png"
    write_mask(path, labels, np.zeros((categories, 3), dtype=np.uint8))
    assert np.array_equal(read_labels(path), labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[0, 3]]), "to 2, one a colour, not from 0 to 3"),
        (np.array([[-2, 0]]), "not from -2 to 0"),
        (np.array([0, 1]), "must be an .H, W. array of integers"),
        (np.zeros((0, 4), dtype=int), "must be an .H, W. array of integers"),
        (np.array([[0.0]]), "must be an .H, W. array of integers, not float64"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_mask(tmp_path / "mask.png", labels, palette(3))
    assert not list(tmp_path.iterdir())


def test_more_categories_than_sixteen_bits_tell_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at most 65535 categories, not 65536"):
        write_mask(tmp_path / "mask.png", np.zeros((2, 2), dtype=int), np.zeros((65536, 3), dtype=np.uint8))


def test_a_format_that_would_change_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.png"):
        write_mask(tmp_path / "mask.jpg", np.zeros((2, 2), dtype=int), palette())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be written"):
        write_mask(tmp_path / "nowhere" / "mask.png", np.zeros((2, 2), dtype=int), palette())


def test_what_is_no_mask_is_not_read_as_one(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "photo.png")
    with pytest.raises(InputError, match="has colours for pixels"):
        read_labels(tmp_path / "photo.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:20])
    with pytest.raises(InputError, match=r"cut.png cannot be read"):
        read_labels(tmp_path / "cut.png")
