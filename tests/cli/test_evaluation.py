"""Evaluations from the command line, with a bank of random prototypes."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.bank import BankName, EmbeddedBanks
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.cli import evaluation_run
from freeda_svc.miniature.scenes import HARD, NOUNS, paint_scene
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.prototypes import Prototype
from freeda_svc.settings import load_settings
from freeda_svc.workers.locks import worker_lock
from tests.made_prototypes import make_prototype
from tests.tiny_wide_pack import make_tiny_wide_pack

Freeda = Callable[..., Any]
PACK = read_pack_parameters("miniature").fingerprint
NAMES = ("2007_000033", "2007_000042")


def make_prototypes() -> list[Prototype]:
    generator = np.random.default_rng(5)
    return [
        make_prototype(
            noun,
            caption_id=f"{number:016x}",
            key=generator.normal(size=64).astype(np.float32),
            vector=generator.normal(size=96).astype(np.float32),
            pack=PACK,
            image="a.png",
            mask="a.mask.png",
        )
        for number, noun in enumerate(NOUNS)
    ]


@pytest.fixture
def banks(home: Path) -> EmbeddedBanks:
    made = EmbeddedBanks(home / "banks")
    made.create(BankName("default", 1), PACK, 64, 96)
    with made.open(BankName("default", 1)) as store:
        store.add(make_prototypes())
    return made


@pytest.fixture(scope="module")
def voc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small images in the layout of VOC 2012."""
    root = tmp_path_factory.mktemp("voc")
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / part).mkdir(parents=True)
    for number, name in enumerate(NAMES):
        scene = paint_scene((9, number), HARD)
        Image.fromarray(scene.image).save(root / "JPEGImages" / f"{name}.jpg")
        labels = scene.labels.copy()
        labels[:2] = 255
        Image.fromarray(labels).save(root / "SegmentationClass" / f"{name}.png")
    (root / "ImageSets/Segmentation/val.txt").write_text("\n".join(NAMES))
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes with masks, and their classes."""
    root = tmp_path_factory.mktemp("folders")
    for part in ("images", "masks"):
        (root / part).mkdir()
    for number in range(3):
        scene = paint_scene((9, number), HARD)
        Image.fromarray(scene.image).save(root / "images" / f"{number}.png")
        Image.fromarray(scene.labels).save(root / "masks" / f"{number}.png")
    (root / "classes.txt").write_text("\n".join(NOUNS))
    return root


def arguments(folders: Path) -> tuple[object, ...]:
    return "eval", "folder", folders / "images", folders / "masks", "--classes", folders / "classes.txt"


def test_a_published_dataset_is_evaluated_as_in_the_paper(freeda: Freeda, banks: object, voc: Path) -> None:
    ran = freeda("eval", "voc21", voc, "--json", "--limit", 1)
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["images"] == 1
    assert report["bank"] == "default@1"
    assert [score["name"] for score in report["classes"]][:2] == ["background", "aeroplane"]
    assert len(report["classes"]) == 21
    parameters = report["parameters"]
    assert (parameters["short_side"], parameters["beta"], parameters["k"]) == (448, 0.7, 350)
    assert (parameters["unknown"]["way"], parameters["unknown"]["threshold"]) == ("channel", 0.4)
    assert report["texts"] == "names"
    assert sum(score["pixels"] for score in report["classes"]) == 62 * 64
    assert 0 <= report["pixel_accuracy"] <= 1


def test_a_missing_layout_names_the_file_in_one_line(freeda: Freeda, banks: object, tmp_path: Path) -> None:
    ran = freeda("eval", "voc20", tmp_path)
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "expected" in ran.err
    assert "ImageSets/Segmentation/val.txt" in ran.err


def test_a_person_sees_a_table_and_progress(freeda: Freeda, banks: object, folders: Path) -> None:
    ran = freeda(*arguments(folders), "--superpixels", "none")
    assert ran.code == 0, ran.err
    assert "3 images of images" in ran.out
    assert {"mean IoU", "mean accuracy", "pixel accuracy"} <= {line[:14].strip() for line in ran.out.splitlines()}
    assert [line.split()[0] for line in ran.out.splitlines()[1 : 1 + len(NOUNS)]] == list(NOUNS)
    assert "eval images: 3 of 3" in ran.err
    assert freeda(*arguments(folders), "--quiet").err == ""


def test_an_interrupted_evaluation_goes_on(
    freeda: Freeda, banks: object, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = freeda(*arguments(folders), "--json").json

    @contextmanager
    def interrupted(label: str) -> Iterator[Callable[[int, int], None]]:
        def report(done: int, _total: int) -> None:
            if done == 2 and label.startswith("eval"):
                raise KeyboardInterrupt

        yield report

    with monkeypatch.context() as patch:
        patch.setattr(evaluation_run, "shown_progress", interrupted)
        ran = freeda(*arguments(folders), "--out", tmp_path / "out")
        assert ran.code == 130
        assert f"counts are kept in {tmp_path / 'out'}: the same command goes on." in ran.err
        assert "with --out DIR the counts are kept" in freeda(*arguments(folders)).err
    assert len(list((tmp_path / "out" / "counts").iterdir())) == 2
    ran = freeda(*arguments(folders), "--out", tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    assert {**ran.json, "seconds": 0} == {**expected, "seconds": 0}
    assert json.loads((tmp_path / "out" / "result.json").read_text()) == ran.json


def test_other_parameters_go_to_another_folder(freeda: Freeda, banks: object, folders: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert freeda(*arguments(folders), "--out", out, "--limit", 1).code == 0
    ran = freeda(*arguments(folders), "--out", out, "--beta", 1)
    assert ran.code == 1
    assert "another parameters.beta (0.8, now 1.0); name another folder with --out" in ran.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--first", 1), "another first (0, now 1)"),
        (("--ignore", 200), "another ignore (255, now 200)"),
    ],
)
def test_another_meaning_of_masks_goes_to_another_folder(
    freeda: Freeda, banks: object, folders: Path, tmp_path: Path, *, given: tuple[object, ...], message: str
) -> None:
    assert freeda(*arguments(folders), "--out", tmp_path / "out", "--limit", 1).code == 0
    ran = freeda(*arguments(folders), *given, "--out", tmp_path / "out", "--limit", 1)
    assert ran.code == 1
    assert f"{message}; name another folder with --out" in ran.err


def test_other_masks_of_the_same_images_go_to_another_folder(
    freeda: Freeda, banks: object, folders: Path, tmp_path: Path
) -> None:
    assert freeda(*arguments(folders), "--out", tmp_path / "out").code == 0
    (tmp_path / "masks").mkdir()
    for mask in (folders / "masks").iterdir():
        with Image.open(mask) as labels:
            Image.fromarray(np.zeros_like(np.asarray(labels))).save(tmp_path / "masks" / mask.name)
    others = ("eval", "folder", folders / "images", tmp_path / "masks", "--classes", folders / "classes.txt")
    ran = freeda(*others, "--out", tmp_path / "out")
    assert ran.code == 1
    assert "another masks (" in ran.err


def test_a_bank_that_a_worker_holds_is_said(freeda: Freeda, home: Path, banks: EmbeddedBanks, folders: Path) -> None:
    with ExitStack() as another_process:
        another_process.callback(FolderLock(banks.place(BankName("default", 1))).release)
        ran = freeda(*arguments(folders))
        assert ran.code == 1
        assert "is in use by process" in ran.err
        with worker_lock(load_settings(home=home)):
            ran = freeda(*arguments(folders))
    assert ran.code == 1
    assert "the bank default@1 is in the hands of the worker of" in ran.err
    assert "stop it while you evaluate" in ran.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--bank", "birds"), "there is no bank birds"),
        (("--unknown", "channel"), "has no class for what is unknown"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    freeda: Freeda, banks: object, folders: Path, given: tuple[str, ...], message: str
) -> None:
    ran = freeda(*arguments(folders), *given)
    assert ran.code == 1
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_a_value_that_no_parameter_has_is_wrong_usage(freeda: Freeda, banks: object, folders: Path) -> None:
    ran = freeda(*arguments(folders), "--set", "stride=0")
    assert (ran.code, "stride" in ran.err, ran.err.count("\n")) == (2, True, 1)


def test_a_file_of_classes_that_is_not_there_is_said(freeda: Freeda, banks: object, folders: Path) -> None:
    ran = freeda(*arguments(folders)[:-1], "nowhere.txt")
    assert ran.code == 1
    assert "there is no file of classes nowhere.txt" in ran.err
    assert ran.err.count("\n") == 1


def save(path: Path, values: object, **options: object) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.asarray(values, dtype=np.uint8)).save(path, **options)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """One image with a mask of 0 and 255, and two classes."""
    square = np.zeros((48, 64))
    square[10:30, 10:30] = 255
    save(tmp_path / "images/s.png", np.random.default_rng(0).integers(0, 256, (48, 64, 3)))
    save(tmp_path / "masks/s.png", square)
    (tmp_path / "classes.txt").write_text("sky\nball\n")
    return tmp_path


def test_masks_of_0_and_255_are_remarked_upon_before_and_after(freeda: Freeda, banks: object, own: Path) -> None:
    remark = "no true pixel of 1 of 2 classes: ball; 400 pixels (13%) have a value that is not counted (255)"
    ran = freeda(*arguments(own))
    assert ran.code == 0
    assert ran.err.splitlines()[0] == f"images: {remark}"
    assert ran.out.splitlines()[-1] == remark
    report = freeda(*arguments(own), "--json").json
    assert report["ignored_pixels"] == 400
    assert [score["pixels"] for score in report["classes"]] == [48 * 64 - 400, 0]


def test_what_lies_beside_the_files_of_a_data_set_is_no_member(freeda: Freeda, banks: object, own: Path) -> None:
    for place in ("images/._s.png", "masks/._s.png", "images/.t.jpg"):
        (own / place).write_bytes(b"\0\5\26\7junk")
    (own / "images/.thumbnails").mkdir()
    save(own / "images/.thumbnails/s.png", np.zeros((8, 8)))
    assert freeda(*arguments(own), "--json").json["images"] == 1


@pytest.mark.parametrize("place", ["images/t.png", "masks/t.png"])
def test_a_file_that_cannot_be_read_is_named_before_long_work(
    freeda: Freeda, banks: object, own: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for folder in ("images", "masks"):
        save(own / folder / "t.png", np.zeros((48, 64)))
    (own / place).write_bytes(b"\x89PNG\r\n\x1a\n")
    monkeypatch.setattr("freeda_svc.packs.load_pack", None)  # not even the models are read
    ran = freeda(*arguments(own))
    assert ran.code == 1
    assert f"{own / place}" in ran.err
    assert ran.err.count("\n") == 1


def test_of_turned_images_it_is_asked_on_what_the_labels_were_drawn(freeda: Freeda, banks: object, own: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(own / "images/s.png") as image:
        image.save(own / "images/s.png", exif=exif)
    ran = freeda(*arguments(own))
    assert ran.code == 1
    assert "s.png has the EXIF orientation 3" in ran.err
    assert ran.err.count("\n") == 1
    results = [freeda(*arguments(own), "--drawn-on", drawn_on, "--json") for drawn_on in ("stored", "upright")]
    assert [ran.code for ran in results] == [0, 0]
    assert results[0].json["drawn_on"] == "stored"


@pytest.mark.end_to_end
def test_the_papers_tables_in_small(
    freeda: Freeda, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("eval", "miniature", "--captions", 15, "--scenes", 2, "--out", tmp_path / "out")
    ran = freeda(*command, "--ablate")
    assert ran.code == 0, ran.err
    for heading in ("parts", "superpixels", "aggregation", "K", "refinement", "votes", "curation"):
        assert any(line.startswith(f"{heading} ") for line in ran.out.splitlines())
    assert "captions: 15 of 15" in ran.err
    report = json.loads((tmp_path / "out" / "result.json").read_text())
    full = next(entry for entry in report["results"] if entry["name"] == "+ superpixels")
    assert full["mean_iou"] == next(entry for entry in report["results"] if entry["name"] == "off")["mean_iou"]
    assert not home.exists()
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr("freeda_svc.cli.evaluation_miniature.find_spec", lambda _name: None)
    again = freeda(*command, "--json", "--quiet")
    assert again.code == 0, again.err
    assert [entry["name"] for entry in again.json["results"]] == ["full"]


def test_an_open_vocabulary_is_measured_on_the_wide_world(
    freeda: Freeda, home: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    pack = make_tiny_wide_pack(tmp_path_factory.mktemp("wide"))
    command = ("eval", "miniature", "--pack", pack, "--captions", 15, "--scenes", 1, "--out", tmp_path / "out")
    ran = freeda(*command, "--ablate", "--seeds", 1)
    assert ran.code == 0, ran.err
    for heading in ("words of the bank", "kinds, by the general word", "words that nothing knows"):
        assert any(line.startswith(f"{heading} ") for line in ran.out.splitlines())
    assert "captions, 1 of 1: 15 of 15" in ran.err
    report = json.loads((tmp_path / "out" / "result.json").read_text())
    assert report["seeds"] == 1
    assert {"question", "variant", "values", "mean", "half_width"} == set(report["results"][0])
    assert not home.exists()


def test_a_pack_of_no_painted_world_cannot_be_evaluated_on_one(freeda: Freeda, tiny_pack_folder: Path) -> None:
    ran = freeda("eval", "miniature", "--pack", tiny_pack_folder)
    assert ran.code == 1
    assert ran.err == (
        "Error: the pack tiny was not trained on a painted world; --pack takes miniature or miniature-wide\n"
    )
