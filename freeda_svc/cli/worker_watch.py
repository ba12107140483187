"""Saying that nobody does what a command waits for."""

import time
from collections.abc import Callable

import click

from freeda_svc import jobs
from freeda_svc.jobs import ItemState
from freeda_svc.settings import Settings

ABSENT_SECONDS = 6.0
"""After so long without its worker a command says so; one that is restarted takes less."""
IDLE_SECONDS = 10.0
"""After so long in which nothing has begun a command looks whether any worker has work."""


def note_missing_worker(settings: Settings) -> None:
    """Say that nothing will happen yet when the embedded stack of the home is not running, or takes no items."""
    if reason := missing_worker(settings):
        click.echo(reason, err=True)


def missing_worker(settings: Settings) -> str:
    """Return a line that says why no item is done on this home, and what to do; empty where that is not known.

    Of a broker server nothing is known, as its workers run elsewhere.
    """
    from freeda_svc.workers import worker_fault, worker_is_running  # noqa: PLC0415 - only a command that waits needs it

    if not settings.embedded_broker:
        return ""
    if not worker_is_running(settings):
        return "No worker is running on this home: start one with `freeda up` in another terminal."
    fault = worker_fault(settings)
    return f"The worker takes no items: {fault}." if fault else ""


class WorkerWatch:
    """Says in one line that a command waits for a worker that is not there; it is called at every look at a job.

    At the first look the worker of a home may be missing, later it may have stopped: that is said after a moment, in
    which it may start again. Workers of a broker server are missing when no item begins for a while.
    """

    def __init__(
        self,
        settings: Settings | None,
        *,
        missing: Callable[[], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to watch.

        Args:
            settings: the installation; None where ``missing`` knows all.
            missing: returns why no item is done, as ``missing_worker`` does, which is taken when None.
            clock: seconds.
        """
        self._settings = settings
        assert settings is not None or missing is not None
        self._missing = missing or (lambda: "" if settings is None else missing_worker(settings))
        self._clock = clock
        self._reported: str | None = None
        self._reason, self._reason_since = "", clock()
        self._progress: object = None
        self._progress_since = clock()

    def look(self, progress: object) -> None:
        """Look for the worker.

        Args:
            progress: of what is waited for: another value whenever anything has begun or ended.
        """
        now = self._clock()
        if progress != self._progress:
            self._progress, self._progress_since = progress, now
        reason = self._missing() or self._idle(now)
        if reason != self._reason:
            self._reason, self._reason_since = reason, now
        is_first = self._reported is None
        if not reason:
            self._reported = ""
        elif reason != self._reported and (is_first or now - self._reason_since >= ABSENT_SECONDS):
            click.echo(reason, err=True)
            self._reported = reason

    def _idle(self, now: float) -> str:
        if self._settings is None or self._settings.embedded_broker or now - self._progress_since < IDLE_SECONDS:
            return ""
        if any(state.items[ItemState.RUNNING] for state in jobs.queue_state(self._settings)):
            return ""
        return (
            f"No item has begun for {IDLE_SECONDS:.0f} s and none is in work: if no worker runs on this broker, start "
            "one with `freeda worker`."
        )
