import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

import freeda_svc
from freeda_svc.errors import InputError

Pixels = npt.NDArray[np.uint8]
CATEGORIES = ["boat|ship", "sky", "grass"]


@pytest.fixture
def result(segmenter: freeda_svc.Segmenter, pixels: Pixels) -> freeda_svc.Result:
    return segmenter.segment(pixels, CATEGORIES)


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "Pillow", "tensor", "RGBA", "file of Pillow"])
def test_an_image_is_the_same_however_it_comes(
    segmenter: freeda_svc.Segmenter, result: freeda_svc.Result, pixels: Pixels, photo: Path, kind: str
) -> None:
    makers: dict[str, Callable[[], object]] = {
        "path": lambda: photo,
        "text": lambda: str(photo),
        "bytes": photo.read_bytes,
        "Pillow": lambda: Image.fromarray(pixels),
        "tensor": lambda: torch.from_numpy(pixels),
        "RGBA": lambda: np.dstack([pixels, np.full(pixels.shape[:2], 255, dtype=np.uint8)]),
        "file of Pillow": lambda: Image.open(photo),
    }
    found = segmenter.segment(makers[kind](), CATEGORIES)
    assert found == result
    assert found.name == ("photo.png" if kind in {"path", "text", "file of Pillow"} else "image")
    assert np.array_equal(found.image, pixels)


def test_grey_and_palette_images_are_taken(segmenter: freeda_svc.Segmenter, pixels: Pixels) -> None:
    grey = segmenter.segment(pixels[:, :, 0], CATEGORIES)
    assert grey == segmenter.segment(Image.fromarray(pixels[:, :, 0]), CATEGORIES)
    palette = Image.fromarray(pixels).quantize(16)
    assert segmenter.segment(palette, CATEGORIES) == segmenter.segment(palette.convert("RGB"), CATEGORIES)


