"""billiard's semaphore tracker, started again when it was killed.

Celery's pool registers every semaphore with it, through a pipe, and never checks whether it is alive. When it and the
working process were killed together, making the next working process failed on the broken pipe and ended the worker.
Python's own resource tracker checks before it writes, as this does.
"""

import os
import select
from typing import Any

from billiard import semaphore_tracker

from freeda_svc.loggers import logger

log = logger(__name__)


def survive_lost_tracker() -> None:
    """Let this process restart a tracker that is gone, and register its semaphores again."""
    tracker: Any = semaphore_tracker._semaphore_tracker  # noqa: SLF001 - billiard offers nothing else
    if hasattr(tracker, "freeda_known"):
        return
    known: set[str] = set()
    tracker.freeda_known = known
    ensure, send = tracker.ensure_running, tracker._send  # noqa: SLF001 - as above

    def ensure_running() -> None:
        if tracker._fd is not None and _has_no_reader(tracker._fd):  # noqa: SLF001 - as above
            log.warning("the tracker of semaphores is gone: it is started again")
            os.close(tracker._fd)  # noqa: SLF001 - as above
            tracker._fd = None  # noqa: SLF001 - as above
            ensure()
            for name in known:
                send("REGISTER", name)
        ensure()

    def send_and_remember(command: str, name: str) -> None:
        tracker.ensure_running()
        send(command, name)
        (known.add if command == "REGISTER" else known.discard)(name)

    tracker.ensure_running, tracker._send = ensure_running, send_and_remember  # noqa: SLF001 - as above


def _has_no_reader(descriptor: int) -> bool:
    """Whether the other end of a pipe is closed."""
    look = select.poll()
    look.register(descriptor, 0)  # errors only
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in look.poll(0))
