"""A process that must not outlive the one that started it."""

import os
import signal
import threading
import time
from collections.abc import Callable

POLL_SECONDS = 0.5


def end_with_parent(end: Callable[[], None], parent: int | None = None) -> None:
    """Watch the parent process from a thread, and call ``end`` when it is gone.

    The kernel's own signal for this exists on Linux only, and is tied to the thread that started the process.

    Args:
        end: called once, from the thread.
        parent: process to belong to; the present parent when None.
    """
    expected = os.getppid() if parent is None else parent
    threading.Thread(target=_watch, args=(expected, end), name="end-with-parent", daemon=True).start()


def _watch(parent: int, end: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    end()


def stop_with_parent(parent: int) -> None:
    """Stop this process cleanly when the process that started it is gone."""
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM), parent)
