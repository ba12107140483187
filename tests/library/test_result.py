import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pycocotools import mask as coco_tools

import freeda_svc
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.outputs import read_labels

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools

CATEGORIES = ["boat|ship", "sky", "grass"]


@pytest.fixture
def result(segmenter: freeda_svc.Segmenter, photo: Path) -> freeda_svc.Result:
    return segmenter.segment(photo, CATEGORIES)


def test_masks_are_where_the_labels_are(result: freeda_svc.Result) -> None:
    assert result.labels.shape == (40, 56)
    assert result.labels.dtype == np.int32
    assert result.categories == tuple(CATEGORIES)
    for index, name in enumerate(CATEGORIES):
        assert np.array_equal(result.mask(name), result.labels == index)
        assert np.array_equal(result.mask(index), result.mask(name))
    assert np.array_equal(result.mask("ship"), result.mask("boat|ship"))
    assert not result.mask(-1).any()


def test_the_label_of_a_pixel_is_the_category_with_the_best_score(result: freeda_svc.Result) -> None:
    scores = np.stack([result.scores(name) for name in CATEGORIES])
    assert scores.dtype == np.float32
    assert np.array_equal(scores.argmax(axis=0), result.labels)
    assert np.allclose(scores.max(axis=0), result.segmentation.pixel_scores, atol=1e-6)


def test_without_superpixels_the_best_score_is_the_label_of_each_pixel(
    segmenter: freeda_svc.Segmenter, photo: Path
) -> None:
    result = segmenter.segment(photo, CATEGORIES, superpixels="none")
    scores = np.stack([result.scores(name) for name in CATEGORIES])
    assert np.array_equal(scores.argmax(axis=0), result.labels)


@pytest.mark.parametrize("category", ["bicycle", 3, -2, None, True, np.zeros(3)])
def test_a_category_that_was_not_asked_for_is_refused(result: freeda_svc.Result, category: object) -> None:
    with pytest.raises(InputError, match=r"there is no category .*; there are boat\|ship, sky, grass"):
        result.mask(category)


def test_the_table_has_plain_values(result: freeda_svc.Result) -> None:
    table = result.table()
    assert json.loads(json.dumps(table)) == table
    assert [row["category"] for row in table] == CATEGORIES
    for row in table:
        assert row["pixels"] == int(result.mask(row["index"]).sum())
        assert row["area"] == pytest.approx(row["pixels"] / result.labels.size)
        assert row["prototypes"] > 0
        assert row["category"] not in row["stand_ins"]
        assert (row["score"] is None) == (row["pixels"] == 0)
    assert "boat" not in table[0]["stand_ins"]


def test_a_word_that_the_bank_does_not_know_names_its_stand_ins(segmenter: freeda_svc.Segmenter, photo: Path) -> None:
    row = segmenter.segment(photo, ["bicycle", "sky"]).table()[0]
    assert row["prototypes"] == 0
    assert row["stand_ins"]


def test_results_are_equal_up_to_rounding(
    segmenter: freeda_svc.Segmenter, photo: Path, result: freeda_svc.Result
) -> None:
    assert (result == segmenter.segment(photo, CATEGORIES)) is True
    assert (result == segmenter.segment(photo, CATEGORIES[::-1])) is False
    assert (result == segmenter.segment(photo, CATEGORIES, beta=0.1)) is False
    assert (result == segmenter.segment(Image.new("RGB", (9, 7)), CATEGORIES)) is False
    assert (result == 3) is False
    assert (result != 3) is True


def test_files_are_those_of_the_service(
    result: freeda_svc.Result, tmp_path: Path, pixels: npt.NDArray[np.uint8]
) -> None:
    written = result.save(tmp_path / "out")
    assert [path.name for path in written] == ["photo.mask.png", "photo.overlay.png", "photo.json"]
    assert np.array_equal(read_labels(written[0]), result.labels)
    assert json.loads(written[2].read_bytes()) == json.loads(json.dumps(result.summary()))
    again = result.save(str(tmp_path / "out"), formats=["coco", "yolo", "scores-npz", "voc", "label-studio", "index"])
    assert {path.relative_to(tmp_path / "out").as_posix() for path in again} >= {
        "coco.json",
        "photo.scores.npz",
        "yolo/images/photo.png",
        "voc/JPEGImages/photo.jpg",
        "index.html",
    }
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "yolo" / "images" / "photo.png")), pixels)
    assert result.save(tmp_path / "out", ["coco", "yolo"])  # the same cell once more


