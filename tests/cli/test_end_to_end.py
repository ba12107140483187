"""A first session with real processes: the stack, captions to prototypes, images to masks, and what is left behind."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.miniature.scenes import Scene
from freeda_svc.settings import load_settings
from freeda_svc.workers import ready_worker, running_broker_url, worker_pid

pytestmark = pytest.mark.end_to_end
Start = Callable[..., "subprocess.Popen[str]"]
START_SECONDS = 240.0
CATEGORIES = ("sky", "water", "sand", "grass")
COCO = "captions_val2017.json"


@dataclass
class Stack:
    """A home, its `freeda up`, and what a command said before the bank was filled."""

    home: Path
    process: "subprocess.Popen[str]"
    empty_bank: tuple[int, str, str]


@pytest.fixture(scope="module")
def run(start: Start) -> Callable[..., tuple[int, str, str]]:
    """Run a command to its end as a process."""

    def run_to_end(home: Path, *arguments: object) -> tuple[int, str, str]:
        process = start(home, *arguments)
        out, err = process.communicate(timeout=START_SECONDS)
        return process.returncode, out, err

    return run_to_end


@pytest.fixture(scope="module")
def stack(
    start: Start,
    run: Callable[..., tuple[int, str, str]],
    inputs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """`freeda up` on a new home; an image is segmented before there is a bank, then the captions are ingested."""
    home = tmp_path_factory.mktemp("stack") / "home"
    process = _up(start, home)
    try:
        empty_bank = run(home, "segment", inputs / "scene-0.png", "-c", "sky", "--wait")
        code, out, err = run(home, "ingest", inputs / "captions.txt", "--wait")
        assert code == 0, err
        assert "16 captions, 16 images, " in out
        running = Stack(home, process, empty_bank)
        yield running
        process = running.process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)


def _up(start: Start, home: Path) -> "subprocess.Popen[str]":
    process = start(home, "up")
    settings = load_settings(home=home)
    deadline = time.monotonic() + START_SECONDS
    while ready_worker(settings) != process.pid:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the worker does not become ready"
        time.sleep(0.1)
    return process


@pytest.fixture
def command(freeda: Callable[..., Any], stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command in this process on the home of the stack."""
    monkeypatch.setenv("FREEDA_HOME", str(stack.home))
    return freeda


def test_without_a_bank_a_job_fails_and_says_what_to_do_first(stack: Stack) -> None:
    code, out, err = stack.empty_bank
    assert (code, out) == (1, "")
    reason = next(line for line in err.splitlines() if line.startswith("item 1 (scene-0.png): "))
    assert "run `freeda ingest" in reason
    assert "first" in reason
    assert "Traceback" not in err
    assert "1 of 1 item failed; `freeda jobs errors " in err


def test_ingesting_again_adds_nothing(command: Callable[..., Any], inputs: Path) -> None:
    before = command("bank", "stats", "--json").json["prototypes"]
    again = command("ingest", inputs / "captions.txt", "--limit", 8, "--wait", "--quiet", "--json")
    assert (again.code, again.err) == (0, "")
    assert again.json["state"] == "done"
    assert (again.json["totals"]["captions"], again.json["totals"]["new prototypes"]) == (8, 0)
    assert command("bank", "stats", "--json").json["prototypes"] == before


def test_own_examples_teach_a_noun(command: Callable[..., Any], inputs: Path) -> None:
    pair = ("--image", inputs / "scene-0.png", "--mask", inputs / "mask-0.png")
    submitted = command("bank", "add-exemplars", "--noun", "Excavator bucket", *pair)
    job = submitted.out.strip()
    watched = command("jobs", "watch", job)
    assert (watched.code, watched.out) == (0, f"job {job} is done\n")
    shown = command("jobs", "show", job)
    assert "1 new prototypes" in shown.out
    assert "1 exemplars" in shown.out
    [found] = command("bank", "search", "excavator bucket", "--limit", 1, "--json").json
    assert (found["noun"], found["caption"]) == ("excavator bucket", "a photo of the excavator bucket")
    forgotten = command("bank", "forget", "--job", job, "--yes", "--json")
    assert forgotten.json == {"bank": "default@1", "found": 1, "removed": 1}


