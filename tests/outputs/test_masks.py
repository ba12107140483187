from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.outputs import palette, write_mask


def test_pixel_values_are_labels_and_the_palette_is_for_looking(tmp_path: Path) -> None:
    labels = np.arange(256, dtype=np.int32).reshape(8, 32)
    write_mask(tmp_path / "mask.png", labels, palette())
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)
        assert np.array_equal(np.asarray(image.convert("RGB")).reshape(-1, 3), palette())


def test_a_short_palette_is_enough_for_few_labels(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2]], dtype=np.uint8)
    write_mask(tmp_path / "mask.png", labels, palette(3))
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image), labels)
        assert np.array_equal(np.asarray(image.convert("RGB"))[0], palette(3))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[0, 3]]), "from 0 to 2, one a colour, not from 0 to 3"),
        (np.array([[-1, 0]]), "not from -1 to 0"),
        (np.array([0, 1]), "must be an .H, W. array of integers"),
        (np.zeros((0, 4), dtype=int), "must be an .H, W. array of integers"),
        (np.array([[0.0]]), "must be an .H, W. array of integers, not float64"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_mask(tmp_path / "mask.png", labels, palette(3))
    assert not list(tmp_path.iterdir())


def test_a_format_that_would_change_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.png"):
        write_mask(tmp_path / "mask.jpg", np.zeros((2, 2), dtype=int), palette())


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot write"):
        write_mask(tmp_path / "nowhere" / "mask.png", np.zeros((2, 2), dtype=int), palette())
