"""The live view: what it shows, once and on a terminal."""

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from freeda_svc.bank.banks import BankName
from freeda_svc.cli.snapshots import Snapshot, take_snapshot
from freeda_svc.cli.top import end_requested, watch_service
from freeda_svc.cli.top_view import render, share_rows
from freeda_svc.jobs.banks import open_banks
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.jobs.tables import now
from freeda_svc.settings import Settings, load_settings

Freeda = Callable[..., Any]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("FREEDA_CAPTIONS_PER_ITEM", "1")
    monkeypatch.setenv("FREEDA_MAX_ATTEMPTS", "1")
    return load_settings()


@pytest.fixture
def job(freeda: Freeda, settings: Settings, inputs: Path) -> str:
    """Five items: one done, one failed, one in hand, two waiting; and a bank."""
    submitted: str = freeda("ingest", inputs / "captions.txt", "--limit", 5).out.strip()
    first = claim_next(settings, "worker-1")
    assert first is not None
    finish_item(settings, first, {"prototypes": 2})
    second = claim_next(settings, "worker-1")
    assert second is not None
    fail_item(settings, second, "no luck today", final=True)
    assert claim_next(settings, "worker-1") is not None
    open_banks(settings).create(BankName("default", 1), "0123456789abcdef", 4, 3)
    return submitted


def test_a_new_installation_has_nothing_to_show(freeda: Freeda, home: Path) -> None:
    ran = freeda("top")
    assert (ran.code, ran.err) == (0, "")
    assert "0 open jobs" in ran.out
    assert "bank default: there is none yet" in ran.out


def test_everything_is_shown_once_where_there_is_no_terminal(freeda: Freeda, job: str) -> None:
    ran = freeda("top")
    assert (ran.code, ran.err) == (0, "")
    assert "1 open job: 2 queued, 1 running, 1 done, 1 failed" in ran.out
    assert f"{job}  ingest  running  [####................]  1/5 captions" in ran.out
    assert "bank default@1: 0 prototypes" in ran.out
    assert "worker-1" in ran.out
    assert "no worker on this home; 1 with running items" in ran.out
    assert f"{job} item 2  set aside: no luck today" in ran.out
    assert freeda("top", "--once").out.splitlines()[1:7] == ran.out.splitlines()[1:7]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (120, 40), (200, 60)])
@pytest.mark.usefixtures("job")
def test_all_fits_on_a_screen_and_the_last_line_is_of_what_went_wrong(
    freeda: Freeda, settings: Settings, inputs: Path, width: int, height: int
) -> None:
    for _ in range(12):
        freeda("ingest", inputs / "captions.txt", "--limit", 3)
    for number in range(9):
        claim = claim_next(settings, f"gpu-{number}@a-host-with-a-very-long-name.example.org:/home/somebody/.freeda")
        assert claim is not None
        if number < 3:
            fail_item(settings, claim, "the image\nis " + "very " * 60 + "broken", final=True)
    screen = io.StringIO()
    console = Console(file=screen, width=width, height=height, force_terminal=False, emoji=False)
    console.print(render(settings, take_snapshot(settings), width=width, height=height))
    lines = screen.getvalue().splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "what went wrong lately" in lines
    assert any(line.endswith(".txt") for line in lines)
    assert sum("gpu-" in line for line in lines) >= 2
    assert lines[-1].startswith(f"{now():%H}")
    first = next(number for number, line in enumerate(lines) if line.startswith("job "))
    assert "running" in lines[first + 1]


@pytest.mark.parametrize(
    ("room", "wanted", "shown"),
    [
        (15, (9, 6, 5), [4, 3, 2]),
        (15, (9, 0, 0), [9, 0, 0]),
        (3, (9, 6, 5), [3, 2, 2]),
        (100, (9, 6, 5), [9, 6, 5]),
        (9, (1, 0, 9), [1, 0, 4]),
    ],
)
def test_lines_of_the_screen_are_shared_between_parts(
    room: int, wanted: tuple[int, int, int], shown: list[int]
) -> None:
    assert share_rows(room, wanted) == shown


