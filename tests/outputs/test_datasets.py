"""Folders of datasets, read as the tools they are for read them."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools.coco import COCO

from freeda_svc.errors import InputError
from freeda_svc.images import voc_colours
from freeda_svc.outputs import FORMATS, write_collections
from freeda_svc.outputs.voc import class_values, label_map
from freeda_svc.parameters import PieceParameters
from tests.outputs.kept_results import make_picture

NAMES = ("sky", "background", "boat\n: \x07", "#tree")
# pycocotools' own binding makes arrays as it was done before NumPy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def scene() -> np.ndarray:
    """Two boats of 12 and 4 pixels in the sky, the larger with a hole of background; the rest is unknown."""
    labels = np.full((10, 16), -1, dtype=np.int32)
    labels[:8] = 0
    labels[1:5, 1:5] = 2
    labels[2:4, 2:4] = 1
    labels[5:7, 10:12] = 2
    return labels


def export(folder: Path, formats: list[str], pieces: PieceParameters | None = None) -> Path:
    pictures = [
        make_picture(folder, scene(), NAMES, stem="a b/x"),
        make_picture(folder, scene()[:, ::-1], NAMES, stem="y", number=2, suffix=".jpg"),
    ]
    written = write_collections(pictures, folder / "out", formats, pieces=pieces)
    assert set(written) == {
        path for path in (folder / "out").rglob("*") if path.is_file() and not path.name.startswith(".")
    }
    return folder / "out"


def test_coco_has_an_annotation_for_each_connected_piece_on_request(tmp_path: Path) -> None:
    out = export(tmp_path, ["coco"], PieceParameters(instances=True, least_area=5, fill_holes=True))
    data_set = COCO(str(out / "coco.json"))
    assert data_set.dataset["info"] == {
        "description": "segmented by freeda",
        "instances": True,
        "least_area": 5,
        "fill_holes": True,
    }
    annotations = data_set.loadAnns(data_set.getAnnIds(imgIds=[1]))
    assert [(entry["category_id"], entry["area"], entry["bbox"]) for entry in annotations] == [
        (1, 128, [0, 0, 16, 8]),
        (3, 16, [1, 1, 4, 4]),
    ]
    boat = np.zeros((10, 16), dtype=np.uint8)
    boat[1:5, 1:5] = 1
    assert np.array_equal(data_set.annToMask(annotations[1]), boat)
    assert len(data_set.loadRes(str(out / "coco.results.json")).anns) == len(data_set.anns) == 4


def test_coco_keeps_small_pieces_and_holes_unless_asked(tmp_path: Path) -> None:
    out = export(tmp_path, ["coco"], PieceParameters(instances=True))
    data_set = COCO(str(out / "coco.json"))
    boats = data_set.loadAnns(data_set.getAnnIds(imgIds=[1], catIds=[3]))
    assert [boat["area"] for boat in boats] == [12, 4]
    together = sum(data_set.annToMask(boat) for boat in boats)
    assert np.array_equal(together, scene() == 2)
    assert {boat["iscrowd"] for boat in boats} == {0}


def test_coco_can_clean_masks_without_taking_them_apart(tmp_path: Path) -> None:
    out = export(tmp_path, ["coco"], PieceParameters(least_area=5))
    data_set = COCO(str(out / "coco.json"))
    [boats] = data_set.loadAnns(data_set.getAnnIds(imgIds=[1], catIds=[3]))
    assert boats["area"] == 12
    assert data_set.dataset["info"]["instances"] is False


def test_pieces_have_scores_of_their_own(tmp_path: Path) -> None:
    scores = np.where(np.arange(16) < 8, 0.25, 0.75).astype(np.float32)[None].repeat(10, axis=0)
    picture = make_picture(tmp_path, scene(), NAMES, scores=scores)
    write_collections([picture], tmp_path, ["coco"], pieces=PieceParameters(instances=True))
    results = json.loads((tmp_path / "coco.results.json").read_text())
    assert [result["score"] for result in results if result["category_id"] == 3] == pytest.approx(
        [0.25, 0.75], abs=1e-4
    )


def read_yolo(root: Path) -> dict[str, list[tuple[int, np.ndarray]]]:
    """As Ultralytics does: every image below ``train``, its labels beside it, a class and corners a line."""
    data = yaml.safe_load((root / "data.yaml").read_text(encoding="utf-8"))
    assert data["names"] == {0: "sky", 1: "background", 2: r"boat\n: \x07", 3: "#tree"}
    assert data["train"] == data["val"] == "images"
    found = {}
    for image in sorted((root / data["train"]).rglob("*.*")):
        lines = Path(str(image).replace("/images/", "/labels/")).with_suffix(".txt").read_text().splitlines()
        rows = [line.split() for line in lines]
        found[image.name] = [(int(row[0]), np.array(row[1:], dtype=float).reshape(-1, 2)) for row in rows]
        assert all(corners.min() >= 0 and corners.max() <= 1 for _, corners in found[image.name])
    return found


def test_yolo_has_a_polygon_a_line(tmp_path: Path) -> None:
    found = read_yolo(export(tmp_path, ["yolo"], PieceParameters(least_area=5, fill_holes=True)) / "yolo")
    assert list(found) == ["a_b_x.png", "y.jpg"]
    (sky, _), (boat, corners) = found["a_b_x.png"]
    assert (sky, boat) == (0, 2)
    assert sorted(map(tuple, (corners * (16, 10)).round(3).tolist())) == [(1, 1), (1, 5), (5, 1), (5, 5)]
    with Image.open(tmp_path / "out/yolo/images/y.jpg") as image:
        assert image.size == (16, 10)
    assert (tmp_path / "out/yolo/images/y.jpg").read_bytes() == (tmp_path / "2.jpg").read_bytes()


def test_yolo_keeps_holes_by_cuts(tmp_path: Path) -> None:
    found = read_yolo(export(tmp_path, ["yolo"]) / "yolo")["y.jpg"]
    x, y = (found[2][1] * (16, 10)).T
    area = (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2
    assert (found[2][0], round(abs(area), 2)) == (2, 12)
    assert (
        (tmp_path / "out/yolo/data.yaml")
        .read_text()
        .startswith("# segmented by freeda: connected pieces of at least 1")
    )


def test_an_image_that_shows_nothing_has_no_lines(tmp_path: Path) -> None:
    picture = make_picture(tmp_path, np.full((4, 4), -1), NAMES)
    write_collections([picture], tmp_path / "out", ["yolo", "voc"])
    assert (tmp_path / "out/yolo/labels/cat.txt").read_text() == ""


def test_voc_folders_are_read_as_voc(tmp_path: Path) -> None:
    root = export(tmp_path, ["voc"], PieceParameters(least_area=5)) / "voc"
    names = (root / "ImageSets/Segmentation/trainval.txt").read_text().splitlines()
    assert names == (root / "ImageSets/Segmentation/train.txt").read_text().splitlines() == ["a_b_x", "y"]
    for name in names:
        with Image.open(root / f"JPEGImages/{name}.jpg") as image:
            assert (image.format, image.size) == ("JPEG", (16, 10))
    with (
        Image.open(root / "SegmentationClass/a_b_x.png") as classes,
        Image.open(root / "SegmentationObject/a_b_x.png") as objects,
    ):
        assert classes.mode == objects.mode == "P"
        assert np.array_equal(np.array(classes.getpalette()).reshape(-1, 3), voc_colours(256))
        values, numbers = np.asarray(classes), np.asarray(objects)
    # sky is 1, background 0, boat 2; what is unknown or left out is void
    expected = np.full((10, 16), 255)
    expected[:8] = 1
    expected[1:5, 1:5] = 2
    expected[2:4, 2:4] = 255  # of background, but too small
    expected[5:7, 10:12] = 255
    assert np.array_equal(values, expected)
    assert np.array_equal(numbers, np.where(expected == 255, 255, expected))
    lines = (root / "labelmap.txt").read_text().splitlines()
    assert lines == [
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        "sky:128,0,0::",
        r"boat\n \x07:0,128,0::",
        "_#tree:128,128,0::",
    ]


def test_voc_paints_small_pieces_over_filled_holes(tmp_path: Path) -> None:
    root = export(tmp_path, ["voc"], PieceParameters(fill_holes=True)) / "voc"
    with (
        Image.open(root / "SegmentationClass/a_b_x.png") as classes,
        Image.open(root / "SegmentationObject/a_b_x.png") as objects,
    ):
        values, numbers = np.asarray(classes), np.asarray(objects)
    assert np.array_equal(values, np.choose(scene() + 1, [255, 1, 0, 2, 3]))
    assert sorted(np.unique(numbers).tolist()) == [0, 1, 2, 3, 255]
    assert np.array_equal(numbers == 0, scene() == 1)


def test_more_objects_than_eight_bits_tell_apart_are_void_from_the_smallest_on(tmp_path: Path) -> None:
    labels = np.full((60, 60), -1)
    labels[::2, ::3] = 0  # 600 pieces of one pixel
    labels[:20, :20] = 0
    write_collections([make_picture(tmp_path, labels, ("sky",))], tmp_path, ["voc"])
    with Image.open(tmp_path / "voc/SegmentationObject/cat.png") as objects:
        numbers = np.asarray(objects)
    assert set(np.unique(numbers).tolist()) == set(range(1, 256))
    assert numbers[5, 5] == 1


def test_classes_get_values_beside_a_background() -> None:
    assert class_values(["a", "Background ", "b"]) == [1, 0, 2]
    assert class_values(["a", "b"]) == [1, 2]
    assert label_map(["a"]).splitlines()[1:] == ["background:0,0,0::", "a:128,0,0::"]
    with pytest.raises(InputError, match="at most 254 classes, not 255"):
        class_values([f"c{number}" for number in range(255)])


@pytest.mark.parametrize("name", ["yolo", "voc", "index"])
def test_files_of_others_are_not_overwritten(tmp_path: Path, name: str) -> None:
    own = {"yolo": "yolo/data.yaml", "voc": "voc/JPEGImages/y.jpg", "index": "index.html"}[name]
    (tmp_path / "out" / own).parent.mkdir(parents=True)
    (tmp_path / "out" / own).write_text("mine")
    with pytest.raises(InputError, match="was not written by freeda"):
        export(tmp_path, [name])
    assert (tmp_path / "out" / own).read_text() == "mine"


def test_images_with_categories_of_their_own_have_an_index_only(tmp_path: Path) -> None:
    pictures = [
        make_picture(tmp_path, np.zeros((4, 4), dtype=int), (name,), stem=name, number=number)
        for number, name in enumerate(("dog", "cat"), start=1)
    ]
    with pytest.raises(InputError, match="leave out coco and yolo"):
        write_collections(pictures, tmp_path / "out", ["coco", "yolo", "index"])
    assert write_collections(pictures, tmp_path / "out", ["index"])
    assert set(FORMATS) >= {"yolo", "voc", "index"}
