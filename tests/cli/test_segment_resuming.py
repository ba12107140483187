"""`freeda segment --resume` around a worker that segments at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from freeda_svc.cli import segment_run
from freeda_svc.jobs import list_jobs
from freeda_svc.jobs.results import result_folder
from freeda_svc.settings import Settings, load_settings
from tests.cli.brightness import Worker, files_in, labels_of

Freeda = Callable[..., Any]


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
        "other", [("-c", "dusk"), ("--categories-file", "words.txt"), ("--beta", "0.5"), ("--synonyms", "mean")]
    )
    def test_other_categories_or_parameters_are_done_anew(
        self, freeda: Freeda, worker: Worker, other: tuple[str, ...]
    ) -> None:
        Path("words.txt").write_text("dawn\n")
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
