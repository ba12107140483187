"""Interfering with processes of the service from outside: see ``inside/interference.py`` for what they do about it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

INSIDE = Path(__file__).with_name("inside")
LOOK_SECONDS = 0.03
PATIENCE_SECONDS = 120.0
"""How long anything may take before a test fails: machines that run tests are busy."""


def wait_until(is_so: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so; fails with what it was when that takes too long."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(LOOK_SECONDS)


class Halts:
    """Where processes are to be halted, and the clocks they see."""

    def __init__(self, folder: Path, *, models: str = "quick") -> None:
        """Take a folder of its own.

        Args:
            folder: is made.
            models: ``quick`` ones in place of the pack's, or the ``real`` ones.
        """
        folder.mkdir()
        self._folder = folder
        self._environment = {"DISTURBED_FOLDER": str(folder), "DISTURBED_MODELS": models, "OMP_NUM_THREADS": "1"}

    def environment(self) -> dict[str, str]:
        """What a process that can be halted is started with."""
        path = os.pathsep.join(filter(None, (str(INSIDE), os.environ.get("PYTHONPATH"))))
        return {**self._environment, "PYTHONPATH": path}

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Have processes that are started meanwhile be such that can be halted."""
        before = dict(os.environ)
        os.environ.update(self.environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def want(self, point: str) -> None:
        """Halt the next process that comes to a point; say so before it can have passed it."""
        (self._folder / f"{point}.wanted").touch()

    def wait(self, point: str) -> int:
        """Wait until a process is halted at a point that was wanted; gives its id."""
        wait_until(lambda: self._reached(point), f"a process comes to {point}")
        return int(self._reached(point)[0].suffix[1:])

    def halt_another(self, point: str) -> int:
        """Halt one more process at a point where one is halted already; gives its id."""
        before = set(self._reached(point))
        self.want(point)
        wait_until(lambda: set(self._reached(point)) - before, f"another process comes to {point}")
        (reached,) = set(self._reached(point)) - before
        return int(reached.suffix[1:])

    def let_go(self, point: str) -> None:
        """Let go who is halted at a point; who is dead will not be waited for again."""
        for file in self._reached(point):
            file.unlink()

    def set_clock(self, worker: str, seconds: float) -> None:
        """Have the clock of the machine of a worker be off; its processes see it within a moment."""
        aside = self._folder / f"{worker}.aside"
        aside.write_text(str(seconds))
        aside.rename(self._folder / f"{worker}.clock")

    def _reached(self, point: str) -> list[Path]:
        return list(self._folder.glob(f"{point}.reached.*"))
