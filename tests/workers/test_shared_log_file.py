import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from freeda_svc.workers.shared_log_file import KEPT_FILES, SharedLogFile, log_files

WRITER = """
import logging, sys
from pathlib import Path
from freeda_svc.workers.shared_log_file import SharedLogFile
handler = SharedLogFile(Path(sys.argv[1]), largest_bytes=int(sys.argv[3]), kept_files=int(sys.argv[4]))
for number in range(300):
    text = f'{sys.argv[2]} {number} ' + 'x' * (number * 37 % 20000)
    handler.emit(logging.LogRecord('test', logging.INFO, '', 0, text, None, None))
"""


def _write_together(path: Path, *, largest: int, kept: int) -> list[str]:
    """Let three processes write 300 lines each at once, up to 20 kB long; gives what is left, the oldest first."""
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [subprocess.Popen([*command, name, str(largest), str(kept)]) for name in "abc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    return [line for file in log_files(path) for line in file.read_text().splitlines()]


def _as_written(line: str) -> bool:
    name, number, *rest = line.split(" ")
    return name in "abc" and rest == ["x" * (int(number) * 37 % 20000)]


def test_lines_of_several_processes_neither_mix_nor_get_lost(tmp_path: Path) -> None:
    lines = _write_together(tmp_path / "log", largest=1 << 20, kept=50)
    assert all(map(_as_written, lines))
    for name in "abc":
        mine = [int(line.split(" ")[1]) for line in lines if line.startswith(name)]
        assert sorted(mine) == list(range(300))
    assert len(log_files(tmp_path / "log")) > 1


def test_no_more_than_some_files_are_kept_of_several_processes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = _write_together(tmp_path / "log", largest=100_000, kept=2)
    names = {file.name for file in log_files(tmp_path / "log")}
    assert names - {"log"} == {"log.1", "log.2"}  # a last line that fills the file puts it aside: none is left then
    assert all(map(_as_written, lines))
    assert {line[0] for line in lines} <= set("abc")
    assert not capfd.readouterr().err


def test_no_file_outgrows_its_size_by_more_than_a_line(tmp_path: Path) -> None:
    handler = SharedLogFile(tmp_path / "log", largest_bytes=1000, kept_files=2)
    for number in range(100):
        handler.emit(logging.LogRecord("test", logging.INFO, "", 0, f"{number:099}", None, None))
    assert [file.name for file in log_files(tmp_path / "log")] == ["log.2", "log.1"]
    assert [file.stat().st_size for file in log_files(tmp_path / "log")] == [1000, 1000]
    assert (tmp_path / "log.1").read_text().splitlines()[-1] == f"{99:099}"


def test_a_file_that_another_process_has_just_put_aside_is_no_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Lost(SharedLogFile):
        def append(self, line: bytes) -> int:
            size = super().append(line)
            self.path.rename(tmp_path / "log.1")
            return size

    handler = Lost(tmp_path / "log", largest_bytes=10)
    handler.emit(logging.LogRecord("test", logging.INFO, "", 0, "longer than that", None, None))
    assert not caplog.records
    assert (tmp_path / "log.1").read_text() == "longer than that\n"


def test_it_takes_a_file_that_somebody_moved_away_for_no_trouble(tmp_path: Path) -> None:
    handler = SharedLogFile(tmp_path / "log")
    record = logging.LogRecord("test", logging.INFO, "", 0, "told", None, None)
    handler.emit(record)
    (tmp_path / "log").rename(tmp_path / "log-20300101")
    handler.emit(record)
    assert (tmp_path / "log").read_text() == (tmp_path / "log-20300101").read_text() == "told\n"
    assert log_files(tmp_path / "log") == [tmp_path / "log"]


def test_a_file_that_cannot_be_written_is_reported_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handler = SharedLogFile(tmp_path / "nowhere" / "log")
    logger = logging.getLogger("freeda_svc.workers.shared_log_file")
    logger.addHandler(handler)
    try:
        for _ in range(3):
            handler.emit(logging.LogRecord("test", logging.INFO, "", 0, "told", None, None))
    finally:
        logger.removeHandler(handler)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'nowhere' / 'log'} cannot be written: No such file or directory"
    ]


def test_what_is_no_text_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    handler = SharedLogFile(tmp_path / "log")
    handler.emit(logging.LogRecord("test", logging.INFO, "", 0, os.fsdecode(b"na\xffme"), None, None))
    assert (tmp_path / "log").read_text() == "na\\udcffme\n"
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0


def test_old_files_are_listed_by_age(tmp_path: Path) -> None:
    for name in ("log", "log.2", "log.10", "log.1", "log.gz", "log.1.gz", "other.3"):
        (tmp_path / name).write_text(json.dumps(name))
    assert [file.name for file in log_files(tmp_path / "log")] == ["log.10", "log.2", "log.1", "log"]
    assert KEPT_FILES == 5
