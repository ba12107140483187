"""Waiting for a job with its progress in view, and what its end means for the command."""

import time
from collections.abc import Callable, Iterator

import click

from freeda_svc import jobs
from freeda_svc.cli.console import track
from freeda_svc.cli.exit_codes import EXIT_FAILED, EXIT_PARTLY, Interrupted
from freeda_svc.cli.interrupts import remembered_interrupts
from freeda_svc.counts import counted
from freeda_svc.jobs import ENDED_JOB_STATES, ItemState, JobKind, JobState, JobSummary, job_items, job_summary
from freeda_svc.jobs.segmentation_requests import ONLY_PROPOSE
from freeda_svc.settings import Settings

LOOK_SECONDS = 2.0
"""Pause between two looks at a job where no message announces its changes, seconds."""
ERRORS_SHOWN = 5
ABSENT_SECONDS = 6.0
"""After so long without its worker a command says so; one that is restarted takes less."""
IDLE_SECONDS = 10.0
"""After so long in which nothing has begun a command looks whether any worker has work."""


OnLook = Callable[[JobSummary], None]
"""Is called at each look at a job; what it raises ends the waiting."""


def follow_job(
    settings: Settings, job_id: str, label: str, *, quiet: bool = False, on_look: OnLook = lambda _job: None
) -> JobSummary:
    """Wait until a job has ended, showing its progress.

    Args:
        settings: the installation.
        job_id: the job's whole id.
        label: what to call it beside the bar.
        quiet: show nothing.
        on_look: is called at each look.

    Returns:
        The job as it ended.
    """
    from freeda_svc.workers import watched_changes  # noqa: PLC0415 - only a command that waits listens

    with remembered_interrupts() as raise_if_interrupted, watched_changes(settings, [job_id]) as changes:

        def counts() -> Iterator[tuple[int, int]]:
            for job in jobs.follow_job(settings, job_id, every_seconds=LOOK_SECONDS, wait=changes.wait):
                raise_if_interrupted()
                if job.progress.ended < job.progress.total:
                    on_look(job)
                yield job.progress.units.done, job.progress.units.total

        unit = "" if quiet else job_summary(settings, job_id).progress.units.name
        track(label, counts(), unit=unit, quiet=quiet)
    return job_summary(settings, job_id)


def follow_submitted(
    settings: Settings, job_id: str, label: str, *, quiet: bool = False, on_look: OnLook = lambda _job: None
) -> JobSummary:
    """Follow a job that goes on without this command: say so where no worker does it, and at Ctrl-C.

    Raises:
        Interrupted: at Ctrl-C; says how to come back to the job.
    """
    watch = WorkerWatch(settings)

    def look(job: JobSummary) -> None:
        watch.look(job.progress)
        on_look(job)

    try:
        return follow_job(settings, job_id, label, quiet=quiet, on_look=look)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted; job {job_id} goes on: `freeda jobs watch {job_id}` follows it, "
            f"`freeda jobs cancel {job_id}` ends it."
        ) from None


def note_waiting_job(settings: Settings, job_id: str) -> None:
    """Say that nothing will happen yet to a job that was just accepted, where that is so."""
    progress = job_summary(settings, job_id).progress
    if progress.ended < progress.total:
        note_missing_worker(settings)


def note_missing_worker(settings: Settings) -> None:
    """Say that nothing will happen yet when the embedded stack of the home is not running, or takes no items."""
    if reason := missing_worker(settings):
        click.echo(reason, err=True)


def missing_worker(settings: Settings) -> str:
    """Return a line that says why no item is done on this home, and what to do; empty where that is not known.

    Of a broker of one's own nothing is known, as its workers run elsewhere.
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
    which it may start again. Workers on a broker of one's own are missing when nothing begins for a while.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        missing: Callable[[Settings], str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to watch.

        Args:
            settings: the installation.
            missing: returns why no item is done, as ``missing_worker`` does, which is taken when None.
            clock: seconds.
        """
        self._settings = settings
        self._missing = missing_worker if missing is None else missing
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
        reason = self._missing(self._settings) or self._idle(now)
        if reason != self._reason:
            self._reason, self._reason_since = reason, now
        is_first = self._reported is None
        if not reason:
            self._reported = ""
        elif reason != self._reported and (is_first or now - self._reason_since >= ABSENT_SECONDS):
            click.echo(reason, err=True)
            self._reported = reason

    def _idle(self, now: float) -> str:
        if self._settings.embedded_broker or now - self._progress_since < IDLE_SECONDS:
            return ""
        if any(state.items[ItemState.RUNNING] for state in jobs.queue_state(self._settings)):
            return ""
        return (
            f"No item has begun for {IDLE_SECONDS:.0f} s and none is in work: if no worker runs on this broker, start "
            "one with `freeda worker`."
        )


def ended_as(settings: Settings, job_id: str) -> str:
    """Say in a line how a job ended and what can be done with it now; empty when it has not ended.

    Raises:
        NotFoundError: there is no such job.
        UnavailableError: the database does not answer.
    """
    job = job_summary(settings, job_id)
    if job.state not in ENDED_JOB_STATES:
        return ""
    ways = []
    if job.progress.failed:
        ways.append(f"`freeda jobs errors {job.id}` lists what failed")
        if job.state != JobState.CANCELLED:
            ways.append(f"`freeda jobs retry {job.id}` tries it again")
    if job.progress.done and job.kind == JobKind.SEGMENT and not job.parameters.get(ONLY_PROPOSE):
        ways.append(f"`freeda jobs export {job.id} --out DIR` writes what is done")
    ways = ways or [f"`freeda jobs show {job.id}` shows it"]
    return f"Job {job.id} is {job.state}: {', '.join(ways)}."


def end_with(context: click.Context, settings: Settings, job: JobSummary) -> None:
    """Say why items failed and leave with the exit code of the job's end: 0 done, 1 failed, 3 partly failed."""
    if job.state == JobState.CANCELLED:
        click.echo(f"Job {job.id} was cancelled.", err=True)
        context.exit(EXIT_FAILED)
    if not job.progress.failed:
        return
    for item in job_items(settings, job.id, ItemState.FAILED, limit=ERRORS_SHOWN):
        click.echo(f"item {item.number} ({item.name}): {item.error}", err=True)
    click.echo(
        f"{job.progress.failed} of {counted(job.progress.total, 'item')} failed; "
        f"`freeda jobs errors {job.id}` lists them, `freeda jobs retry {job.id}` tries them again.",
        err=True,
    )
    context.exit(EXIT_PARTLY if job.progress.done else EXIT_FAILED)
