"""Giving freed memory back to the operating system once a process has had nothing to do for a moment.

The C library keeps what is freed for later: after a few large images that is more than the models of a small pack take.
While items follow each other they use it again, so it is given back in the pauses only.
"""

import ctypes
import threading
from collections.abc import Callable

FEW_ARENAS = ("MALLOC_ARENA_MAX", "2")
"""In how many places the C library keeps freed memory; by default eight a core, and what is free in one of them is not
used by threads of another."""
PAUSE_SECONDS = 2.0


def give_back_freed_memory() -> None:
    """Have the C library return what is free to the operating system, where it can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


class PauseWatch:
    """One thread that gives freed memory back when nothing was done for a while."""

    def __init__(
        self, give_back: Callable[[], object] = give_back_freed_memory, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        """Prepare it.

        Args:
            give_back: called once a pause.
            pause_seconds: how long nothing must have been done.
        """
        self._give_back = give_back
        self._pause_seconds = pause_seconds
        self._worked, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="freed memory", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def note_work(self) -> None:
        """Something was done."""
        self._worked.set()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        self._worked.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._worked.wait()
            while not self._ended.is_set() and self._worked.is_set():
                self._worked.clear()
                self._ended.wait(self._pause_seconds)
            if not self._ended.is_set():
                self._give_back()