def test_a_snapshot_is_json(freeda: Freeda, job: str) -> None:
    told = freeda("top", "--json").json
    assert told["items"] == {"done": 1, "failed": 1, "queued": 2, "running": 1}
    assert (told["open_jobs"], told["jobs"][0]["id"], told["worker"]) == (1, job, None)
    assert told["bank"] == {"name": "default@1", "prototypes": 0, "problem": ""}
    assert [trouble["kind"] for trouble in told["troubles"]] == ["set aside", "failed"]
    assert told["queues"][0]["waiting"] == {"normal": 2}


def test_a_bank_that_cannot_be_reached_does_not_hide_the_rest(
    freeda: Freeda, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREEDA_QDRANT_URL", "http://127.0.0.1:1")
    ran = freeda("top", "--json")
    assert ran.code == 0
    assert ran.json["bank"]["prototypes"] is None
    assert "127.0.0.1" in ran.json["bank"]["problem"]


def test_a_key_ends_the_wait() -> None:
    typed = iter(["x", "q"])
    assert end_requested(lambda _seconds: next(typed), 60)
    assert not end_requested(lambda _seconds: "", 0.01)


def test_an_interrupt_lost_in_a_finaliser_still_ends_it(home: Path, job: str) -> None:
    looks = 0

    def look(settings: Settings) -> Snapshot:
        nonlocal looks
        looks += 1
        assert looks < 5
        with suppress(KeyboardInterrupt):  # as the interpreter does with what a finaliser raises
            if looks > 1:
                signal.raise_signal(signal.SIGINT)
        return take_snapshot(settings)

    with pytest.raises(KeyboardInterrupt):
        watch_service(load_settings(home=home), 0.01, look)
    assert looks == 2


@pytest.fixture
def terminal(home: Path) -> Iterator[Callable[..., tuple["subprocess.Popen[bytes]", int]]]:
    """Start a command on a terminal of its own; gives the process and the terminal's other end."""
    opened: list[tuple[subprocess.Popen[bytes], int]] = []

    def start(*arguments: str) -> tuple["subprocess.Popen[bytes]", int]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", "from freeda_svc.cli.main import main; main()", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        )  # fmt: skip
        os.close(theirs)
        opened.append((process, ours))
        return process, ours

    yield start
    for process, ours in opened:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(process: "subprocess.Popen[bytes]", terminal: int, text: bytes) -> bytes:
    seen = b""
    deadline = time.monotonic() + 120
    while text not in seen:
        assert time.monotonic() < deadline, seen
        assert process.poll() is None, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 65536)
    return seen


def _wait(process: "subprocess.Popen[bytes]", terminal: int) -> int:
    """Its exit code; what it still writes is read, else it would wait for a terminal that is full."""
    deadline = time.monotonic() + 120
    while process.poll() is None:
        assert time.monotonic() < deadline
        with suppress(OSError):  # the other end is closed
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 65536)
    return process.returncode


@pytest.mark.end_to_end
@pytest.mark.parametrize(("ending", "code"), [(b"q", 0), (b"\x03", 130)])
def test_on_a_terminal_it_lives_until_a_key_ends_it(
    terminal: Callable[..., tuple["subprocess.Popen[bytes]", int]], job: str, ending: bytes, code: int
) -> None:
    process, shown = terminal("top", "--interval", "0.2")
    _read_until(process, shown, b"no luck today")
    if ending == b"\x03":
        process.send_signal(signal.SIGINT)
    else:
        os.write(shown, ending)
    assert _wait(process, shown) == code


@pytest.mark.end_to_end
def test_waiting_shows_a_bar_on_a_terminal(
    terminal: Callable[..., tuple["subprocess.Popen[bytes]", int]], job: str
) -> None:
    process, shown = terminal("jobs", "watch", job)
    seen = _read_until(process, shown, b"1/5")
    assert b"ingest" in seen
    process.send_signal(signal.SIGINT)
    assert _wait(process, shown) == 130
