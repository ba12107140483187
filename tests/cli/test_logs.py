"""``freeda logs``: the last lines of a worker's log, and what is told from then on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Freeda = Callable[..., Any]


def _line(number: int, **more: object) -> str:
    told = {"event": f"number {number}", "logger": "freeda_svc.workers.tasks", "level": "info"}
    return json.dumps({**told, "timestamp": "2030-01-02T03:04:05.678901Z", **more}) + "\n"


def _eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def log(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of ten lines in three files, the newest of which has two."""
    monkeypatch.setenv("TZ", "UTC")
    folder = home / "logs"
    folder.mkdir(parents=True)
    path = folder / "worker.log"
    for file, numbers in ((f"{path}.2", range(4)), (f"{path}.1", range(4, 8)), (str(path), range(8, 10))):
        Path(file).write_text("".join(map(_line, numbers)))
    return path


@pytest.mark.parametrize(("lines", "first"), [(1, 9), (2, 8), (3, 7), (9, 1), (10, 0), (500, 0)])
def test_the_last_lines_come_from_as_many_files_as_are_needed(
    freeda: Freeda, log: Path, lines: int, first: int
) -> None:
    ran = freeda("logs", "--lines", str(lines), "--json")
    assert ran.code == 0
    assert [json.loads(line)["event"] for line in ran.out.splitlines()] == [f"number {n}" for n in range(first, 10)]


def test_people_read_time_level_event_and_what_belongs_to_it(freeda: Freeda, log: Path) -> None:
    log.write_text(
        _line(1, job="1f", item=3, reason='it said "no"', level="warning")
        + _line(2, exception="Traceback:\n  line\nValueError: \x1b[2Jno")
        + "\x1bno JSON\n"
        + '["neither"]\n'
    )
    ran = freeda("logs", "--lines", "4")
    assert ran.out.splitlines() == [
        '2030-01-02 03:04:05 warning  number 1  job=1f item=3 reason="it said \\"no\\""',
        "2030-01-02 03:04:05 info     number 2",
        "    Traceback:",
        "      line",
        "    ValueError: \\x1b[2Jno",
        "\\x1bno JSON",
        '["neither"]',
    ]


def test_no_log_is_reported_in_one_line(freeda: Freeda, home: Path) -> None:
    ran = freeda("logs")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"Error: there is no log {home / 'logs' / 'worker.log'}: `freeda up` writes it\n"


def test_who_follows_sees_each_line_once_also_when_the_file_is_put_aside(log: Path, home: Path, tmp_path: Path) -> None:
    shown = tmp_path / "shown"
    command = [Path(sys.executable).parent / "freeda", "logs", "--follow", "--lines", "3", "--json"]
    with shown.open("w") as out:
        following = subprocess.Popen(command, stdout=out, env={**os.environ, "FREEDA_HOME": str(home)})

    def numbers() -> list[int]:
        return [int(json.loads(line)["event"].split()[1]) for line in shown.read_text().splitlines()]

    try:
        _eventually(lambda: numbers() == [7, 8, 9])
        with log.open("a") as file:
            file.write(_line(10)[:20])
            file.flush()
            file.write(_line(10)[20:] + _line(11))
        log.rename(f"{log}.1")
        log.write_text(_line(12))
        _eventually(lambda: numbers() == [7, 8, 9, 10, 11, 12])
        with log.open("a") as file:
            file.write(_line(13))
        _eventually(lambda: numbers() == [7, 8, 9, 10, 11, 12, 13])
    finally:
        following.send_signal(signal.SIGINT)
        assert following.wait(120) == 130


def test_reading_a_log_needs_neither_broker_nor_database() -> None:
    code = (
        "import sys, freeda_svc.cli.logs, freeda_svc.workers.shared_log_file\n"
        "print([name for name in ('redis', 'valkey', 'sqlalchemy', 'numpy', 'celery') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
