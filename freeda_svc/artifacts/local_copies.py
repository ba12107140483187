"""Copies on this machine of artifacts that are stored elsewhere; those not used lately are removed."""

import os
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from freeda_svc.whole_files import placed_whole

IN_USE_SECONDS = 600.0
"""A copy that was used this recently stays: somebody may be about to open it."""
LOOK_SECONDS = 60.0
ABANDONED_SECONDS = 24 * 3600.0
"""What was begun so long ago was left by a process that was killed."""
KEPT_SHARE = 0.8
"""Of the limit, after copies were removed."""
_FILLING = ".filling-"


class LocalCopies:
    """Files below a folder, all of which can be fetched again."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Take the folder, and how many bytes its files may have together, more or less."""
        self._folder = folder
        self._limit = limit
        self._looked = time.monotonic() - LOOK_SECONDS
        self._lock = threading.Lock()

    def has(self, path: Path) -> bool:
        """Return whether there is such a copy, and note that it is used."""
        try:
            os.utime(path)
        except OSError:
            return False
        return path.is_file()

    @contextmanager
    def placing(self, path: Path) -> Iterator[Path]:
        """Give a path aside to write a copy to, which is put in place at the end.

        Raises:
            OSError: it cannot be put in place.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with placed_whole(path) as aside:
            yield aside
        self._trim_now_and_then()

    @contextmanager
    def filling(self) -> Iterator[Path]:
        """Give a folder beside the copies for files that are to be stored; it is removed at the end.

        Raises:
            OSError: it cannot be made.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_FILLING, dir=self._folder) as name:
            yield Path(name)

    def _trim_now_and_then(self) -> None:
        with self._lock:
            if time.monotonic() < self._looked + LOOK_SECONDS:
                return
            self._looked = time.monotonic()
        self.trim()

    def trim(self) -> None:
        """Remove the copies that were not used for longest, when there are too many, and what killed processes left."""
        for left in self._folder.glob(f"{_FILLING}*"):
            with suppress(OSError):
                if left.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        found = []
        for path in self._folder.glob("[!.]*/**/*"):
            with suppress(OSError):  # another process trims, too
                about = path.stat()
                if stat.S_ISREG(about.st_mode):
                    found.append((about.st_mtime, about.st_size, path))
        total = sum(size for _, size, _ in found)
        if total <= self._limit:
            return
        for used, size, path in sorted(found):
            if total <= self._limit * KEPT_SHARE or used > time.time() - IN_USE_SECONDS:
                break
            with suppress(OSError):
                path.unlink()
                total -= size