@pytest.mark.parametrize("format_name", ["coco", "yolo", "voc", "label-studio", "index"])
def test_files_for_all_images_of_others_are_not_replaced(
    segmenter: freeda_svc.Segmenter, result: freeda_svc.Result, pixels: npt.NDArray[np.uint8], tmp_path: Path,
    format_name: str,
) -> None:  # fmt: skip
    other = segmenter.segment(pixels, CATEGORIES)
    result.save(tmp_path / "out", [format_name])
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="holds other images; name another folder, or save all results at once"):
        other.save(tmp_path / "out", [format_name])
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    freeda_svc.save_results([result, other], tmp_path / "out", [format_name])


def test_several_results_are_saved_under_names_of_their_own(result: freeda_svc.Result, tmp_path: Path) -> None:
    written = freeda_svc.save_results((one for one in [result, result]), tmp_path, ["mask", "coco"])
    assert [path.name for path in written][:2] == ["photo.mask.png", "photo-2.mask.png"]
    assert len(json.loads((tmp_path / "coco.json").read_bytes())["images"]) == 2


def test_an_image_called_like_a_file_for_all_images_gets_another_stem(
    result: freeda_svc.Result, tmp_path: Path
) -> None:
    named = freeda_svc.Result(result.segmentation, result.image, "coco.png")
    written = named.save(tmp_path, ["summary", "coco"])
    assert [path.name for path in written][:2] == ["coco-2.json", "coco.json"]
    assert "annotations" in json.loads((tmp_path / "coco.json").read_bytes())


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ("mask", "formats are a list of names, .*not the text 'mask'"),
        (["maks"], "there is no format 'maks'"),
        ([], "no format is given"),
        ([3], "one of them is 3"),
        (["evidence"], "the format .evidence. needs evidence: save what Segmenter"),
    ],
)
def test_what_is_no_format_is_refused(result: freeda_svc.Result, tmp_path: Path, formats: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        result.save(tmp_path / "out", formats)
    assert not (tmp_path / "out").exists()


def test_what_is_no_result_and_no_folder_is_refused(result: freeda_svc.Result, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="results of a Segmenter are expected; one of them is the text 'photo'"):
        freeda_svc.save_results(["photo"], tmp_path)
    with pytest.raises(InputError, match="files go to a folder, given by its path, not to None"):
        result.save(None)


def test_annotations_are_the_masks(result: freeda_svc.Result) -> None:
    found = result.to_coco()
    assert found["images"] == [{"id": 1, "file_name": "photo.png", "height": 40, "width": 56}]
    names = {category["id"]: category["name"] for category in found["categories"]}
    assert found["annotations"]
    for annotation in found["annotations"]:
        decoded = coco_tools.decode(annotation["segmentation"])
        assert np.array_equal(decoded, result.mask(names[annotation["category_id"]]))
    assert len(result.to_coco(instances=True)["annotations"]) >= len(found["annotations"])


def test_a_notebook_shows_a_picture_and_a_table(segmenter: freeda_svc.Segmenter, photo: Path) -> None:
    result = segmenter.segment(photo, ["<b>boat</b>", "sky"])
    page = result._repr_html_()
    assert "data:image/png;base64," in page
    assert "&lt;b&gt;boat&lt;/b&gt;" in page
    assert "<b>boat" not in page
    assert result._repr_png_().startswith(b"\x89PNG")
    assert result.overlay().width > 512


def test_the_text_of_a_result_names_its_file_and_categories(result: freeda_svc.Result) -> None:
    text = repr(result)
    assert text.startswith("<Result photo.png, 56 x 40: ")
    assert "%" in text


def test_detections_have_the_masks_and_names_of_the_categories(result: freeda_svc.Result) -> None:
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    detections = result.to_supervision()
    assert isinstance(detections, supervision.Detections)
    for mask, label, box, name in zip(
        detections.mask, detections.class_id, detections.xyxy, detections.data["class_name"], strict=True
    ):
        assert np.array_equal(mask, result.mask(int(label)))
        assert name == CATEGORIES[label]
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max(), rows.max()]
    assert len(result.to_supervision(instances=True)) >= len(detections)


def test_without_supervision_one_line_says_what_to_install(
    result: freeda_svc.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(UnavailableError, match="pip install supervision"):
        result.to_supervision()
