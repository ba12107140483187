"""`freeda segment --resume` around a worker that segments at once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from freeda_svc.cli import worker_watch
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import list_jobs, segmentation_requests
from freeda_svc.jobs.results import result_folder
from freeda_svc.outputs.job_colours import COLOURS_FILE
from freeda_svc.packs.description import read_pack_parameters
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import queries
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

    def test_new_images_are_shown_in_the_colours_of_those_before(
        self, freeda: Freeda, worker: Worker, photos: Path, home: Path
    ) -> None:
        settings = load_settings(home=home)
        [before] = list_jobs(settings)
        notes = '["night", 1, 2, 3]\n["day", 250, 200, 150]\n'
        (result_folder(settings, before.id, 1).parent / COLOURS_FILE).write_text(notes)
        Image.new("L", (6, 4), 251).save(photos / "c.png")
        later = freeda(*self.COMMAND).json["job"]
        assert (result_folder(settings, later, 1).parent / COLOURS_FILE).read_text() == notes

    @pytest.mark.parametrize(
        "other", [("-c", "dusk"), ("--categories-file", "words.txt"), ("--beta", "0.5"), ("--synonyms", "mean")]
    )
    def test_other_categories_or_parameters_are_done_again(
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

    @pytest.mark.parametrize("collection", ["coco", "label-studio", "yolo", "voc", "index"])
    def test_files_for_all_images_are_made_of_what_was_done_before(
        self, freeda: Freeda, worker: Worker, collection: str
    ) -> None:
        ran = freeda(*self.COMMAND, "--format", f"mask,{collection}")
        assert (ran.code, worker.done, ran.json["job"]) == (0, [], None)
        before = {name: (Path("out") / name).read_bytes() for name in files_in(Path("out"))}
        again = freeda(*self.COMMAND, "--format", f"mask,{collection}")
        assert (again.code, len(again.json["skipped"])) == (0, 3)
        assert {name: (Path("out") / name).read_bytes() for name in files_in(Path("out"))} == before

    def test_an_image_whose_copy_is_needed_and_gone_is_done_again(
        self, freeda: Freeda, worker: Worker, home: Path
    ) -> None:
        for copy in (load_settings(home=home).artifacts_folder / "inputs").iterdir():
            copy.unlink()
        assert freeda(*self.COMMAND).json["skipped"] == ["a.png", "b.png", "deep/a.png"]
        assert freeda(*self.COMMAND, "--format", "mask,index").code == 0
        assert worker.done == ["a.png", "b.png", "deep/a.png"]

    def test_an_image_whose_kept_result_is_needed_and_gone_is_done_again(
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
            patch.setattr(worker_watch, "missing_worker", _interrupt)  # asked when it begins to wait
            interrupted = freeda(*self.COMMAND)
        assert interrupted.code == 130
        assert "the same command with --resume takes its results" in interrupted.err
        worker.resting = False
        again = freeda(*self.COMMAND)
        assert (again.json["job"], again.json["files"], worker.done) == (None, 3, ["c.png"])


class TestOlderResults:
    """What was made before the bank changed."""

    COMMAND = ("segment", "photos", "-r", "-c", "night, day", "--out", "out", "--quiet", "--json", "--resume")
    NEWER: ClassVar = {"additions": 2, "removals": "0"}

    @pytest.fixture(autouse=True)
    def first(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        assert freeda(*self.COMMAND).json["older"] == {"done_again": [], "kept": []}
        worker.done.clear()

    @pytest.mark.parametrize("now", [NEWER, {"additions": 1, "removals": "1"}, {"additions": 0, "removals": "0"}])
    def test_older_files_are_reported_and_made_again(self, freeda: Freeda, worker: Worker, now: dict[str, Any]) -> None:
        worker.bank = now
        ran = freeda(*self.COMMAND)
        assert ran.err == "older than what is in the bank now: 3 images; done again; --keep-older keeps such files\n"
        assert ran.json["older"] == {"done_again": ["a.png", "b.png", "deep/a.png"], "kept": []}
        assert worker.done == ["a.png", "b.png", "deep/a.png"]
        again = freeda(*self.COMMAND)
        assert (again.err, len(again.json["skipped"])) == ("", 3)

    def test_it_is_kept_when_asked_to(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        worker.bank = self.NEWER
        Image.new("L", (6, 4), 250).save(photos / "c.png")
        ran = freeda(*self.COMMAND, "--keep-older")
        assert ran.err == "older than what is in the bank now: 3 images; kept, as asked for\n"
        assert ran.json["older"] == {"done_again": [], "kept": ["a.png", "b.png", "deep/a.png"]}
        assert (ran.json["skipped"], worker.done) == (["a.png", "b.png", "deep/a.png"], ["c.png"])

    def test_only_the_older_ones_are_done_again(self, freeda: Freeda, worker: Worker, photos: Path) -> None:
        worker.bank = self.NEWER
        Image.new("L", (6, 4), 250).save(photos / "c.png")
        freeda(*self.COMMAND, "--keep-older")
        worker.done.clear()
        assert freeda(*self.COMMAND).json["skipped"] == ["c.png"]
        assert worker.done == ["a.png", "b.png", "deep/a.png"]

    def test_a_result_whose_files_were_not_written_has_an_age_too(self, freeda: Freeda, worker: Worker) -> None:
        Path("out/a.mask.png").unlink()
        worker.bank = self.NEWER
        assert freeda(*self.COMMAND, "--keep-older").json["files"] == 3
        Path("out/b.mask.png").unlink()
        ran = freeda(*self.COMMAND)
        assert worker.done == ["a.png", "b.png", "deep/a.png"]
        assert ran.err.startswith("older than what is in the bank now: 3 images;")

    def test_what_a_manifest_does_not_tell_is_looked_up(self, freeda: Freeda, worker: Worker, home: Path) -> None:
        manifest = Path("out/.freeda-segment.jsonl")
        entries = [json.loads(line) for line in manifest.read_text().splitlines()]
        for entry in entries:
            entry.pop("bank_version", None)
        manifest.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        assert len(freeda(*self.COMMAND).json["skipped"]) == 3
        job = list_jobs(load_settings(home=home))[0].id
        (result_folder(load_settings(home=home), job, 2) / "summary.json").unlink()
        assert freeda(*self.COMMAND).json["older"]["done_again"] == ["b.png"]  # nobody knows

    def test_a_bank_that_does_not_answer_is_reported_in_one_line(
        self, freeda: Freeda, worker: Worker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_settings: Settings, _bank: str) -> None:
            raise UnavailableError("the worker is busy")

        monkeypatch.setattr(queries, "bank_revision", refuse)
        ran = freeda(*self.COMMAND)
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "the worker is busy; --keep-older keeps them all" in ran.err
        kept = freeda(*self.COMMAND, "--keep-older")
        assert len(kept.json["skipped"]) == 3
        assert kept.err == "which files are older than the bank is not known, all are kept: the worker is busy\n"

    @pytest.mark.parametrize(
        "change", [("--categories-file", "words.txt"), ("--beta", "0.5"), ("--set", "short_side=32")]
    )
    def test_files_of_another_request_are_reported(
        self, freeda: Freeda, worker: Worker, change: tuple[str, ...]
    ) -> None:
        Path("words.txt").write_text("dawn\n")
        ran = freeda(*self.COMMAND, *change)
        told = "made for other categories, parameters, models or another bank: 3 images; done again\n"
        assert (ran.err, len(worker.done)) == (told, 3)
        assert ran.json["made_otherwise"] == ["a.png", "b.png", "deep/a.png"]

    @pytest.mark.parametrize("of", ["pack", "bank"])
    def test_another_pack_or_bank_of_the_same_name_is_another_request(
        self, freeda: Freeda, worker: Worker, monkeypatch: pytest.MonkeyPatch, of: str
    ) -> None:
        if of == "bank":
            monkeypatch.setattr(
                "freeda_svc.jobs.banks.bank_created", lambda _settings, _bank: "2026-01-01T00:00:00+00:00"
            )
        else:
            pack = read_pack_parameters("miniature")
            numbers = pack.parameters.replace(segmentation=pack.parameters.segmentation.replace(k=99))
            changed = replace(pack, parameters=numbers)
            assert changed.fingerprint == pack.fingerprint
            monkeypatch.setattr(segmentation_requests, "read_pack_parameters", lambda *_: changed)
        assert len(freeda(*self.COMMAND).json["made_otherwise"]) == 3

    @pytest.mark.parametrize(
        "line",
        [
            "{",
            '"text"',
            "[1]",
            "7",
            "{}",
            '{"stem": 1}',
            '{"request": [], "job": "x"}',
            "[" * 100_000,
            b"\xff".decode("latin1"),
        ],
    )
    def test_damaged_lines_are_reported_in_one(self, freeda: Freeda, worker: Worker, line: str) -> None:
        manifest = Path("out/.freeda-segment.jsonl")
        whole = manifest.read_text().splitlines()
        assert len(whole) == 4
        manifest.write_bytes("\n".join([whole[0], line, whole[2], line, whole[3], ""]).encode("latin1"))
        ran = freeda(*self.COMMAND)
        assert ran.code == 0
        assert ran.err == (
            "out/.freeda-segment.jsonl: 2 lines cannot be read; the images they recorded are done again\n"
        )
        assert ran.json["files"] == 3


def _interrupt(_settings: Settings) -> None:
    raise KeyboardInterrupt
