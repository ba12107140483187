"""One log file that several processes write, bounded in size: the worker and the process below it."""

import logging
import os
import time
from pathlib import Path

from freeda_svc.file_locks import try_lock

LARGEST_BYTES = 10 << 20
KEPT_FILES = 5
"""Older ones beside the newest, as ``worker.log.1`` (the youngest) to ``worker.log.5``."""
SILENT_SECONDS = 60.0
"""Seconds between two messages on the console about a file that cannot be written."""
_PRIVATE = 0o600


class SharedLogFile(logging.Handler):
    """Appends each record with one write, so that lines of several processes do not mix, and rotates by size.

    It is locked only while files are renamed: a process that is frozen in the middle of a line keeps no other from
    writing. The file is opened for every record, so it does not matter who renamed or removed it.
    """

    def __init__(self, path: Path, *, largest_bytes: int = LARGEST_BYTES, kept_files: int = KEPT_FILES) -> None:
        """Say where.

        Args:
            path: the newest file, in a folder that is there.
            largest_bytes: a file that has become as large is put aside.
            kept_files: how many of those are kept.
        """
        super().__init__()
        self.path = path
        self._largest = largest_bytes
        self._kept = kept_files
        self._complained = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; a file that cannot be written is no reason to stop working."""
        try:
            if self.append(f"{self.format(record)}\n".encode("utf-8", "backslashreplace")) >= self._largest:
                self._rotate()
        except OSError as error:
            self._complain(error)
        except Exception:  # noqa: BLE001 - what cannot be formatted, as logging handles it
            self.handleError(record)

    def append(self, line: bytes) -> int:
        """Write a line; gives the size of the file after it."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _PRIVATE)
        try:
            os.write(descriptor, line)
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        """Put the file aside, unless another process has just done so, or is doing it."""
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            if try_lock(lock) and self.path.stat().st_size >= self._largest:
                for number in range(self._kept, 0, -1):
                    younger = aside(self.path, number - 1)
                    if younger.exists():
                        younger.replace(aside(self.path, number))
        except FileNotFoundError:
            pass
        finally:
            os.close(lock)

    def _complain(self, error: OSError) -> None:
        if time.monotonic() - self._complained > SILENT_SECONDS:
            self._complained = time.monotonic()
            logging.getLogger(__name__).warning("%s cannot be written: %s", self.path, error.strerror)


def aside(path: Path, number: int) -> Path:
    """Return where the file is that was put aside so many times; 0 is the newest."""
    return path.with_name(f"{path.name}.{number}") if number else path


def log_files(path: Path) -> list[Path]:
    """Return the files of a log that are there, the oldest first."""
    older = (found for found in path.parent.glob(f"{path.name}.*") if found.suffix[1:].isdigit())
    numbered = [(int(found.suffix[1:]), found) for found in older]
    return [found for _, found in sorted(numbered, reverse=True)] + [path] * path.exists()
