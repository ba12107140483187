import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.prototypes.annotated_images import read_annotated_images
from freeda_svc.prototypes.annotations import AnnotationTally

HEIGHT, WIDTH = 20, 30


def square(left: int, top: int, side: int = 5) -> list[list[float]]:
    return [[left, top, left + side, top, left + side, top + side, left, top + side]]


def filled(left: int, top: int, side: int = 5) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def content() -> dict[str, Any]:
    return {
        "info": {"annotations": [{"id": 1}]},
        "images": [
            {"id": 7, "file_name": "b.png", "height": HEIGHT, "width": WIDTH},
            {"id": 5, "file_name": "below/a.png"},
        ],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 2, "segmentation": square(3, 4), "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 1, "segmentation": square(0, 0)},
            {"id": 3, "image_id": 5, "category_id": 2, "segmentation": square(12, 9)},
        ],
        "categories": [{"id": 1, "name": "Excavator_bucket"}, {"id": 2, "name": "moon"}],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    (images / "below").mkdir(parents=True)
    for number, name in enumerate(["b.png", "below/a.png"]):
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / name)
    Image.fromarray(pixels).save(tmp_path / "outside.png")
    return images


def written(folder: Path, value: object) -> Path:
    path = folder.parent / "annotations.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_each_category_of_each_image_becomes_one_marked_image(folder: Path) -> None:
    found = list(read_annotated_images(written(folder, content()), folder))
    assert [(one.noun, one.image, one.caption) for one in found] == [
        ("excavator bucket", folder / "b.png", "a photo of the excavator bucket"),
        ("moon", folder / "below/a.png", "a photo of the moon"),
    ]
    assert np.array_equal(found[0].mask, filled(0, 0))
    assert np.array_equal(found[1].mask, filled(3, 4) | filled(12, 9))
    assert found[0].exemplar().noun == "excavator bucket"


def test_categories_can_come_first_and_the_file_can_be_compressed(folder: Path) -> None:
    value = content()
    turned = dict(reversed(value.items()))
    path = folder.parent / "annotations.json.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(turned).encode()))
    assert [one.noun for one in read_annotated_images(path, folder)] == ["excavator bucket", "moon"]


def test_annotations_as_run_lengths_are_read(folder: Path) -> None:
    value = content()
    value["annotations"][1]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": [40, 20, HEIGHT * WIDTH - 60]}
    del value["annotations"][2]
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    expected[:, 2] = True
    value["annotations"][0]["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": "X1d0l`0"}  # 40, 20, 540
    first, second = read_annotated_images(written(folder, value), folder)
    assert np.array_equal(first.mask, expected)
    assert np.array_equal(second.mask, expected)


def test_categories_can_be_chosen_by_name(folder: Path) -> None:
    path = written(folder, content())
    assert [one.noun for one in read_annotated_images(path, folder, ["excavator  Bucket"])] == ["excavator bucket"]
    assert [one.noun for one in read_annotated_images(path, folder, ["moon", "Moon"])] == ["moon"]
    with pytest.raises(InputError, match="has no category 'sun'; its categories are excavator bucket, moon"):
        list(read_annotated_images(path, folder, ["moon", "sun"]))


def test_categories_of_one_name_are_one_noun(folder: Path) -> None:
    value = content()
    value["categories"].append({"id": "3", "name": "MOON"})
    value["annotations"][2]["category_id"] = "3"
    _, moon = read_annotated_images(written(folder, value), folder)
    assert np.array_equal(moon.mask, filled(3, 4) | filled(12, 9))


def test_captions_come_from_annotations_or_images(folder: Path) -> None:
    value = content()
    value["images"][1]["caption"] = "of the image"
    value["annotations"] += [{"id": 9, "image_id": image, "caption": f"row of {image}"} for image in (5, 7, 7, 8)]
    captions = [one.caption for one in read_annotated_images(written(folder, value), folder)]
    assert captions == ["row of 7", "of the image"]
    value["annotations"][2]["caption"] = "its own"
    captions = [one.caption for one in read_annotated_images(written(folder, value), folder)]
    assert captions == ["row of 7", "its own"]