def test_the_orientation_of_a_file_holds_for_pillow_images_and_bytes_too(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    Image.fromarray(pixels).save(path, exif=exif)
    turned = segmenter.segment(path, CATEGORIES)
    assert turned.labels.shape == (56, 40)
    assert np.array_equal(turned.image, np.rot90(pixels, 3))
    with Image.open(path) as opened:
        assert segmenter.segment(opened, CATEGORIES) == turned
    assert segmenter.segment(path.read_bytes(), CATEGORIES) == turned


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "expected an image.*not None"),
        ([np.zeros((4, 4, 3), dtype=np.uint8)], "not a list of length 1; segment_many takes several images"),
        (b"GIF", "the image given as bytes is not an image in a known format"),
        (np.zeros((4, 4, 3)), "not float64 \\(4, 4, 3\\); convert values from 0 to 1"),
        (np.zeros((3, 4, 5), dtype=np.uint8), "its channels come first"),
        (torch.zeros(3, 4, 5, dtype=torch.uint8), "its channels come first"),
        (torch.zeros(4, 4, 3, dtype=torch.bfloat16), "convert values from 0 to 1"),
        ({"image": 1}, "not a dict of length 1"),
        ("missing.jpg", "no such image file: missing.jpg"),
        (Path(__file__).parent, "expected an image, not the folder .*; segment_many takes several images"),
    ],
)
def test_what_is_no_image_gets_one_sentence(segmenter: freeda_svc.Segmenter, image: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        segmenter.segment(image, CATEGORIES)
    assert "\n" not in str(raised.value)
    assert "/tmp/freeda-" not in str(raised.value)


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ("boat, sky", 'categories are a list of texts.*not the text \'boat, sky\'; write \\["boat", "sky"\\]'),
        (None, "not None"),
        ({"boat": 1}, "whose order gives the labels, not dict of length 1"),
        ({"boat"}, "whose order gives the labels, not set of length 1"),
        (["boat", None], "one of them is None"),
        ([], "no categories given"),
        (["boat", "Boat"], "given twice"),
    ],
)
def test_what_is_no_list_of_categories_gets_one_sentence(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, categories: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        segmenter.segment(pixels, categories)


def test_categories_may_be_any_sequence_and_have_texts_apart(segmenter: freeda_svc.Segmenter, pixels: Pixels) -> None:
    texts = segmenter.segment(pixels, np.array(["sky", "grass"]))
    assert texts == segmenter.segment(pixels, (name for name in ("sky", "grass")))
    named = segmenter.segment(pixels, [freeda_svc.Category("above", text="sky"), "grass"])
    assert named.categories == ("above", "grass")
    assert np.array_equal(named.labels, texts.labels)


def test_parameters_change_a_result_and_are_those_of_the_pack_otherwise(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, result: freeda_svc.Result
) -> None:
    assert result.segmentation.parameters == segmenter.parameters
    changed = segmenter.segment(pixels, CATEGORIES, beta=1.0, unknown="channel", unknown_threshold=0.99)
    assert changed.segmentation.parameters.beta == 1.0
    assert (changed.labels == -1).all()
    assert segmenter.segment(pixels, CATEGORIES, changed.segmentation.parameters) == changed


@pytest.mark.parametrize(
    ("given", "named", "message"),
    [
        (({"beta": 1.0},), {}, "parameters are given by name, such as .*k=350.*, not as dict of length 1"),
        ((), {"betta": 1.0}, "there is no parameter 'betta'; did you mean beta"),
        ((), {"beta": 7}, "beta"),
        ((), {"k": "many"}, "k.*'many'"),
    ],
)
def test_what_is_no_parameter_gets_one_sentence(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, given: tuple[object, ...], named: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        segmenter.segment(pixels, CATEGORIES, *given, **named)


@pytest.mark.parametrize("bank", ["photos", Path("photos"), None])
def test_a_segmenter_takes_a_bank_only(bank: object) -> None:
    with pytest.raises(InputError, match=r"a Segmenter takes a bank, as freeda_svc\.open_bank returns it, not"):
        freeda_svc.Segmenter(bank)


def test_an_empty_bank_says_what_to_do(tmp_path: Path, pixels: Pixels) -> None:
    with freeda_svc.open_bank(tmp_path / "new", "miniature", device="cpu") as bank:
        segmenter = freeda_svc.Segmenter(bank)
        with pytest.raises(InputError, match="empty"):
            segmenter.segment(pixels, CATEGORIES)
    with pytest.raises(InputError, match="closed"):
        segmenter.segment(pixels, CATEGORIES)


def test_segment_many_returns_results_in_the_order_of_the_images(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upside_down = np.ascontiguousarray(pixels[::-1])
    results = list(segmenter.segment_many([photo, upside_down, pixels], CATEGORIES, k=3))
    assert [result.name for result in results] == ["photo.png", "image", "image"]
    assert results[0] == results[2] == segmenter.segment(pixels, CATEGORIES, k=3)
    assert np.array_equal(results[1].image, upside_down)
    assert "3/3" in capsys.readouterr().err
    assert list(segmenter.segment_many(iter([pixels]), CATEGORIES, k=3, progress=False)) == [results[0]]
    assert capsys.readouterr().err == ""


def test_a_folder_is_segmented_and_goes_on_where_it_was(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, tmp_path: Path
) -> None:
    folder, out = tmp_path / "photos", tmp_path / "masks"
    (folder / "more").mkdir(parents=True)
    for name in ("a.png", "b.png", "more/c.png"):
        Image.fromarray(pixels).save(folder / name)
    assert [found.name for found in segmenter.segment_many(folder, CATEGORIES, progress=False)] == ["a.png", "b.png"]
    loop = segmenter.segment_many(folder, CATEGORIES, out=out, formats=["mask", "coco"], recursive=True)
    first = next(loop)
    assert (first.name, first == segmenter.segment(folder / "a.png", CATEGORIES)) == ("a.png", True)
    loop.close()
    assert (out / "a.mask.png").is_file()
    rest = [
        found.name
        for found in segmenter.segment_many(str(folder), CATEGORIES, out=out, formats=["mask", "coco"], recursive=True)
    ]
    assert "a.png" not in rest
    assert rest[-1] == "more/c.png"
    assert len(json.loads((out / "coco.json").read_bytes())["images"]) == 3
    paths = [folder / "a.png", str(folder / "b.png")]
    again = segmenter.segment_many(paths, CATEGORIES, out=out, formats=["mask"], resume=False, progress=False)
    assert len(list(again)) == 2


def test_what_is_no_folder_of_images_is_refused(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, photo: Path, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    for given, options, message in (
        (photo, {}, "expected a folder of images or a list of images, not the path"),
        (tmp_path / "none", {}, "has no images"),
        ([pixels], {"out": tmp_path / "out"}, "are given by paths, not a ndarray of shape"),
        ([pixels], {"formats": ["mask"]}, "formats are of files, which need a folder"),
        ([photo], {"out": tmp_path / "out", "formats": ["maks"]}, "there is no format 'maks'"),
    ):
        with pytest.raises(InputError, match=message):
            segmenter.segment_many(given, CATEGORIES, **options)


@pytest.mark.parametrize("images", [None, np.zeros((4, 4, 3), dtype=np.uint8), b"bytes", 3])
def test_one_thing_where_many_are_asked_gets_one_sentence(segmenter: freeda_svc.Segmenter, images: object) -> None:
    with pytest.raises(InputError, match="expected several images"):
        segmenter.segment_many(images, CATEGORIES)


def test_a_broken_image_stops_or_is_left_out(segmenter: freeda_svc.Segmenter, pixels: Pixels, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(io.BytesIO(b"\x89PNG\r\n\x1a\n").getvalue())
    with pytest.raises(InputError, match=r"broken\.png"):
        list(segmenter.segment_many([pixels, broken, pixels], CATEGORIES, progress=False))
    with pytest.warns(UserWarning, match=r"left out: .*broken\.png"):
        results = list(segmenter.segment_many([pixels, broken, pixels], CATEGORIES, progress=False, skip_broken=True))
    assert len(results) == 2


def test_what_the_bank_proposes_is_a_table_and_can_be_segmented(
    segmenter: freeda_svc.Segmenter, pixels: Pixels
) -> None:
    proposals = segmenter.propose(pixels)
    assert {row["noun"] for row in proposals.table()} <= {"boat", "water", "sky", "house", "grass"}
    assert sum(row["area_share"] for row in proposals.table()) == pytest.approx(1)
    assert all(0 < row["confidence"] <= 1 and row["prototypes"] > 0 for row in proposals.table())
    result = segmenter.segment(pixels, proposals.categories)
    assert list(result.categories) == [row["noun"] for row in proposals.table()]
    assert len(segmenter.propose(pixels, most=1).proposals) == 1
    assert all(row["global"] == 0 for row in segmenter.propose(pixels, beta=1.0).table())
    assert segmenter.propose(pixels, result.segmentation.parameters) == proposals


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": None}, "expected an image.*not None"),
        ({"moast": 3}, "there is no parameter 'moast'; did you mean most?"),
        ({"betta": 1.0}, "there is no parameter 'betta'; did you mean beta?"),
        ({"least_area": 1}, "least_area is 1, but must be a number from 0 to below 1"),
    ],
)
def test_what_cannot_be_proposed_for_gets_one_sentence(
    segmenter: freeda_svc.Segmenter, pixels: Pixels, given: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        segmenter.propose(**{"image": pixels, **given})


def test_a_result_is_explained_and_its_evidence_saved(
    segmenter: freeda_svc.Segmenter, result: freeda_svc.Result, tmp_path: Path
) -> None:
    assert result.evidence is None
    with pytest.raises(InputError, match=r"the format 'evidence' needs evidence: save what Segmenter\.explain"):
        result.save(tmp_path, formats=["mask", "evidence"])
    explained = segmenter.explain(result, prototypes=2, categories=1)
    assert explained == result
    evidence = explained.evidence
    assert [found.name for found in evidence.categories] == [
        row["category"] for row in sorted(result.table(), key=lambda row: -row["area"]) if row["pixels"]
    ]
    assert all(1 <= len(found.prototypes) <= 2 for found in evidence.categories)
    (best,) = evidence.at(0, 0)
    assert best.name == result.categories[result.labels[0, 0]]
    assert best.score == pytest.approx(0.8 * best.local + 0.2 * best.global_, abs=0.3)
    explained.save(tmp_path, formats=["evidence", "evidence-page"])
    kept = json.loads((tmp_path / "image.evidence.json").read_bytes())
    assert [found["name"] for found in kept["categories"]] == [found.name for found in evidence.categories]
    assert "<html" in (tmp_path / "image.evidence.html").read_text()


def test_evidence_of_a_folder_is_written_with_the_other_files(
    segmenter: freeda_svc.Segmenter, photo: Path, tmp_path: Path
) -> None:
    list(
        segmenter.segment_many([photo], CATEGORIES, out=tmp_path / "out", formats=["mask", "evidence"], progress=False)
    )
    assert json.loads((tmp_path / "out" / "photo.evidence.json").read_bytes())["names"] == CATEGORIES


def test_a_page_of_evidence_shows_the_thumbnails_of_a_bank_of_the_home(pixels: Pixels, tmp_path: Path) -> None:
    with freeda_svc.open_bank("pictures", "miniature", device="cpu") as bank:
        bank.add_captions(["a boat on the water"], progress=False)
        segmenter = freeda_svc.Segmenter(bank)
        explained = segmenter.explain(segmenter.segment(pixels, ["boat", "water"]))
        explained.save(tmp_path / "saved", formats=["evidence-page"])
    page = (tmp_path / "saved" / "image.evidence.html").read_text()
    assert page.count("data:image/jpeg;base64,") == len(
        {prototype.id for category in explained.evidence.categories for prototype in category.prototypes}
    )


def test_only_a_result_of_the_same_bank_is_explained(
    segmenter: freeda_svc.Segmenter, result: freeda_svc.Result, filled_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="explain takes a result, as segment returns it, not None"):
        segmenter.explain(None)
    with pytest.raises(InputError, match="at least 1"):
        segmenter.explain(result, prototypes=0)
    shutil.copytree(filled_folder, tmp_path / "other")
    with freeda_svc.open_bank(tmp_path / "other", "miniature", device="cpu") as bank:
        other = freeda_svc.Segmenter(bank)
        with pytest.raises(InputError, match=f"made with the bank .*, not with {tmp_path}/other: explain it with"):
            other.explain(result)
