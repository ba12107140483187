from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED
from freeda_svc.evaluation.layouts import list_cityscapes
from freeda_svc.evaluation.layouts.published import EVALUATED_IDENTIFIERS
from freeda_svc.vocabularies import load_vocabulary

Write = Callable[[Path, object], Path]
NAMES = ("frankfurt/frankfurt_000000_000294", "lindau/lindau_000001_000019")


@pytest.fixture
def make(write_labels: Write, write_photo: Write) -> Callable[..., None]:
    def write(root: Path, values: object, kind: str = "labelIds") -> None:
        for name in NAMES:
            write_photo(root / "leftImg8bit/val" / f"{name}_leftImg8bit.png")
            write_labels(root / "gtFine/val" / f"{name}_gtFine_{kind}.png", values)

    return write


def test_identifiers_become_the_nineteen_classes(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path, [list(range(34))])
    found = list_cityscapes(tmp_path)
    assert [image.name for image in found.images] == list(NAMES)
    classes = found.values.read(found.images[0].labels)[0].tolist()
    names = load_vocabulary("cityscapes19").names
    known = {7: "road", 8: "sidewalk", 11: "building", 17: "pole", 19: "traffic light", 23: "sky", 24: "person"}
    known |= {26: "car", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle"}
    assert {number: names[classes[number]] for number in known} == known
    assert [number for number, label in enumerate(classes) if label != IGNORED] == list(EVALUATED_IDENTIFIERS)
    assert sorted(set(classes)) == [IGNORED, *range(19)]


def test_converted_labels_are_read_where_there_are_no_others(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path, [[0, 18, 255]], "labelTrainIds")
    found = list_cityscapes(tmp_path)
    assert found.values.read(found.images[1].labels).tolist() == [[0, 18, IGNORED]]
    make(tmp_path, [[7, 33, 0]])
    found = list_cityscapes(tmp_path)
    assert found.values.read(found.images[1].labels).tolist() == [[0, 18, IGNORED]]


def test_a_missing_folder_or_file_is_named(tmp_path: Path, make: Callable[..., None]) -> None:
    with pytest.raises(InputError, match=r"not laid out as Cityscapes: expected .*/leftImg8bit/val"):
        list_cityscapes(tmp_path)
    make(tmp_path, [[0]])
    (tmp_path / "gtFine/val" / f"{NAMES[1]}_gtFine_labelIds.png").unlink()
    with pytest.raises(InputError, match=r"not complete: expected .*lindau_000001_000019_gtFine_labelIds\.png"):
        list_cityscapes(tmp_path)
