"""Waiting for a job with its progress in view, and what its end means for the command."""

from collections.abc import Callable, Iterator

import click

from freeda_svc import jobs
from freeda_svc.cli.console import track
from freeda_svc.cli.endings import EXIT_FAILED, EXIT_PARTLY, Interrupted
from freeda_svc.cli.interrupts import remembered_interrupts
from freeda_svc.jobs import ItemState, JobKind, JobState, JobSummary, job_items, job_summary
from freeda_svc.jobs.segmentation_requests import ONLY_PROPOSE
from freeda_svc.jobs.states import ENDED_JOB_STATES
from freeda_svc.settings import Settings

LOOK_SECONDS = 2.0
"""Who follows a job is woken when it changes; so often it looks where nobody tells."""
ERRORS_SHOWN = 5


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
    from freeda_svc.workers.changes import watched_changes  # noqa: PLC0415 - only a command that waits listens

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
    """Follow a job that goes on without this command: say so when no worker is there, and at Ctrl-C.

    Raises:
        Interrupted: at Ctrl-C; says how to come back to the job.
    """
    note_waiting_job(settings, job_id)
    try:
        return follow_job(settings, job_id, label, quiet=quiet, on_look=on_look)
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
    from freeda_svc.workers.ability import worker_fault  # noqa: PLC0415 - only a command that waits asks
    from freeda_svc.workers.locks import worker_is_running  # noqa: PLC0415 - as above

    if not settings.embedded_broker:
        return
    if not worker_is_running(settings):
        click.echo("No worker is running on this home: start one with `freeda up` in another terminal.", err=True)
    elif fault := worker_fault(settings):
        click.echo(f"The worker takes no items: {fault}.", err=True)


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
        f"{job.progress.failed} of {job.progress.total} items failed; `freeda jobs errors {job.id}` lists them, "
        f"`freeda jobs retry {job.id}` tries them again.",
        err=True,
    )
    context.exit(EXIT_PARTLY if job.progress.done else EXIT_FAILED)
