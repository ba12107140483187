from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.evaluation import folder_dataset
from freeda_svc.evaluation.datasets import IGNORED
from freeda_svc.vocabularies import load_vocabulary

Write = Callable[[Path, object], Path]


@pytest.fixture
def places(tmp_path: Path, write_labels: Write, write_photo: Write) -> tuple[Path, Path, str]:
    """Two images with masks, one of them in a subfolder, and a list of three classes."""
    for name, suffix in (("a", "jpg"), ("more/b", "png")):
        write_photo(tmp_path / "images" / f"{name}.{suffix}", (3, 1))
        write_labels(tmp_path / "masks" / f"{name}.png", [[0, 2, 255]])
    (tmp_path / "images" / "notes.txt").write_text("no image")
    (tmp_path / "classes.txt").write_text("cat|kitten\ndog\n\nwet grass\n")
    return tmp_path / "images", tmp_path / "masks", str(tmp_path / "classes.txt")


def test_images_and_masks_go_by_their_names(places: tuple[Path, Path, str]) -> None:
    dataset = folder_dataset(*places)
    assert [image.name for image in dataset.images] == ["a", "more/b"]
    assert dataset.classes == ("cat|kitten", "dog", "wet grass")
    assert [category.texts for category in dataset.categories] == [("cat", "kitten"), ("dog",), ("wet grass",)]
    assert not dataset.background
    assert dataset.values.read(dataset.images[1].labels).tolist() == [[0, 2, IGNORED]]


def test_a_list_of_classes_from_windows_is_read_or_refused_by_its_encoding(places: tuple[Path, Path, str]) -> None:
    Path(places[2]).write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\ngrass\r\n")
    assert folder_dataset(*places).classes == ("cat", "dog", "grass")
    Path(places[2]).write_bytes("cat\ndog\n".encode("utf-16"))
    with pytest.raises(
        InputError, match=r"^the file of classes .*classes\.txt is not UTF-8 text, it looks like UTF-16"
    ):
        folder_dataset(*places)


def test_classes_may_begin_at_one(places: tuple[Path, Path, str], write_labels: Write) -> None:
    dataset = folder_dataset(*places, first=1)
    assert dataset.values.read(dataset.images[0].labels).tolist() == [[IGNORED, 1, IGNORED]]


def test_a_first_class_called_background_is_not_asked_for(places: tuple[Path, Path, str]) -> None:
    Path(places[2]).write_text("Background\ndog\ncat\n")
    dataset = folder_dataset(*places)
    assert dataset.background
    assert dataset.classes == ("Background", "dog", "cat")
    assert [category.name for category in dataset.categories] == ["dog", "cat"]


def test_classes_may_be_those_of_a_vocabulary(places: tuple[Path, Path, str]) -> None:
    assert folder_dataset(places[0], places[1], "voc21").classes == load_vocabulary("voc21").names


def test_unusable_folders_and_class_files_are_refused(
    places: tuple[Path, Path, str], write_photo: Write, tmp_path: Path
) -> None:
    images, masks, classes = places
    with pytest.raises(InputError, match=r"no file of classes nowhere.txt; .* or a vocabulary: voc20"):
        folder_dataset(images, masks, "nowhere.txt")
    with pytest.raises(InputError, match="nothing is no folder; expected one of masks"):
        folder_dataset(images, tmp_path / "nothing", classes)
    with pytest.raises(InputError, match="the ignored value 2 is that of a class: the 3 classes have 0 to 2"):
        folder_dataset(images, masks, classes, ignore=2)
    write_photo(images / "c.jpg")
    with pytest.raises(InputError, match=r"not complete: expected .*/masks/c\.png"):
        folder_dataset(images, masks, classes)
    write_photo(images / "a.png")
    with pytest.raises(InputError, match="holds a 2 times, with different suffixes"):
        folder_dataset(images, masks, classes)
    for text in ("0 cat\n1 dog\n2 grass\n", "id,name\n0,cat\n1,dog\n", "1: cat\n2: dog\n"):
        Path(classes).write_text(text)
        with pytest.raises(InputError, match=r"lines of the file of classes .* begin with numbers, as .*; write the"):
            folder_dataset(images, masks, classes)
    for unusable in ("c" * 3000, "a\0b"):
        with pytest.raises(InputError, match=r"there is no file of classes .*; give one"):
            folder_dataset(images, masks, unusable)
    Path(classes).write_text("\n")
    with pytest.raises(InputError, match="is empty; write one class a line"):
        folder_dataset(images, masks, classes)
