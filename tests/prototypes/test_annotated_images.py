import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.prototypes.annotated_images import AnnotationTally, read_annotated_images

ORIENTATION = 0x0112
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


def test_run_lengths_are_read_too(folder: Path) -> None:
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
    del value["annotations"][2]
    with pytest.raises(InputError, match=r"marks nothing that can be used \(1 crowds, 1 empty masks\)"):
        list(read_annotated_images(written(folder, value), folder))


def test_an_image_is_not_needed_where_nothing_in_it_is_asked_for(folder: Path) -> None:
    path = written(folder, content())
    (folder / "b.png").unlink()
    assert len(list(read_annotated_images(path, folder, ["moon"]))) == 1
    with pytest.raises(InputError, match="no such image file"):
        list(read_annotated_images(path, folder))


def test_masks_are_of_the_image_as_it_is_seen(folder: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    with Image.open(folder / "b.png") as image:
        image.save(folder / "b.png", exif=exif)
    with pytest.raises(InputError, match=r"b\.png is 20 x 30 pixels, but was annotated at 30 x 20; .* upright"):
        list(read_annotated_images(written(folder, content()), folder))


@pytest.mark.parametrize(
    "name", ["../outside.png", "below/../../outside.png", "/etc/hostname", "..", "below\\a.png", "a\n.png"]
)
def test_paths_lead_nowhere_else(folder: Path, name: str) -> None:
    value = content()
    value["images"][0]["file_name"] = name
    with pytest.raises(InputError, match=r"images\[0\]: .* is no path inside the folder of images") as caught:
        list(read_annotated_images(written(folder, value), folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "number", "change", "message"),
    [
        ("images", 0, {"id": None}, "images[0]: its id is None"),
        ("images", 0, {"id": True}, "images[0]: its id is True"),
        ("images", 0, {"id": 1.5}, "images[0]: its id is 1.5"),
        ("images", 1, {"id": 7}, "images[1]: there is another image with the id 7"),
        ("images", 1, {"file_name": 3}, "images[1]: its file_name is 3, expected a text"),
        ("images", 1, {"file_name": " "}, "images[1]: its file_name is ' ', expected a text"),
        ("images", 1, {"file_name": "below"}, "below is a folder"),
        ("images", 1, {"file_name": "c" * 3000}, "cannot be looked up: File name too long"),
        ("images", 1, {"height": "20", "width": 30}, "images[1]: its height and width are '20' and 30"),
        ("images", 1, {"height": 20}, "images[1]: its height and width are 20 and None"),
        ("images", 1, {"height": 30, "width": 20}, "below/a.png is 30 x 20 pixels, but was annotated at 20 x 30"),
        ("images", 1, {"caption": 5}, "images[1]: its caption is 5, expected a text"),
        ("images", 1, {"caption": "c" * 1001}, "of the image below/a.png: the caption has 1001 characters"),
        ("categories", 1, {"id": [2]}, "categories[1]: its id is [2]"),
        ("categories", 1, {"id": 1}, "categories[1]: there is another category with the id 1"),
        ("categories", 1, {"name": ""}, "categories[1]: its name is '', expected a text"),
        ("categories", 1, {"name": "_"}, "categories[1]: an exemplar's noun is empty"),
        ("categories", 1, {"name": "x" * 300}, "categories[1]: an exemplar's noun has 300 characters"),
        ("annotations", 1, {"image_id": 8}, "annotations[1]: there is no image with the id 8"),
        ("annotations", 1, {"image_id": "7"}, "annotations[1]: there is no image with the id '7'"),
        ("annotations", 1, {"image_id": None}, "annotations[1]: its image_id is None"),
        ("annotations", 2, {"category_id": 3}, "annotations[2]: there is no category with the id 3"),
        ("annotations", 2, {"category_id": {}}, "annotations[2]: its category_id is {}"),
        ("annotations", 2, {"caption": ["a"]}, "annotations[2]: its caption is ['a'], expected a text"),
        ("annotations", 2, {"segmentation": [[1, 2, 3, 4]]}, "annotations[2]: a polygon of its segmentation is broken"),
        ("annotations", 2, {"segmentation": None}, "annotations[2]: its segmentation is neither"),
        ("annotations", 0, {"segmentation": {"size": [20, 30], "counts": [1]}}, "annotations[0]: the run lengths"),
    ],
)
def test_what_is_broken_is_named(
    folder: Path, section: str, number: int, change: dict[str, object], message: str
) -> None:
    value = content()
    value[section][number].update(change)
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
        ({**content(), "annotations": [3]}, "annotations[0]: expected an object, not int"),
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
    with pytest.raises(InputError, match=r"none\.json cannot be read: No such file"):
        list(read_annotated_images(folder / "none.json", folder))
    path = folder.parent / "latin.json"
    path.write_bytes(json.dumps(content(), ensure_ascii=False).replace("moon", "lün").encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        list(read_annotated_images(path, folder))
