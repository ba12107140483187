"""Ctrl-C at any moment: the command ends soon, and whoever has submitted a job learns its id. Real processes."""

import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.jobs import list_jobs
from freeda_svc.settings import load_settings, prepare_home
from freeda_svc.workers.locks import worker_pid
from tests.cli.conftest import own_environment

Start = Callable[..., "subprocess.Popen[str]"]
TRIES = 8
PATIENCE_SECONDS = 120
ID = re.compile(r"\b[0-9a-f]{12}\b")


def _ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, out + err


@pytest.mark.end_to_end
def test_the_id_of_an_accepted_job_is_reported_whenever_ctrl_c_comes(home: Path, tmp_path: Path, start: Start) -> None:
    captions = tmp_path / "captions.txt"
    captions.write_text("\n".join(f"a ball number {number} on the grass" for number in range(2000)))
    settings = load_settings(home=home)
    begun = time.monotonic()
    code, told = _ended(start(home, "ingest", captions))
    whole = time.monotonic() - begun
    assert code == 0
    known = {job.id for job in list_jobs(settings)}
    assert known == set(ID.findall(told))
    moments = random.Random(7)
    for number in range(TRIES):
        process = start(home, "ingest", captions, *(["--wait"] if number % 2 else []))
        time.sleep(moments.uniform(0.3, 1.1) * whole)
        process.send_signal(signal.SIGINT)
        code, told = _ended(process)
        assert code in {0, 130, -signal.SIGINT}  # the last before the command, or after it
        accepted = {job.id for job in list_jobs(settings, limit=100)} - known
        assert accepted <= set(ID.findall(told))
        known |= accepted


@pytest.mark.end_to_end
def test_a_command_that_waits_for_a_locked_database_ends(home: Path, tmp_path: Path, start: Start) -> None:
    captions = tmp_path / "captions.txt"
    captions.write_text("a ball on the grass\n")
    settings = load_settings(home=home)
    prepare_home(settings)
    assert list_jobs(settings) == []
    with sqlite3.connect(settings.database_file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        process = start(home, "ingest", captions)
        _wait_until_open(process, settings.database_file)
        time.sleep(2)  # by now it waits, for half a minute
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        code, told = _ended(process)
        assert time.monotonic() - begun < 20  # it would have waited longer
        other.execute("ROLLBACK")
    other.close()
    assert code == 130
    assert told.strip().startswith("Interrupted.")
    assert list_jobs(settings) == []


def _wait_until_open(process: "subprocess.Popen[str]", file: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    descriptors = Path(f"/proc/{process.pid}/fd")
    while True:
        with suppress(OSError):  # of one that was closed meanwhile
            if any(descriptor.readlink() == file for descriptor in descriptors.iterdir()):
                return
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"the command does not open {file}"
        time.sleep(0.02)


SWALLOWING = """
import signal, time
from freeda_svc.cli.interrupts import watched_interrupts

signal.signal(signal.SIGINT, lambda *_given: None)
with watched_interrupts(lambda: "last words"):
    print("begun", flush=True)
    while True:
        time.sleep(60)
"""


@pytest.mark.parametrize("presses", [1, 2])
def test_a_signal_that_gets_lost_ends_the_command_all_the_same(tmp_path: Path, presses: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SWALLOWING],
        env=own_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert _ended(process) == (130, "\nlast words\n")


@pytest.mark.end_to_end
def test_the_demonstration_ends_with_a_word_and_leaves_no_process(tmp_path: Path, start: Start) -> None:
    out = tmp_path / "demo"
    process = start(tmp_path / "unused", "demo", "--out", out, "--captions", 30, "--scenes", 10)
    settings = load_settings(home=out / "home")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not worker_pid(settings) and time.monotonic() < deadline:
        time.sleep(0.1)
    worker = worker_pid(settings)
    assert worker
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    code, told = _ended(process)
    assert code == 130
    assert "the demonstration is stopped" in told
    assert worker_pid(settings) is None
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.end_to_end
def test_control_c_while_waiting_ends_the_command_and_not_the_job(
    start: Start, freeda: Callable[..., Any], home: Path, inputs: Path
) -> None:
    submitted = start(home, "ingest", inputs / "captions.txt", "--limit", "2", "--wait")
    job = _interrupted(submitted, "ingest: 0 of 2 captions\n")
    _interrupted(start(home, "jobs", "watch", job), "ingest: 0 of 2 captions\n")
    shown = freeda("jobs", "show", job, "--json").json
    assert (shown["state"], shown["progress"]["queued"]) == ("queued", 1)


def _interrupted(process: "subprocess.Popen[str]", once_it_says: str) -> str:
    """Press Ctrl-C when a line has come on standard error; return the job that it names."""
    assert process.stderr is not None
    assert process.stderr.readline().startswith("No worker is running on this home: start one with `freeda up`")
    assert process.stderr.readline() == once_it_says
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, out) == (130, "")
    words = err.split()
    assert err == (
        f"Interrupted; job {words[2]} goes on: `freeda jobs watch {words[2]}` follows it, "
        f"`freeda jobs cancel {words[2]}` ends it.\n"
    )
    return words[2]
