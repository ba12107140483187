"""Jobs, the queue and what fails, from the command line; the test is the worker."""

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from PIL import Image
from sqlalchemy import update

from freeda_svc.cli.console import duration_text, size_text
from freeda_svc.cli.options import read_age
from freeda_svc.errors import InputError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.claims import Claim, claim_next, fail_item, finish_item
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.tables import Job, now
from freeda_svc.settings import Settings, load_settings

Freeda = Callable[..., Any]


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """One caption an item, one attempt."""
    monkeypatch.setenv("FREEDA_CAPTIONS_PER_ITEM", "1")
    monkeypatch.setenv("FREEDA_MAX_ATTEMPTS", "1")
    return load_settings()


@pytest.fixture
def submit(freeda: Freeda, settings: Settings, inputs: Path) -> Callable[..., str]:
    def run(count: int, *options: object) -> str:
        ran = freeda("ingest", inputs / "captions.txt", "--limit", count, "--quiet", *options)
        assert (ran.code, ran.err) == (0, "")
        job: str = ran.out.strip()
        return job

    return run


@pytest.fixture
def take(settings: Settings) -> Callable[[], Claim]:
    def run() -> Claim:
        claim = claim_next(settings, "worker-1")
        assert claim is not None
        return claim

    return run


def test_without_wait_the_id_is_printed_and_nothing_else(freeda: Freeda, settings: Settings, inputs: Path) -> None:
    ran = freeda("ingest", inputs / "captions.txt", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip().isalnum()
    assert ran.out.count("\n") == 1
    assert freeda("jobs", "list", "--json").json[0]["id"] == ran.out.strip()


def test_asking_again_under_a_key_gives_the_same_job(freeda: Freeda, submit: Callable[..., str], inputs: Path) -> None:
    job = submit(2, "--idempotency-key", "nightly")
    assert submit(2, "--idempotency-key", "nightly") == job
    assert len(freeda("jobs", "list", "--json").json) == 1
    other = freeda("ingest", inputs / "captions.txt", "--limit", 3, "--idempotency-key", "nightly")
    assert (other.code, other.out, other.err.count("\n")) == (1, "", 1)
    assert job in other.err


def test_the_queue_shows_what_waits_by_priority_and_who_has_what(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim]
) -> None:
    submit(2, "--priority", "low")
    urgent = submit(3, "--priority", "HIGH")
    assert freeda("jobs", "show", urgent, "--json").json["priority"] == "high"
    ingest, *_ = freeda("queue", "--json").json
    assert (ingest["kind"], ingest["items"], ingest["waiting"]) == (
        "ingest",
        {"queued": 5, "running": 0},
        {"low": 2, "high": 3},
    )
    assert ingest["oldest_seconds"] >= 0
    claim = take()
    assert claim.job_id == urgent
    ran = freeda("queue")
    assert ran.out.splitlines()[1].split()[:5] == ["ingest", "4", "2", "0", "2"]
    assert ran.out.splitlines()[-1].split()[:2] == [urgent, "1"]
    assert ran.out.splitlines()[-1].endswith("worker-1")
    assert "No worker is running" in ran.err
    [running] = freeda("queue", "--json").json[0]["running"]
    assert (running["job_id"], running["attempt"], running["worker"]) == (urgent, 1, "worker-1")


def test_an_empty_queue_says_so_in_zeros(freeda: Freeda, settings: Settings) -> None:
    ran = freeda("queue")
    assert (ran.code, ran.err) == (0, "")
    assert [line.split()[1:5] for line in ran.out.splitlines()[1:]] == [["0", "0", "0", "0"]] * len(JobKind)


def test_errors_are_listed_and_can_be_tried_again(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim], settings: Settings
) -> None:
    job = submit(4)
    for number in range(3):
        fail_item(settings, take(), f"reason {number}", f"Traceback\n  line {number}", final=False)
    finish_item(settings, take(), {"prototypes": 1})
    ran = freeda("jobs", "errors", job, "--limit", 2)
    lines = ran.out.splitlines()
    assert lines[1].split() == ["1", "1", "captions", "1", "reason", "0"]
    assert lines[3] == "... and 1 more; --limit shows more, --json all."
    assert lines[4] == f"3 of 4 items failed; `freeda jobs retry {job}` tries them again."
    told = freeda("jobs", "errors", job, "--json").json
    assert [(error["number"], error["error"]) for error in told] == [(1, "reason 0"), (2, "reason 1"), (3, "reason 2")]
    assert told[0]["details"] == "Traceback\n  line 0"
    assert "Traceback\n  line 1\n" in freeda("jobs", "errors", job, "--details").out
    watched = freeda("jobs", "watch", job, "--quiet", "--json")
    assert (watched.code, watched.json["state"]) == (3, "partly failed")
    assert watched.err.splitlines()[-1].startswith(f"3 of 4 items failed; `freeda jobs errors {job}` lists them")
    assert freeda("jobs", "retry", job, "--json").json == {"job": job, "queued": 3}
    assert freeda("jobs", "errors", job).out == f"No item of job {job} has failed.\n"


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        (
            "not yet",
            "Job {0} was accepted: `freeda jobs show {0}` shows how far it is, `freeda jobs cancel {0}` ends it.",
        ),
        ("done", "Job {0} is done: `freeda jobs show {0}` shows it."),
        (
            "failed",
            "Job {0} is failed: `freeda jobs errors {0}` lists what failed, `freeda jobs retry {0}` tries it again.",
        ),
    ],
)
def test_a_command_that_fails_tells_of_its_job_on_a_line_of_its_own(  # noqa: PLR0917 - pytest passes them by name
    freeda: Freeda,
    settings: Settings,
    take: Callable[[], Claim],
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: str,
    told: str,
) -> None:
    def fail_afterwards(*_given: object, **_named: object) -> None:
        if ends == "done":
            finish_item(settings, take(), {})
        elif ends == "failed":
            fail_item(settings, take(), "no luck", final=True)
        raise InputError("it\nbroke")

    monkeypatch.setattr("freeda_svc.cli.ingest_options.follow_submitted", fail_afterwards)
    ran = freeda("ingest", inputs / "captions.txt", "--limit", 1, "--wait")
    [job] = freeda("jobs", "list", "--json").json
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"Error: it broke\n{told.format(job['id'])}\n"


