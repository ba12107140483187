"""`freeda segment` and `freeda jobs export` around a worker that segments at once: every image by its brightness."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from freeda_svc.jobs import list_jobs
from freeda_svc.outputs import FORMATS, palette
from freeda_svc.settings import load_settings
from tests.cli.brightness import BLACK, Worker, files_in, labels_of

Freeda = Callable[..., Any]
NO_WORKER = "No worker is running on this home: start one with `freeda up` in another terminal.\n"
PLAIN_FORMATS = tuple(name for name in FORMATS if not name.startswith("evidence"))  # that needs a real worker


def test_a_folder_becomes_files_that_keep_their_places(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos, "-r", "-c", "night, day", "--out", "out", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert "9 files in out" in ran.out
    stems = ("a", "b", "deep/a")
    assert files_in(Path("out")) == sorted(
        f"{stem}.{kind}" for stem in stems for kind in ("json", "mask.png", "overlay.png")
    )
    assert [labels_of(Path("out") / f"{stem}.mask.png") for stem in stems] == [{0}, {1}, {0}]


def test_subfolders_that_were_not_searched_are_reported(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos, "-c", "night, day", "--out", "out", "--quiet", "--format", "mask")
    assert (ran.code, files_in(Path("out"))) == (0, ["a.mask.png", "b.mask.png"])
    assert ran.err == "subfolders that were not searched: 1; --recursive searches them\n"


def test_a_list_of_images_may_come_from_standard_input(
    freeda: Freeda, worker: Worker, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"photos/b.png\n")))
    ran = freeda("segment", photos / "a.png", "--list", "-", "-c", "night, day", "--out", "out", "--quiet", "--json")
    assert [image["name"] for image in ran.json["images"]] == ["a.png", "b.png"]


def test_every_format_is_written_and_written_again_from_the_job(freeda: Freeda, worker: Worker, photos: Path) -> None:
    wanted = ("--format", ",".join(PLAIN_FORMATS[:4]), "--format", ",".join(PLAIN_FORMATS[4:]))
    ran = freeda("segment", photos, "-r", "-c", "night, day", "--out", "out", *wanted, "--quiet", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.json["state"], ran.json["files"]) == ("done", len(files_in(Path("out"))))
    assert [image["name"] for image in ran.json["images"]] == ["a.png", "b.png", "deep/a.png"]
    exported = freeda("jobs", "export", ran.json["job"], "--out", "again", *wanted)
    assert (exported.code, exported.err) == (0, "")
    assert files_in(Path("again")) == files_in(Path("out"))
    for name in files_in(Path("out")):
        assert (Path("again") / name).read_bytes() == (Path("out") / name).read_bytes(), name


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools makes arrays as of old
def test_pycocotools_opens_what_is_written(freeda: Freeda, worker: Worker, photos: Path) -> None:
    freeda("segment", photos, "-r", "-c", "night, day", "--out", "out", "--format", "mask,coco", "--quiet")
    data_set = COCO("out/coco.json")
    results = data_set.loadRes("out/coco.results.json")
    for image in data_set.loadImgs(data_set.getImgIds()):
        labels = np.asarray(Image.open(f"out/{image['file_name'].removesuffix('.png')}.mask.png"))
        for read in (data_set, results):
            for annotation in read.loadAnns(read.getAnnIds(imgIds=[image["id"]])):
                [category] = data_set.loadCats([annotation["category_id"]])
                assert np.array_equal(read.annToMask(annotation), labels == category["mask_value"])
    assert [image["file_name"] for image in data_set.loadImgs(data_set.getImgIds())] == ["a.png", "b.png", "deep/a.png"]


def test_a_vocabulary_brings_its_palette(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos / "a.png", "--vocabulary", "voc20", "-c", "crane", "--out", "out", "--quiet")
    assert ran.code == 0
    with Image.open("out/a.mask.png") as mask:
        colours = np.array(mask.getpalette()).reshape(-1, 3)
    assert colours[0].tolist() == [128, 0, 0]  # the aeroplane of PASCAL VOC
    assert colours[20].tolist() == palette()[0].tolist()


def test_without_resume_everything_is_done_again(freeda: Freeda, worker: Worker, photos: Path) -> None:
    for _ in range(2):
        assert freeda("segment", photos, "-c", "night, day", "--out", "out", "--quiet").code == 0
    assert worker.done == ["a.png", "b.png"] * 2


def test_a_bad_image_is_reported_and_the_rest_goes_on(freeda: Freeda, worker: Worker, photos: Path) -> None:
    (photos / "text.png").write_text("a sentence")
    Image.new("L", (6, 4), 0).save(photos / "black.png")
    ran = freeda("segment", "photos", "none.png", "-c", "night, day", "--out", "out", "--quiet", "--format", "mask")
    assert (ran.code, files_in(Path("out"))) == (3, ["a.mask.png", "b.mask.png"])
    job = ran.err.split("`")[1].split()[-1]
    assert ran.err.splitlines() == [
        "left out: photos/text.png is not an image in a known format; give a file such as JPEG or PNG",
        "left out: no such image file: none.png",
        "subfolders that were not searched: 1; --recursive searches them",
        f"item 3 (black.png): {BLACK}",
        f"1 of 3 items failed; `freeda jobs errors {job}` lists them, `freeda jobs retry {job}` tries them again.",
    ]


@pytest.mark.parametrize("waiting", [(), ("--wait",), ("--out", "out")])
def test_when_no_image_can_be_used_nothing_is_accepted(
    freeda: Freeda, home: Path, photos: Path, waiting: tuple[str, ...]
) -> None:
    ran = freeda("segment", "none.png", "*.gif", "-c", "night", *waiting)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "Error: no image matches *.gif (and 1 more)\n"
    assert not home.exists() or list_jobs(load_settings(home=home)) == []
    assert not Path("out").exists()


def test_when_all_fail_the_code_says_so(freeda: Freeda, worker: Worker, photos: Path) -> None:
    Image.new("L", (6, 4), 0).save("black.png")
    ran = freeda("segment", "black.png", "-c", "night", "--out", "out", "--quiet", "--format", "mask,coco")
    assert (ran.code, files_in(Path("out"))) == (1, [])


def test_without_waiting_the_id_is_printed_and_nothing_else(freeda: Freeda, home: Path, photos: Path) -> None:
    ran = freeda("segment", photos / "a.png", "-c", "night", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    [job] = list_jobs(load_settings(home=home))
    assert ran.out == f"{job.id}\n"
    told = freeda("segment", photos / "a.png", "-c", "night")
    assert (told.code, told.out.count("\n")) == (0, 1)
    assert told.err == NO_WORKER
    partly = freeda("segment", photos / "a.png", "none.png", "-c", "night", "--json")
    assert (partly.code, partly.json["refused"]) == (3, ["no such image file: none.png"])


def test_images_outside_of_the_allowed_folders_are_refused(
    freeda: Freeda, worker: Worker, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_INPUT_ROOTS", str(photos))
    Image.new("L", (6, 4), 9).save("outside.png")
    (photos / "link.png").symlink_to(Path("outside.png").absolute())
    ran = freeda("segment", "photos", "outside.png", "-c", "night", "--out", "out", "--quiet", "--format", "mask")
    assert (ran.code, files_in(Path("out"))) == (3, ["a.mask.png", "b.mask.png"])
    refused = [line for line in ran.err.splitlines() if "lies outside of" in line]
    assert [line.split()[2] for line in refused] == ["photos/link.png", "outside.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-c night", "Missing argument 'IMAGES...'."),
        ("photos", "Say what to look for with --categories, --categories-file, --vocabulary or --auto."),
        ("photos -c night --resume", "--resume goes with --out DIR."),
        ("photos -c night --wait --format mask", "--format goes with --out DIR."),
        ("photos -c night --unknown-threshold 1", "--unknown-threshold goes with --unknown; name a way, such as "),
    ],
)
def test_wrong_use_is_reported(freeda: Freeda, photos: Path, arguments: str, message: str) -> None:
    ran = freeda("segment", *arguments.split())
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {message}")
    assert "See `freeda segment --help`." in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("--format gif", 2, "there is no format 'gif'; the formats are mask, overlay, summary, scores-png, scores-npz"),
        ("--beta 0.5 --set beta=1", 2, "the parameter beta is given twice; leave one of them out"),
        ("--set k=0", 2, "k is 0, but must be a whole number of at least 1"),
        ("--bank nothing", 1, "there is no bank"),
        ("--vocabulary zebra", 2, "vocabulary is 'zebra', but must be one of voc20, "),
    ],
)
def test_what_cannot_be_is_reported_in_one_line(
    freeda: Freeda, photos: Path, arguments: str, code: int, message: str
) -> None:
    ran = freeda("segment", "photos", "-c", "night", "--out", "out", *arguments.split())
    assert (ran.code, ran.out, Path("out").exists()) == (code, "", False)
    assert message in ran.err.splitlines()[-1]


def test_the_help_names_every_format(freeda: Freeda) -> None:
    for command in (("segment",), ("jobs", "export")):
        shown = " ".join(freeda(*command, "--help").out.split())
        assert ", ".join(FORMATS) in shown.replace("scores- png", "scores-png").replace("label- studio", "label-studio")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here, where nothing can be made")
def test_a_folder_for_results_that_cannot_be_made_is_refused_before_anything_is_accepted(
    freeda: Freeda, worker: Worker, photos: Path, home: Path
) -> None:
    ran = freeda("segment", photos / "a.png", "-c", "night", "--out", "/proc/freeda-out")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("Error: /proc/freeda-out cannot be written: ")
    assert list_jobs(load_settings(home=home)) == []
