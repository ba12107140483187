"""Waiting for a job with its progress in view, and what its end means for the command."""

from collections.abc import Callable, Iterator

import click

from freeda_svc import jobs
from freeda_svc.cli.backends import Backend
from freeda_svc.cli.console import track
from freeda_svc.cli.exit_codes import EXIT_FAILED, EXIT_PARTLY, Interrupted
from freeda_svc.cli.interrupts import remembered_interrupts
from freeda_svc.cli.terminal_text import printable
from freeda_svc.counts import counted
from freeda_svc.jobs import ENDED_JOB_STATES, ItemState, JobKind, JobState, JobSummary
from freeda_svc.jobs.segmentation_requests import ONLY_PROPOSE

LOOK_SECONDS = 2.0
"""Pause between two looks at a job where no message announces its changes, seconds."""
ERRORS_SHOWN = 5


OnLook = Callable[[JobSummary], None]
"""Is called at each look at a job; what it raises ends the waiting."""


def follow_job(
    backend: Backend, job_id: str, label: str, *, quiet: bool = False, on_look: OnLook = lambda _job: None
) -> JobSummary:
    """Wait until a job has ended, showing its progress.

    Args:
        backend: has the job.
        job_id: its whole id.
        label: what to call it beside the bar.
        quiet: show nothing.
        on_look: is called at each look.

    Returns:
        The job as it ended.
    """
    with remembered_interrupts() as raise_if_interrupted, backend.watched_changes([job_id]) as changes:

        def counts() -> Iterator[tuple[int, int]]:
            looks = jobs.follow_looks(
                lambda: backend.job_summary(job_id), every_seconds=LOOK_SECONDS, wait=changes.wait
            )
            for job in looks:
                raise_if_interrupted()
                if job.progress.ended < job.progress.total:
                    on_look(job)
                yield job.progress.units.done, job.progress.units.total

        unit = "" if quiet else backend.job_summary(job_id).progress.units.name
        track(label, counts(), unit=unit, quiet=quiet)
    return backend.job_summary(job_id)


def follow_submitted(
    backend: Backend, job_id: str, label: str, *, quiet: bool = False, on_look: OnLook = lambda _job: None
) -> JobSummary:
    """Follow a job that goes on without this command: say so where no worker does it, and at Ctrl-C.

    Raises:
        Interrupted: at Ctrl-C; says how to come back to the job.
    """
    watch = backend.worker_watch()

    def look(job: JobSummary) -> None:
        watch.look(job.progress)
        on_look(job)

    try:
        return follow_job(backend, job_id, label, quiet=quiet, on_look=look)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted; job {job_id} goes on: `freeda jobs watch {job_id}` follows it, "
            f"`freeda jobs cancel {job_id}` ends it."
        ) from None


def note_waiting_job(backend: Backend, job_id: str) -> None:
    """Say that a job that was just accepted has to wait, where it has to."""
    progress = backend.job_summary(job_id).progress
    if progress.ended < progress.total and (reason := backend.missing_worker()):
        click.echo(reason, err=True)


def ended_as(backend: Backend, job_id: str) -> str:
    """Say in a line how a job ended and what can be done with it now; empty when it has not ended.

    Raises:
        NotFoundError: there is no such job.
        UnavailableError: the database or server does not answer.
    """
    job = backend.job_summary(job_id)
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


def end_with(context: click.Context, backend: Backend, *ended: JobSummary) -> None:
    """Say why items failed and leave with the exit code of the end of jobs: 0 done, 1 failed, 3 partly failed."""
    for job in ended:
        _show_failures(backend, job)
    lost = [job for job in ended if job.state == JobState.CANCELLED or job.progress.failed]
    if lost:
        is_partly = any(job.progress.done for job in ended if job.state != JobState.CANCELLED)
        context.exit(EXIT_PARTLY if is_partly else EXIT_FAILED)


def _show_failures(backend: Backend, job: JobSummary) -> None:
    if job.state == JobState.CANCELLED:
        click.echo(f"Job {job.id} was cancelled.", err=True)
        return
    if not job.progress.failed:
        return
    for item in backend.job_items(job.id, ItemState.FAILED, limit=ERRORS_SHOWN):
        click.echo(printable(f"item {item.number} ({item.name}): {item.error}"), err=True)
    click.echo(
        f"{job.progress.failed} of {counted(job.progress.total, 'item')} failed; "
        f"`freeda jobs errors {job.id}` lists them, `freeda jobs retry {job.id}` tries them again.",
        err=True,
    )