def test_a_job_of_which_all_failed_is_code_1(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim], settings: Settings
) -> None:
    job = submit(1)
    fail_item(settings, take(), "no luck", final=True)
    watched = freeda("jobs", "watch", job)
    assert (watched.code, watched.out) == (1, f"job {job} is failed\n")


def test_jobs_that_ended_long_ago_are_removed_when_somebody_agrees(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim], settings: Settings
) -> None:
    old, young = submit(1), submit(1)
    finish_item(settings, take(), {})
    finish_item(settings, take(), {})
    open_one = submit(1)
    with writing(settings) as session:
        session.execute(update(Job).where(Job.id == old).values(updated_at=now() - timedelta(days=31)))
    dry = freeda("jobs", "prune", "--dry-run", "--json").json
    assert ([job["id"] for job in dry["jobs"]], dry["removed"]) == ([old], False)
    assert "1 job and 0 files (0 B) would be removed" in freeda("jobs", "prune", "--dry-run").out
    refused = freeda("jobs", "prune")
    assert (refused.code, refused.out) == (2, "")
    assert "give --yes" in refused.err
    pruned = freeda("jobs", "prune", "--yes", "--json")
    assert (pruned.json["removed"], pruned.err) == (True, "")
    assert {job["id"] for job in freeda("jobs", "list", "--json").json} == {young, open_one}
    assert freeda("jobs", "prune").out == "there is nothing to remove\n"
    assert freeda("jobs", "prune", "--older-than", "0s", "--yes").out == "1 job and 0 files (0 B) are removed\n"


def test_jobs_that_are_named_are_removed_at_once(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim], settings: Settings
) -> None:
    first, second, waiting = submit(1), submit(1), submit(1)
    for _ in range(2):
        finish_item(settings, take(), {})
    refused = freeda("jobs", "prune", first, waiting, "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert f"job {waiting} has not ended" in refused.err
    assert freeda("jobs", "prune", first, "--older-than", "1d").code == 2
    assert freeda("jobs", "prune", first[:6], "--yes").out == "1 job and 0 files (0 B) are removed\n"
    assert [job["id"] for job in freeda("jobs", "list", "--json").json] == [waiting, second]
    assert freeda("jobs", "prune", first, "--yes").code == 1


def test_several_jobs_are_cancelled_together(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim], settings: Settings
) -> None:
    done, first, second, third = submit(1), submit(2), submit(1), submit(1)
    finish_item(settings, take(), {})
    assert freeda("jobs", "cancel", first, "ffffffffffff").code == 1
    assert freeda("jobs", "show", first, "--json").json["state"] == "queued"
    ran = freeda("jobs", "cancel", first, second, first[:8])
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"job {first}: 2 items cancelled\njob {second}: 1 item cancelled\n"
    ran = freeda("jobs", "cancel", done, third, "--json")
    assert ran.code == 3
    assert [(job["job"], job["cancelled"]) for job in ran.json] == [(third, 1), (done, 0)]
    assert f"job {done} is done already" in ran.err
    ran = freeda("jobs", "cancel", done, third)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 2)
    assert freeda("jobs", "cancel").code == 2


