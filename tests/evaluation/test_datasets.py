from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED, LabelValues, read_labels

Write = Callable[[Path, object], Path]


def test_an_indexed_image_holds_its_indices_whatever_its_palette(tmp_path: Path, write_labels: Write) -> None:
    path = write_labels(tmp_path / "a.png", [[0, 5, 255]])
    with Image.open(path) as image:
        assert image.mode == "P"
    assert read_labels(path).tolist() == [[0, 5, 255]]


def test_sixteen_bits_are_read_whole(tmp_path: Path, write_labels: Write) -> None:
    assert read_labels(write_labels(tmp_path / "a.png", [[0, 300], [65535, 7]])).tolist() == [[0, 300], [65535, 7]]


def test_a_jpeg_and_a_colour_image_are_no_labels(tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "a.jpg")
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.jpg was compressed by JPEG with losses"):
        read_labels(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="a RGB image; expected an indexed or grey one"):
        read_labels(tmp_path / "a.png")


def test_values_become_classes(tmp_path: Path, write_labels: Write) -> None:
    values = LabelValues({0: IGNORED, 7: 0, 300: 1})
    assert values.read(write_labels(tmp_path / "a.png", [[7, 300, 0]])).tolist() == [[0, 1, IGNORED]]


@pytest.mark.parametrize("value", [1, 12, 500])
def test_a_value_without_meaning_is_named(tmp_path: Path, write_labels: Write, value: int) -> None:
    path = write_labels(tmp_path / "a.png", [[0, value]])
    with pytest.raises(InputError, match=f"a.png hold the value {value}, which is no class of this dataset"):
        LabelValues({0: 0, 11: 1}).read(path)


@pytest.mark.parametrize("classes", [{}, {-1: 0}, {65536: 0}])
def test_values_no_file_can_hold_are_refused(classes: dict[int, int]) -> None:
    with pytest.raises(InputError, match="between 0 and 65535"):
        LabelValues(classes)


def test_classes_keep_the_shape(tmp_path: Path, write_labels: Write) -> None:
    labels = np.arange(12).reshape(3, 4) % 2
    assert np.array_equal(LabelValues({0: 1, 1: 0}).read(write_labels(tmp_path / "a.png", labels)), 1 - labels)