def test_own_examples_come_from_annotations(command: Callable[..., Any], inputs: Path, scenes: list[Scene]) -> None:
    ran = command("bank", "add-exemplars", "--annotations", inputs / "marks.json", "--wait", "--quiet", "--json")
    assert ran.code == 0
    assert re.fullmatch(
        r"annotations left out: 1 crowds, annotations\[\d\] \(.*; --take-crowds takes them\)\n", ran.err
    )
    assert (ran.json["state"], ran.json["left_out"]) == ("done", {"crowds": 1})
    assert ran.json["totals"] == {"exemplars": 1, "prototypes": 1, "new prototypes": 1}
    shown = command("jobs", "show", ran.json["job"], "--json").json
    assert shown["kind"] == "exemplars"
    forgotten = command("bank", "forget", "--origin", "exemplar", "--noun", scenes[0].nouns[0], "--yes", "--json")
    assert forgotten.json == {"bank": "default@1", "found": 1, "removed": 1}


def test_images_become_masks(command: Callable[..., Any], inputs: Path, tmp_path: Path) -> None:
    images = [inputs / "scene-0.png", inputs / "scene-1.png"]
    ran = command("segment", *images, "-c", ", ".join(CATEGORIES), "--out", tmp_path / "out", "--wait", "--json")
    assert ran.code == 0
    assert ran.json["state"] == "done"
    assert [image["name"] for image in ran.json["images"]] == ["scene-0.png", "scene-1.png"]
    for image in ran.json["images"]:
        stem = Path(image["name"]).stem
        with Image.open(tmp_path / "out" / f"{stem}.mask.png") as mask:
            assert (mask.mode, mask.size) == ("P", (64, 64))
            labels = np.asarray(mask)
        shares = np.bincount(labels.ravel(), minlength=len(CATEGORIES)) / labels.size
        assert [category["name"] for category in image["categories"]] == list(CATEGORIES)
        assert [category["area_share"] for category in image["categories"]] == pytest.approx(shares)
        with Image.open(tmp_path / "out" / f"{stem}.overlay.png") as overlay:
            assert overlay.width >= 64
            assert overlay.mode == "RGB"
        assert (tmp_path / "out" / f"{stem}.json").stat().st_size > 0
    exported = command("jobs", "export", ran.json["job"], "--out", tmp_path / "again")
    assert exported.code == 0
    for path in (tmp_path / "out").glob("[!.]*"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_proposals_for_several_images_are_one_list(
    command: Callable[..., Any], inputs: Path, scenes: list[Scene], tmp_path: Path
) -> None:
    images = [inputs / "scene-0.png", inputs / "scene-1.png"]
    formats = ("--format", "mask,coco")
    ran = command("segment", *images, "--auto", "--out", tmp_path, "--quiet", "--json", *formats)
    assert ran.code == 0
    first, second = ([category["name"] for category in image["categories"]] for image in ran.json["images"])
    assert first == second
    proposed = [{entry["noun"] for entry in image["proposals"]["categories"]} for image in ran.json["images"]]
    assert set(first) == proposed[0] | proposed[1]
    assert set(first) & set(scenes[0].nouns)
    assert [category["name"] for category in json.loads((tmp_path / "coco.json").read_text())["categories"]] == first


def test_masks_that_are_older_than_the_bank_are_done_again(
    command: Callable[..., Any], inputs: Path, tmp_path: Path
) -> None:
    again = ("segment", inputs / "scene-0.png", "-c", "sky, zebra", "--out", tmp_path, "--resume", "--quiet", "--json")
    first = command(*again)
    assert (first.code, first.err) == (0, "")
    [_, zebra] = first.json["images"][0]["categories"]
    assert (zebra["words"][0]["prototypes"], bool(zebra["words"][0]["nearest"])) == (0, True)
    assert command(*again).json["skipped"] == ["scene-0.png"]
    pair = ("--image", inputs / "scene-0.png", "--mask", inputs / "mask-0.png")
    assert command("bank", "add-exemplars", "--noun", "zebra", *pair, "--wait", "--quiet").code == 0
    try:
        assert command(*again, "--keep-older").json["older"]["kept"] == ["scene-0.png"]
        ran = command(*again)
        assert ran.err == "older than what is in the bank now: 1 image; done again; --keep-older keeps such files\n"
        assert ran.json["images"][0]["categories"][1]["words"][0]["prototypes"] == 1
        assert command(*again).json["skipped"] == ["scene-0.png"]
    finally:
        assert command("bank", "forget", "--noun", "zebra", "--yes").code == 0
    assert command(*again).json["older"]["done_again"] == ["scene-0.png"]


def test_jobs_can_be_looked_at(command: Callable[..., Any], inputs: Path) -> None:
    submitted = command("segment", inputs / "scene-1.png", "-c", "sky, water", "--beta", "1", "--superpixels", "none")
    job = submitted.out.strip()
    watched = command("jobs", "watch", job)
    assert (watched.code, watched.out) == (0, f"job {job} is done\n")
    listed = command("jobs", "list", "--json").json
    assert listed[0]["id"] == job
    assert listed[0]["progress"]["done"] == 1
    shown = command("jobs", "show", job[:8], "--json").json
    assert shown["parameters"]["overrides"] == {"beta": 1.0, "superpixels": "none"}
    assert shown["items"][0]["result"]["parameters"]["superpixels"]["algorithm"] == "none"
    assert job in command("jobs", "list").out
    assert "scene-1.png" in command("jobs", "show", job).out
    assert command("jobs", "cancel", job).err.startswith(f"Error: job {job} is done already")
    assert command("jobs", "retry", job).err == f"Error: job {job} has no failed items\n"


def test_one_damaged_image_of_two_is_a_part_that_failed(
    command: Callable[..., Any], inputs: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "damaged.jpg")
    whole = (tmp_path / "damaged.jpg").read_bytes()
    (tmp_path / "damaged.jpg").write_bytes(whole[:-1500])
    ran = command("segment", inputs / "scene-0.png", tmp_path / "damaged.jpg", "-c", "sky", "--wait", "--quiet")
    assert ran.code == 3
    first, last = ran.err.splitlines()
    assert first.startswith("item 2 (damaged.jpg): ")
    assert last.startswith("1 of 2 items failed; `freeda jobs errors ")


def test_real_captions_run_through(command: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    shared = Path(os.environ.get("FREEDA_SHARED", request.config.rootpath.parent / "shared"))
    captions = next((path for path in (shared / "data" / COCO, shared / COCO) if path.is_file()), None)
    if captions is None:
        pytest.skip(f"COCO Captions are not bundled: put {COCO} into {shared}/data, or set FREEDA_SHARED")
    ran = command("ingest", captions, "--limit", 16, "--wait", "--quiet", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["totals"]["captions"] == 16


def test_the_bank_answers_with_and_without_a_worker_and_control_c_leaves_no_process(
    start: Start, stack: Stack, command: Callable[..., Any]
) -> None:
    def ask() -> list[Any]:
        stats = command("bank", "stats", "--json").json
        del stats["bytes_on_disk"]
        found = command("bank", "search", "sky", "--limit", 3, "--json").json
        for entry in found:  # processes with other numbers of threads round the last digit differently
            entry["score"] = round(entry["score"], 5)
        return [stats, command("bank", "nouns", "--json").json, found]

    settings = load_settings(home=stack.home)
    while_it_runs = ask()
    stats, nouns, found = while_it_runs
    assert sum(nouns.values()) == stats["prototypes"] > 0
    assert found[0]["noun"] == "sky"
    assert "sky" in command("bank", "nouns").out
    assert "caption" in command("bank", "search", "sky").out.splitlines()[0]

    try:
        stack.process.send_signal(signal.SIGINT)
        _, err = stack.process.communicate(timeout=120)
        assert stack.process.returncode == 130
        assert err.endswith("Stopped; what is queued waits for the next `freeda up`.\n")
        assert "Traceback" not in err
        assert _processes_of(stack.home) == []
        assert worker_pid(settings) is running_broker_url(settings) is None
        assert ask() == while_it_runs
    finally:
        stack.process = _up(start, stack.home)


def _processes_of(home: Path) -> list[str]:
    """The command lines of processes whose environment or working directory names the home."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            named = str(home).encode() in (process / "environ").read_bytes()
            within = (process / "cwd").readlink().is_relative_to(home)
        except OSError:
            continue
        if named or within:
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found