def test_crowds_and_empty_masks_are_left_out_and_counted(folder: Path) -> None:
    value = content()
    value["annotations"][0]["iscrowd"] = 1
    value["annotations"][1]["segmentation"] = [[1, 1, 2, 1, 2, 1.1]]
    tally = AnnotationTally()
    [found] = read_annotated_images(written(folder, value), folder, tally=tally)
    assert np.array_equal(found.mask, filled(12, 9))
    assert tally.left_out == {"crowds": 1, "empty masks": 1}
    assert tally.lines() == [
        "1 crowds, annotations[0] (annotation tools export every brush mask as a crowd; --take-crowds takes them)",
        "1 empty masks, excavator bucket in b.png",
    ]
    del value["annotations"][2]
    with pytest.raises(InputError, match=r"marks nothing that can be used: 1 crowds, .*; 1 empty masks, "):
        list(read_annotated_images(written(folder, value), folder))


@pytest.mark.parametrize("mark", [1, True, "1", 1.0])
def test_crowds_are_taken_when_asked_for(folder: Path, mark: object) -> None:
    value = content()
    runs = {"size": [HEIGHT, WIDTH], "counts": [40, 20, HEIGHT * WIDTH - 60]}
    for row in value["annotations"]:
        row.update(iscrowd=mark, segmentation=runs)
    tally = AnnotationTally()
    found = list(read_annotated_images(written(folder, value), folder, tally=tally, take_crowds=True))
    assert [one.mask.sum() for one in found] == [20, 20]
    assert tally.left_out == {}
    with pytest.raises(InputError, match=r"marks nothing that can be used: 3 crowds, the first: .*--take-crowds"):
        list(read_annotated_images(written(folder, value), folder))


@pytest.mark.parametrize("mark", [0, False, "0", "false", None, 0.0, ""])
def test_annotations_that_are_not_crowds_are_read_however_that_is_written(folder: Path, mark: object) -> None:
    value = content()
    value["annotations"][1]["iscrowd"] = mark
    assert len(list(read_annotated_images(written(folder, value), folder))) == 2


