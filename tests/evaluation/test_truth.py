from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from freeda_svc.errors import InputError
from freeda_svc.evaluation import Dataset, LabelledImage, TruePixels, check_dataset
from freeda_svc.evaluation.datasets import IGNORED, LabelValues
from freeda_svc.evaluation.truth import read_truth
from freeda_svc.segmentation import Category

Write = Callable[[Path, object], Path]
LABELS = [[0, 0, 1, 255], [1, 1, 1, 255]]


def make_dataset(tmp_path: Path, orientation: int = 1) -> Dataset:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (4, 2), "teal").save(tmp_path / "a.png", exif=exif)
    image = LabelledImage("a", tmp_path / "a.png", tmp_path / "m.png")
    values = LabelValues({0: 0, 1: 1, 2: 2, 255: IGNORED})
    categories = (Category("sky"), Category("ball"), Category("sea"))
    return Dataset("small", ("sky", "ball", "sea"), categories, background=False, images=(image,), values=values)


def test_true_pixels_are_counted_and_absent_classes_named(tmp_path: Path, write_labels: Write) -> None:
    dataset = make_dataset(tmp_path)
    write_labels(tmp_path / "m.png", LABELS)
    told: list[tuple[int, int]] = []
    found = check_dataset(dataset, dataset.images, on_progress=lambda done, total: told.append((done, total)))
    assert found.classes.tolist() == [2, 4, 0]
    assert found.ignored == 2
    assert told == [(0, 1), (1, 1)]
    assert found.remark(dataset) == (
        "no true pixel of 1 of 3 classes: sea; 2 pixels (25%) have a value that is not counted (255)"
    )
    assert TruePixels(np.array([1, 1, 0]), 0).remark(dataset) == "no true pixel of 1 of 3 classes: sea"
    assert not TruePixels(np.array([1, 1, 1]), 9).remark(dataset)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_labels_of_stored_pixels_are_turned_with_them(tmp_path: Path, write_labels: Write, orientation: int) -> None:
    dataset = make_dataset(tmp_path, orientation)
    write_labels(tmp_path / "m.png", LABELS)
    with pytest.raises(InputError, match=rf"a\.png has the EXIF orientation {orientation}, .* the label map .*m\.png"):
        check_dataset(dataset, dataset.images)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.array(LABELS, dtype=np.uint8)).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    expected[expected == 255] = IGNORED
    assert np.array_equal(read_truth(dataset, dataset.images[0], "stored"), expected)
    assert check_dataset(dataset, dataset.images, "stored").classes.tolist() == [2, 4, 0]


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_labels_that_are_turned_as_their_image_need_no_word(tmp_path: Path, kind: str, orientation: int) -> None:
    dataset = make_dataset(tmp_path, orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    labels = Image.fromarray(np.array(LABELS, dtype=np.uint8))
    labels.save(tmp_path / f"m.{kind}", exif=exif)
    image = LabelledImage("a", tmp_path / "a.png", tmp_path / f"m.{kind}")
    expected = np.rot90(np.array(LABELS), k=2 if orientation == 3 else -1).copy()
    expected[expected == 255] = IGNORED
    for drawn_on in (None, "stored", "upright"):
        assert np.array_equal(read_truth(dataset, image, drawn_on), expected)


@pytest.mark.parametrize("orientation", [3, 6])
def test_labels_are_turned_with_a_tiff(tmp_path: Path, write_labels: Write, orientation: int) -> None:
    dataset = make_dataset(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (4, 2), "teal").save(tmp_path / "a.tif", exif=exif)
    image = LabelledImage("a", tmp_path / "a.tif", write_labels(tmp_path / "m.png", LABELS))
    expected = np.rot90(np.array(LABELS), k=2 if orientation == 3 else -1).copy()
    expected[expected == 255] = IGNORED
    assert np.array_equal(read_truth(dataset, image, "stored"), expected)


def test_labels_of_another_size_are_refused(tmp_path: Path, write_labels: Write) -> None:
    dataset = make_dataset(tmp_path)
    write_labels(tmp_path / "m.png", [[0, 1]])
    with pytest.raises(InputError, match=r"a\.png is 4 x 2, but its labels .*m\.png are 2 x 1; expected one label"):
        check_dataset(dataset, dataset.images)
