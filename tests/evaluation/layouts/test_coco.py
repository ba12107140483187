from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED
from freeda_svc.evaluation.layouts import list_coco_object, list_coco_stuff
from freeda_svc.evaluation.layouts.published import stored_classes
from freeda_svc.vocabularies import load_vocabulary

Write = Callable[[Path, object], Path]
NAMES = ("000000000139", "000000000285")


@pytest.fixture
def make(write_labels: Write, write_photo: Write) -> Callable[..., None]:
    def write(root: Path, values: object, *, images: str, labels: str, suffix: str = "") -> None:
        for name in NAMES:
            write_photo(root / images / f"{name}.jpg")
            write_labels(root / labels / f"{name}{suffix}.png", values)

    return write


def test_the_gaps_of_cocos_identifiers_close() -> None:
    # identifiers as COCO-Stuff's list of labels gives them; maps hold them less one
    known = {
        1: "person",
        11: "fire hydrant",
        13: "stop sign",
        25: "giraffe",
        27: "backpack",
        28: "umbrella",
        31: "handbag",
        44: "bottle",
        46: "wine glass",
        65: "bed",
        67: "dining table",
        70: "toilet",
        72: "tv",
        82: "refrigerator",
        84: "book",
        90: "toothbrush",
        92: "banner",
        112: "door-stuff",
        165: "table",
        171: "wall-brick",
        182: "wood",
    }
    classes, names = stored_classes(), load_vocabulary("coco-stuff171").names
    assert {identifier: names[classes[identifier - 1]] for identifier in known} == known
    assert sorted(classes.values()) == list(range(171))
    assert not {11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90} & set(classes)


@pytest.mark.parametrize("images", ["images/val2017", "val2017"])
@pytest.mark.parametrize("labels", ["annotations/val2017", "stuffthingmaps/val2017"])
def test_published_maps_are_read(tmp_path: Path, make: Callable[..., None], images: str, labels: str) -> None:
    make(tmp_path, [[0, 89, 91, 181, 255]], images=images, labels=labels)
    found = list_coco_stuff(tmp_path)
    assert [image.name for image in found.images] == list(NAMES)
    assert found.values.read(found.images[0].labels).tolist() == [[0, 79, 80, 170, IGNORED]]


def test_converted_maps_are_read_where_there_are_no_others(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path, [[80, 170, 255]], images="images/val2017", labels="annotations/val2017", suffix="_labelTrainIds")
    found = list_coco_stuff(tmp_path)
    assert [image.name for image in found.images] == list(NAMES)
    assert found.values.read(found.images[0].labels).tolist() == [[80, 170, IGNORED]]
    make(tmp_path, [[91, 181, 255]], images="images/val2017", labels="annotations/val2017")
    found = list_coco_stuff(tmp_path)
    assert [image.name for image in found.images] == list(NAMES)
    assert found.values.read(found.images[0].labels).tolist() == [[80, 170, IGNORED]]


@pytest.mark.parametrize(
    ("background", "expected"), [(True, [[1, 80, 0, 0, 0]]), (False, [[0, 79, IGNORED, IGNORED, IGNORED]])]
)
def test_objects_are_the_things_and_all_else_is_background(
    tmp_path: Path, make: Callable[..., None], background: bool, expected: list[list[int]]
) -> None:
    make(tmp_path, [[0, 89, 91, 181, 255]], images="images/val2017", labels="annotations/val2017")
    found = list_coco_object(tmp_path, background=background)
    assert found.values.read(found.images[0].labels).tolist() == expected


@pytest.mark.parametrize(("background", "expected"), [(True, [[0, 1, 80]]), (False, [[IGNORED, 0, 79]])])
def test_converted_objects_begin_with_the_background(
    tmp_path: Path, make: Callable[..., None], background: bool, expected: list[list[int]]
) -> None:
    make(tmp_path, [[0, 1, 80]], images="val2017", labels="annotations/val2017", suffix="_instanceTrainIds")
    found = list_coco_object(tmp_path, background=background)
    assert [image.name for image in found.images] == list(NAMES)
    assert found.values.read(found.images[0].labels).tolist() == expected


def test_a_missing_folder_or_file_is_named(tmp_path: Path, make: Callable[..., None]) -> None:
    with pytest.raises(InputError, match=r"not laid out as COCO-Stuff: expected .*/images/val2017 \(or val2017 there"):
        list_coco_stuff(tmp_path)
    (tmp_path / "val2017").mkdir()
    with pytest.raises(InputError, match=r"not laid out as COCO-Object: expected .*/annotations/val2017"):
        list_coco_object(tmp_path, background=True)
    make(tmp_path, [[0]], images="val2017", labels="annotations/val2017")
    (tmp_path / "val2017" / f"{NAMES[1]}.jpg").unlink()
    with pytest.raises(InputError, match=f"COCO-Stuff is not complete: expected .*{NAMES[1]}.jpg"):
        list_coco_stuff(tmp_path)


def test_a_folder_without_any_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    (tmp_path / "annotations/val2017").mkdir(parents=True)
    with pytest.raises(InputError, match="holds no image of COCO-Stuff; is it unpacked"):
        list_coco_stuff(tmp_path)
