"""`freeda segment` and `freeda jobs export` around a worker that segments at once: every image by its brightness."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from freeda_svc.cli import segment_run
from freeda_svc.jobs import ItemState, list_jobs
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.results import colours_of, result_folder
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.outputs import FORMATS, palette, write_mask
from freeda_svc.outputs.scores import keep_scores, write_score_arrays
from freeda_svc.settings import Settings, load_settings

Freeda = Callable[..., Any]
PLAIN_FORMATS = tuple(name for name in FORMATS if not name.startswith("evidence"))  # that needs a real worker
LEVELS = {"a.png": 10, "b.png": 200, "deep/a.png": 90}
BLACK = "the image is black"


@dataclass
class Worker:
    """Does what waits in a home; a black image fails."""

    settings: Settings
    done: list[str] = field(default_factory=list)
    resting: bool = False
    ended: bool = False

    def run(self) -> None:
        while not self.ended:
            time.sleep(0.02)
            if self.settings.database_file.exists() and not self.resting:
                with suppress(OperationalError):  # its tables are just being made
                    self._work()

    def _work(self) -> None:
        with reading(self.settings) as session:
            waiting = select(WorkItem, Job).join(Job).where(WorkItem.state == ItemState.QUEUED).order_by(WorkItem.id)
            found = [
                (item.id, item.number, item.input, job.id, job.parameters) for item, job in session.execute(waiting)
            ]
        for item_id, number, given, job_id, parameters in found:
            with Image.open(self.settings.artifacts_folder / given["image"]) as image:
                grey = np.asarray(image.convert("L"))
            if grey.any():
                _keep(result_folder(self.settings, job_id, number), grey, parameters)
                ended: dict[str, Any] = {"state": ItemState.DONE}
                self.done.append(given["name"])
            else:
                ended = {"state": ItemState.FAILED, "error": BLACK}
            with writing(self.settings) as session:
                session.execute(update(WorkItem).where(WorkItem.id == item_id).values(**ended))


def _keep(folder: Path, grey: np.ndarray, parameters: dict[str, Any]) -> None:
    names = [category["name"] for category in parameters["categories"]]
    label = int(grey[0, 0]) * len(names) // 256
    folder.mkdir(parents=True)
    keep_scores(folder / "scores.png", np.full(grey.shape, 0.5, dtype=np.float32))
    write_score_arrays(
        folder / "regions.npz", {"regions": np.zeros((4, 4), np.int32), "region_scores": np.ones((1, 2))}
    )
    categories = [
        {"name": name, "score": 0.5, "area_share": float(index == label), "absent": index != label}
        for index, name in enumerate(names)
    ]
    (folder / "summary.json").write_text(json.dumps({"categories": categories, "unknown_share": 0, "pack": "p"}))
    write_mask(folder / "mask.png", np.full(grey.shape, label), colours_of(parameters))


@pytest.fixture
def worker(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr(segment_run, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(segment_run, "note_missing_worker", lambda _settings: None)
    working = Worker(load_settings(home=home))
    thread = threading.Thread(target=working.run)
    thread.start()
    yield working
    working.ended = True
    thread.join()


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images in `photos`, two of them of one name; the folder above is the current one."""
    monkeypatch.chdir(tmp_path)
    for name, level in LEVELS.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (6, 4), level).save(path)
    return tmp_path / "photos"


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def labels_of(mask: Path) -> set[int]:
    with Image.open(mask) as image:
        return set(np.unique(np.asarray(image)).tolist())