@pytest.mark.parametrize(
    ("change", "reason", "which"),
    [
        ({"segmentation": []}, "annotations without a usable mask", "annotations[1]: it has no segmentation"),
        ({"segmentation": None}, "annotations without a usable mask", "annotations[1]: it has no segmentation"),
        ({"segmentation": [[1, 1, 5, 5]]}, "annotations without a usable mask", "annotations[1]: no polygon of its"),
        ({"segmentation": "x"}, "annotations without a usable mask", "annotations[1]: its segmentation is neither"),
        (
            {"segmentation": [[1, 1, 5, 1, float("nan"), 5]]},
            "annotations without a usable mask",
            "annotations[1]: a polygon of its segmentation is broken",
        ),
        (
            {"segmentation": {"size": [HEIGHT, WIDTH], "counts": [1]}},
            "annotations without a usable mask",
            "annotations[1]: the run lengths",
        ),
        ({"image_id": 8}, "annotations of images that are not listed", "annotations[1]: its image_id is 8"),
        ({"image_id": "007"}, "annotations of images that are not listed", "annotations[1]: its image_id is '007'"),
        ({"category_id": 3}, "annotations of categories that are not listed", "annotations[1]: its category_id is 3"),
        ({"image_id": None}, "rows that cannot be read", "annotations[1]: its image_id is None"),
        ({"image_id": 1.5}, "rows that cannot be read", "annotations[1]: its image_id is 1.5"),
        ({"category_id": {}}, "rows that cannot be read", "annotations[1]: its category_id is {}"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_counted_and_named(
    folder: Path, change: dict[str, object], reason: str, which: str
) -> None:
    value = content()
    value["annotations"][1].update(change)
    tally = AnnotationTally()
    [found] = read_annotated_images(written(folder, value), folder, tally=tally)
    assert np.array_equal(found.mask, filled(3, 4) | filled(12, 9))
    assert tally.left_out == {reason: 1}
    assert tally.lines()[0].startswith(f"1 {reason}, {which}")


def test_a_box_alone_is_left_out(folder: Path) -> None:
    value = content()
    del value["annotations"][1]["segmentation"]
    tally = AnnotationTally()
    assert len(list(read_annotated_images(written(folder, value), folder, tally=tally))) == 1
    assert "boxes are not enough" in tally.lines()[0]


def test_a_stray_point_costs_only_itself(folder: Path) -> None:
    value = content()
    value["annotations"][1]["segmentation"].append([12.0, 4.0])
    tally = AnnotationTally()
    first, _ = read_annotated_images(written(folder, value), folder, tally=tally)
    assert np.array_equal(first.mask, filled(0, 0))
    assert tally.left_out == {"polygons of less than three corners": 1}


@pytest.mark.parametrize("other", [float, str, lambda number: float(number) if number > 2 else str(number)])
def test_ids_and_sizes_are_read_however_they_are_written(folder: Path, other: Callable[[int], object]) -> None:
    value = content()
    expected = [one.noun for one in read_annotated_images(written(folder, value), folder)]
    for row in (*value["annotations"], *value["images"], *value["categories"]):
        row.update({key: other(row[key]) for key in ("id", "image_id", "category_id", "height", "width") if key in row})
    value["annotations"][0]["image_id"] = 5
    tally = AnnotationTally()
    assert [one.noun for one in read_annotated_images(written(folder, value), folder, tally=tally)] == expected
    assert tally.left_out == {}


def test_numbers_that_nobody_uses_may_be_anything(folder: Path) -> None:
    value = content()
    value["annotations"][0].update(score=float("nan"), area=float("inf"), id=10**30)
    value["images"][0].update(hash=-(10**40), height=float("nan"), width=None)
    assert len(list(read_annotated_images(written(folder, value), folder))) == 2
    value["images"][0]["id"] = value["annotations"][1]["image_id"] = 2**64 + 1
    value["images"][1]["id"] = value["annotations"][0]["image_id"] = value["annotations"][2]["image_id"] = 2**64
    found = read_annotated_images(written(folder, value), folder)
    assert [one.image.name for one in found] == ["b.png", "a.png"]  # told apart, which floats would not be


def test_an_address_of_coco_ends_with_the_file_name(folder: Path) -> None:
    value = content()
    del value["images"][0]["file_name"]
    value["images"][0]["coco_url"] = "http://images.example.org/val2017/b.png"
    assert [one.image.name for one in read_annotated_images(written(folder, value), folder)] == ["b.png", "a.png"]


def test_more_than_fits_into_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freeda_svc.prototypes.annotations.MOST_MARKED", 50)
    with pytest.raises(InputError, match=r"annotations\.json marks more than fits into memory; divide it"):
        list(read_annotated_images(written(folder, content()), folder))


def test_a_size_of_zero_says_nothing(folder: Path) -> None:
    value = content()
    value["images"][0].update(height=0, width=0)
    assert len(list(read_annotated_images(written(folder, value), folder))) == 2


def test_an_entry_that_stands_twice_is_one_and_one_of_two_meanings_none(folder: Path) -> None:
    value = content()
    value["images"].append(dict(value["images"][0]))
    value["categories"].append(dict(value["categories"][0]))
    tally = AnnotationTally()
    assert len(list(read_annotated_images(written(folder, value), folder, tally=tally))) == 2
    assert tally.left_out == {}
    value["images"][-1]["file_name"] = "c.png"
    [found] = read_annotated_images(written(folder, value), folder, tally=tally)
    assert found.noun == "moon"
    assert tally.left_out == {
        "entries whose id another one has": 1,
        "annotations of images that are not listed": 1,
    }


def test_an_image_is_not_needed_where_nothing_in_it_is_asked_for(folder: Path) -> None:
    path = written(folder, content())
    (folder / "b.png").unlink()
    assert len(list(read_annotated_images(path, folder, ["moon"]))) == 1
    with pytest.raises(InputError, match="no such image file"):
        list(read_annotated_images(path, folder))


@pytest.mark.parametrize(
    "name", ["../outside.png", "below/../../outside.png", "/etc/hostname", "..", "below\\a.png", "a\n.png"]
)
def test_images_outside_of_the_folder_are_left_out(folder: Path, name: str) -> None:
    value = content()
    value["images"][0]["file_name"] = name
    tally = AnnotationTally()
    [found] = read_annotated_images(written(folder, value), folder, tally=tally)
    assert found.image == folder / "below/a.png"
    assert re.match(r"1 rows .* images\[0\]: .* is no path inside the folder of images", tally.lines()[0])
    assert "\n" not in "".join(tally.lines())


@pytest.mark.parametrize(
    ("section", "change", "which"),
    [
        ("images", {"id": None}, "images[0]: its id is None"),
        ("images", {"id": True}, "images[0]: its id is True"),
        ("images", {"id": 1.5}, "images[0]: its id is 1.5"),
        ("images", {"file_name": 3}, "images[0]: its file_name is 3, expected a text"),
        ("images", {"file_name": " "}, "images[0]: its file_name is ' ', expected a text"),
        ("images", {"height": "a", "width": 30}, "images[0]: its height and width are 'a' and 30, expected whole"),
        ("images", {"height": 20, "width": None}, "images[0]: its height and width are 20 and None"),
        ("images", {"height": -20, "width": -30}, "images[0]: its height and width are -20 and -30"),
        ("categories", {"id": [2]}, "categories[0]: its id is [2]"),
        ("categories", {"name": ""}, "categories[0]: its name is '', expected a text"),
        ("categories", {"name": "_"}, "categories[0]: an exemplar's noun is empty"),
        ("categories", {"name": "x" * 300}, "categories[0]: an exemplar's noun has 300 characters"),
    ],
)
def test_an_entry_that_cannot_be_read_is_left_out_with_what_refers_to_it(
    folder: Path, section: str, change: dict[str, object], which: str
) -> None:
    value = content()
    value[section][0].update(change)
    tally = AnnotationTally()
    [found] = read_annotated_images(written(folder, value), folder, tally=tally)
    assert found.noun == "moon"
    assert tally.left_out == {"rows that cannot be read": 1, f"annotations of {section} that are not listed": 1}
    assert tally.lines()[0].startswith(f"1 rows that cannot be read, {which}")


@pytest.mark.parametrize(
    ("section", "change", "which"),
    [
        ("images", {"caption": 5}, "images[0]: its caption is 5, expected a text"),
        ("images", {"caption": "c" * 1001}, "of the image b.png: the caption has 1001 characters"),
        ("annotations", {"image_id": 7, "category_id": 1, "caption": ["a"]}, "annotations[0]: its caption is ['a']"),
    ],
)
def test_a_caption_that_cannot_be_used_costs_only_itself(
    folder: Path, section: str, change: dict[str, object], which: str
) -> None:
    value = content()
    value[section][0].update(change)
    tally = AnnotationTally()
    first, _ = read_annotated_images(written(folder, value), folder, tally=tally)
    assert first.caption == "a photo of the excavator bucket"
    assert tally.left_out == {"captions that cannot be used": 1}
    assert tally.lines() == [tally.lines()[0]]
    assert tally.lines()[0].startswith(f"1 captions that cannot be used, {which}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file_name": "below"}, "below is a folder"),
        ({"file_name": "c" * 3000}, "cannot be looked up: File name too long"),
        ({"height": 30, "width": 20}, "below/a.png is 30 x 20 pixels, but was annotated at 20 x 30"),
    ],
)
def test_an_image_that_cannot_be_had_is_named(folder: Path, change: dict[str, object], message: str) -> None:
    value = content()
    value["images"][1].update(change)
    with pytest.raises(InputError) as caught:
        list(read_annotated_images(written(folder, value), folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "not valid JSON, perhaps cut off"),
        (json.dumps(content())[:-40], "not valid JSON, perhaps cut off"),
        ("[" * 1000, "not valid JSON, perhaps cut off"),
        ([], "has no images; expected COCO annotations"),
        ({**content(), "images": []}, "has no images; expected COCO annotations"),
        ({**content(), "categories": {}}, "has no categories; expected COCO annotations"),
        ({**content(), "annotations": None}, "has no annotations; expected COCO annotations"),
        ({**content(), "annotations": [3]}, "1 rows that cannot be read, annotations[0]: expected an object, not int"),
        ({**content(), "annotations": [{"image_id": 5, "bbox": [1, 1, 2, 2]}]}, "boxes are not enough"),
        ({**content(), "annotations": [{"image_id": 5, "caption": "a moon"}]}, "marks nothing that can be used"),
    ],
)
def test_other_files_are_refused(folder: Path, value: object, message: str) -> None:
    path = written(folder, value)
    with pytest.raises(InputError) as caught:
        list(read_annotated_images(path, folder))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_and_folders_that_are_not_there_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match="there is no folder of images"):
        list(read_annotated_images(written(folder, content()), folder / "none"))
    with pytest.raises(InputError, match=r"no such file: .*none\.json"):
        list(read_annotated_images(folder / "none.json", folder))
    path = folder.parent / "latin.json"
    path.write_bytes(json.dumps(content(), ensure_ascii=False).replace("moon", "lün").encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        list(read_annotated_images(path, folder))