def test_jobs_are_listed_by_state_kind_source_and_age(
    freeda: Freeda, submit: Callable[..., str], take: Callable[[], Claim], settings: Settings, inputs: Path
) -> None:
    done, failed, queued = submit(1), submit(1), submit(1)
    finish_item(settings, take(), {})
    fail_item(settings, take(), "no luck", final=True)
    segment = freeda("segment", inputs / "scene-0.png", "-c", "ball, sky").out.strip()
    with writing(settings) as session:
        session.execute(update(Job).where(Job.id == done).values(created_at=now() - timedelta(days=3)))

    def listed(*options: str) -> list[str]:
        return [job["id"] for job in freeda("jobs", "list", "--json", *options).json]

    assert listed("--state", "failed") == [failed]
    assert listed("--state", "done", "--state", "FAILED") == [failed, done]
    assert listed("--state", "partly-failed") == []
    assert listed("--state", "open") == [segment, queued]
    assert listed("--state", "ended", "--limit", "1") == [failed]
    assert listed("--kind", "segment") == [segment]
    assert listed("--kind", "ingest", "--state", "open") == [queued]
    assert listed("--source", "CAPTIONS.txt") == [queued, failed, done]
    assert listed("--source", "%") == []
    assert listed("--since", "2d") == [segment, queued, failed]
    assert freeda("jobs", "list", "--state", "running").out == "No job is like that.\n"
    assert freeda("jobs", "list", "--state", "broken").code == 2


@pytest.mark.parametrize(
    "age", ["30", "d", "-3d", "3w", "", "1.5d", "²d", "99999999999999d", "36501d", "9" * 5000 + "d"]
)
def test_what_is_no_age_is_refused(freeda: Freeda, settings: Settings, age: str) -> None:
    ran = freeda("jobs", "prune", "--older-than", age)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_ages_are_read_with_their_units() -> None:
    parameter = click.Option(["--older-than"])
    ages = [read_age(click.Context(click.Command("x")), parameter, text) for text in ("30d", "12h", "45m", "0s")]
    assert ages == [timedelta(days=30), timedelta(hours=12), timedelta(minutes=45), timedelta()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (7384, "2 h 3 min"), (90000, "1 d 1 h")],
)
def test_time_spans_are_short(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 << 40, "3072.0 GiB")])
def test_sizes_are_short(count: int, text: str) -> None:
    assert size_text(count) == text


def test_a_warning_goes_to_standard_error(
    freeda: Freeda, settings: Settings, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker answers the first question and is gone when messages are sent."""
    monkeypatch.setattr("freeda_svc.workers.messages.CeleryDispatcher.check", lambda _self: None)
    monkeypatch.setenv("FREEDA_BROKER_URL", "redis://127.0.0.1:1/0")
    ran = freeda("ingest", inputs / "captions.txt", "--json", "--quiet")
    assert set(ran.json) == {"job", "left_out"}
    assert ran.err.startswith("warning: ")
    assert ran.err.count("\n") == 1


def test_a_segmentation_has_priority_and_key(freeda: Freeda, settings: Settings, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    freeda("bank", "create", "default")
    asked = ("segment", tmp_path / "a.png", "-c", "sky", "--priority", "high", "--idempotency-key", "once")
    job = freeda(*asked).out.strip()
    assert freeda(*asked).out.strip() == job
    [listed] = freeda("jobs", "list", "--json").json
    assert (listed["id"], listed["priority"], listed["idempotency_key"]) == (job, "high", "once")
    assert freeda(*asked, "--out", tmp_path / "out", "--resume").code == 2


def test_what_a_segmentation_has_done_so_far_can_be_exported(
    freeda: Freeda, settings: Settings, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    freeda("bank", "create", "default")
    job = freeda("segment", tmp_path / "a.png", "-c", "sky").out.strip()
    ran = freeda("jobs", "export", job, "--out", tmp_path / "out", "--json")
    assert ran.json == {"job": job, "images": 0, "left_out": 1, "errors": [], "files": []}
    plain = freeda("jobs", "export", job, "--out", tmp_path / "out")
    assert (plain.code, plain.out, plain.err.count("\n")) == (1, "", 1)
    assert plain.err.startswith(f"Error: nothing was written to {tmp_path / 'out'}: no image of job {job} is done yet")
    unknown = freeda("jobs", "export", job, "--out", tmp_path / "out", "--format", "poem")
    assert (unknown.code, unknown.out, unknown.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("ends", "why"), [("failed", "no image of job {} could be"), ("cancelled", "job {} was cancelled")]
)
def test_an_export_of_nothing_says_why(  # noqa: PLR0917 - pytest passes them by name
    freeda: Freeda, settings: Settings, take: Callable[[], Claim], tmp_path: Path, ends: str, why: str
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    freeda("bank", "create", "default")
    job = freeda("segment", tmp_path / "a.png", "-c", "sky").out.strip()
    if ends == "failed":
        fail_item(settings, take(), "no luck", final=True)
    else:
        freeda("jobs", "cancel", job)
    ran = freeda("jobs", "export", job, "--out", tmp_path / "out", "--format", "mask,coco")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith(f"Error: nothing was written to {tmp_path / 'out'}: {why.format(job)}")
    assert not (tmp_path / "out").exists()


def test_a_reader_that_has_had_enough_is_no_mistake(freeda: Freeda, settings: Settings, tmp_path: Path) -> None:
    """As in `freeda config | head -1`."""
    import subprocess  # noqa: PLC0415

    command = [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", "config", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(120) == 1


def test_json_of_a_listing_is_one_document(freeda: Freeda, submit: Callable[..., str]) -> None:
    submit(1)
    for command in ("jobs list", "queue", "top", "config", "bank list", "packs list"):
        json.loads(freeda(*command.split(), "--json").out)