def test_a_folder_becomes_files_that_keep_their_places(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos, "-r", "-c", "night, day", "--out", "out", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert "9 files in out" in ran.out
    stems = ("a", "b", "deep/a")
    assert files_in(Path("out")) == sorted(
        f"{stem}.{kind}" for stem in stems for kind in ("json", "mask.png", "overlay.png")
    )
    assert [labels_of(Path("out") / f"{stem}.mask.png") for stem in stems] == [{0}, {1}, {0}]


def test_folders_inside_are_told_of_when_they_are_not_asked_for(freeda: Freeda, worker: Worker, photos: Path) -> None:
    ran = freeda("segment", photos, "-c", "night, day", "--out", "out", "--quiet", "--format", "mask")
    assert (ran.code, files_in(Path("out"))) == (0, ["a.mask.png", "b.mask.png"])
    assert ran.err == "folders inside that were not looked into: 1; --recursive does\n"


def test_every_format_is_written_and_written_again_from_the_job(freeda: Freeda, worker: Worker, photos: Path) -> None:
    wanted = ("--format", ",".join(PLAIN_FORMATS[:4]), "--format", ",".join(PLAIN_FORMATS[4:]))
    ran = freeda("segment", photos, "-r", "-c", "night, day", "--out", "out", *wanted, "--quiet", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert (ran.json["state"], ran.json["files"]) == ("done", 6 * 3 + 4)
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


class TestResuming:
    COMMAND = ("segment", "photos", "-r", "-c", "night, day", "--out", "out", "--quiet", "--json", "--resume")

    @pytest.fixture(autouse=True)
    def first(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        assert freeda(*self.COMMAND).json["files"] == 9
        worker.done.clear()

    def test_what_is_done_is_skipped(self, freeda: Freeda, worker: Worker, home: Path) -> None:
        before = {name: (Path("out") / name).stat().st_mtime_ns for name in files_in(Path("out"))}
        again = freeda(*self.COMMAND)
        assert (again.code, again.json["job"], again.json["files"]) == (0, None, 0)
        assert again.json["skipped"] == ["a.png", "b.png", "deep/a.png"]
        assert {name: (Path("out") / name).stat().st_mtime_ns for name in before} == before
        assert (worker.done, len(list_jobs(load_settings(home=home)))) == ([], 1)

    def test_new_and_changed_images_are_done(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        Image.new("L", (6, 4), 250).save(photos / "a.png")
        Image.new("L", (6, 4), 251).save(photos / "c.png")
        again = freeda(*self.COMMAND)
        assert worker.done == ["a.png", "c.png"]
        assert again.json["skipped"] == ["b.png", "deep/a.png"]
        assert labels_of(Path("out/a.mask.png")) == {1}

    @pytest.mark.parametrize(
        "other", [("-c", "night, day, dusk"), ("-c", "day, night"), ("--beta", "0.5"), ("--synonyms", "mean")]
    )
    def test_other_categories_or_parameters_are_done_anew(
        self, freeda: Freeda, worker: Worker, other: tuple[str, ...]
    ) -> None:
        assert freeda(*self.COMMAND, *other).json["files"] == 9
        assert len(worker.done) == 3
        assert freeda(*self.COMMAND).json["files"] == 9  # the folder holds the others now, but not their job

    def test_lost_and_damaged_files_are_written_again_without_segmenting(self, freeda: Freeda, worker: Worker) -> None:
        whole = Path("out/b.overlay.png").read_bytes()
        Path("out/a.mask.png").unlink()
        Path("out/b.overlay.png").write_bytes(whole[:50])
        again = freeda(*self.COMMAND)
        assert (again.json["job"], again.json["files"], again.json["skipped"]) == (None, 6, ["deep/a.png"])
        assert Path("out/b.overlay.png").read_bytes() == whole
        assert worker.done == []

    def test_files_for_all_images_hold_those_that_were_skipped_too(
        self, freeda: Freeda, worker: Worker, photos: Path
    ) -> None:
        Image.new("L", (6, 4), 251).save(photos / "c.png")
        freeda(*self.COMMAND, "--format", "mask,label-studio")
        assert worker.done == ["c.png"]
        tasks = json.loads(Path("out/label-studio.json").read_text())
        assert [task["data"]["image"].rpartition("=")[2] for task in tasks] == ["a.png", "b.png", "c.png", "deep/a.png"]

    def test_an_image_whose_kept_result_is_needed_and_gone_is_done_anew(
        self, freeda: Freeda, worker: Worker, home: Path
    ) -> None:
        job = list_jobs(load_settings(home=home))[0].id
        (result_folder(load_settings(home=home), job, 2) / "summary.json").unlink()
        assert freeda(*self.COMMAND, "--format", "mask,coco").code == 0
        assert worker.done == ["b.png"]

    def test_a_job_that_goes_on_is_joined(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        worker.resting = True
        Image.new("L", (6, 4), 251).save(photos / "c.png")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(segment_run, "note_missing_worker", _interrupt)  # asked when it begins to wait
            interrupted = freeda(*self.COMMAND)
        assert interrupted.code == 130
        assert "the same command with --resume takes its results" in interrupted.err
        worker.resting = False
        again = freeda(*self.COMMAND)
        assert (again.json["job"], again.json["files"], worker.done) == (None, 3, ["c.png"])


def _interrupt(_settings: Settings) -> None:
    raise KeyboardInterrupt


def test_without_resume_everything_is_done_again(freeda: Freeda, worker: Worker, photos: Path) -> None:
    for _ in range(2):
        assert freeda("segment", photos, "-c", "night, day", "--out", "out", "--quiet").code == 0
    assert worker.done == ["a.png", "b.png"] * 2


def test_a_bad_image_is_told_and_the_rest_goes_on(freeda: Freeda, worker: Worker, photos: Path) -> None:
    (photos / "text.png").write_text("a sentence")
    Image.new("L", (6, 4), 0).save(photos / "black.png")
    ran = freeda("segment", "photos", "none.png", "-c", "night, day", "--out", "out", "--quiet", "--format", "mask")
    assert (ran.code, files_in(Path("out"))) == (3, ["a.mask.png", "b.mask.png"])
    job = ran.err.split("`")[1].split()[-1]
    assert ran.err.splitlines() == [
        "left out: photos/text.png is not an image in a known format; give a file such as JPEG or PNG",
        "left out: no such image file: none.png",
        "folders inside that were not looked into: 1; --recursive does",
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
    ran = freeda("segment", photos / "a.png", "-c", "night")
    assert (ran.code, ran.err) == (0, "")
    [job] = list_jobs(load_settings(home=home))
    assert ran.out == f"{job.id}\n"
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
def test_wrong_use_is_told(freeda: Freeda, photos: Path, arguments: str, message: str) -> None:
    ran = freeda("segment", *arguments.split())
    assert ran.code == 2
    assert ran.err.startswith(f"Error: {message}")
    assert "See `freeda segment --help`." in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--format gif", "there is no format 'gif'; the formats are mask, overlay, summary, scores-png, scores-npz, "),
        ("--beta 0.5 --set beta=1", "the parameter beta is given twice; leave one of them out"),
        ("--set k=0", "k is a whole number of at least 1, not 0"),
        ("--bank nothing", "there is no bank"),
        ("--vocabulary zebra", "there is no vocabulary 'zebra'"),
    ],
)
def test_what_cannot_be_is_one_line(freeda: Freeda, photos: Path, arguments: str, message: str) -> None:
    ran = freeda("segment", "photos", "-c", "night", "--out", "out", *arguments.split())
    assert (ran.code, ran.out, Path("out").exists()) == (1, "", False)
    assert message in ran.err.splitlines()[-1]


def test_the_help_names_every_format(freeda: Freeda) -> None:
    for command in (("segment",), ("jobs", "export")):
        shown = " ".join(freeda(*command, "--help").out.split())
        assert ", ".join(FORMATS) in shown.replace("scores- png", "scores-png").replace("label- studio", "label-studio")
