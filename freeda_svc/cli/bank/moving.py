"""Carrying out an export or import: as a job of the worker that holds the bank, or here where there is none."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click

from freeda_svc.cli.backends.local import LocalBackend
from freeda_svc.cli.console import print_json, shown_progress
from freeda_svc.cli.exit_codes import EXIT_FAILED, Interrupted
from freeda_svc.cli.following import follow_submitted, note_waiting_job
from freeda_svc.cli.options import outcome_option, priority_option, quiet_option
from freeda_svc.cli.session import open_dispatcher
from freeda_svc.errors import FreedaError, InputError
from freeda_svc.jobs import (
    ItemState,
    JobKind,
    JobState,
    JobSummary,
    Move,
    Priority,
    cancel_job,
    job_items,
    move_outcome,
    submit_move,
)
from freeda_svc.settings import Settings

UNIT = "prototypes"
LOOK_SECONDS = 1.0
STOPPED_SECONDS = 5.0
"""A service that is away for so long has stopped; restarting one takes less."""

Command = TypeVar("Command", bound=Callable[..., Any])


class _ServiceStoppedError(Exception):
    """The worker that was to do the job is gone."""


def moving_options(command: Command) -> Command:
    """Add --wait, --no-wait, --priority, --quiet and --json to a command."""
    for decorate in (
        outcome_option,
        quiet_option,
        priority_option,
        click.option(
            "--wait/--no-wait",
            default=True,
            show_default=True,
            help="Follow it to its end, or print the job's id only.",
        ),
    ):
        command = decorate(command)
    return command


def carry_out(
    context: click.Context,
    settings: Settings,
    move: Move,
    *,
    wait: bool,
    priority: Priority,
    quiet: bool,
    as_json: bool,
) -> dict[str, Any] | None:
    """Export or import a bank.

    Args:
        context: of the command.
        settings: the installation.
        move: what is to be done, with absolute paths.
        wait: see it to its end.
        priority: of the job, where it is one.
        quiet: without progress.
        as_json: print JSON.

    Returns:
        What came of it; None when only the job was printed, or its end was printed.

    Raises:
        FreedaError: it could not be done.
    """
    from freeda_svc.workers import worker_is_running  # noqa: PLC0415 - listing help does without it

    if not settings.embedded_bank:
        if not wait:
            raise InputError(
                "the banks lie on a Qdrant server, and this command moves them itself: leave out --no-wait"
            )
        return move_here(settings, move, quiet=quiet)
    if wait and not worker_is_running(settings):
        return move_here(settings, move, quiet=quiet)
    job_id = _submit(settings, move, priority)
    if not wait:
        print_json({"job": job_id}) if as_json else click.echo(job_id)
        if not quiet:
            note_waiting_job(LocalBackend(settings), job_id)
        return None
    try:
        job = follow_submitted(LocalBackend(settings), job_id, move.kind, quiet=quiet, on_look=_ServiceWatch(settings))
    except _ServiceStoppedError:
        cancel_job(settings, job_id)
        click.echo(f"The worker has stopped: job {job_id} is cancelled, and this command goes on itself.", err=True)
        return move_here(settings, move, quiet=quiet)
    if job.state == JobState.CANCELLED:
        click.echo(f"Job {job_id} was cancelled; the same command continues where it stopped.", err=True)
        context.exit(EXIT_FAILED)
    for item in job_items(settings, job_id, ItemState.FAILED):
        raise FreedaError(item.error)
    return move_outcome(settings, job_id)


def _submit(settings: Settings, move: Move, priority: Priority) -> str:
    """Have the worker look at bank and paths, which may see other files than this command does, then accept the job."""
    from freeda_svc.workers import ask_bank  # noqa: PLC0415 - as above

    question = "check_export" if move.kind is JobKind.EXPORT else "check_import"
    checked = ask_bank(settings, question, bank=move.bank, **move.paths)
    return submit_move(
        settings,
        replace(move, bank=checked["bank"]),
        pack=checked["pack"],
        prototypes=checked["prototypes"],
        dispatcher=open_dispatcher(settings),
        priority=priority,
    )


def move_here(settings: Settings, move: Move, *, quiet: bool) -> dict[str, Any]:
    """Export or import in this process, with progress, and return the result."""
    from freeda_svc.workers import Resources, perform_move  # noqa: PLC0415 - only a command that waits needs it

    resources = Resources(settings)
    try:
        with shown_progress(move.kind, unit=UNIT, quiet=quiet) as report:
            return perform_move(resources, move, report)
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted; the same command continues the {move.kind}.") from None
    finally:
        resources.close()


class _ServiceWatch:
    """Ends the waiting for a service that has stopped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = self._looked = time.monotonic()

    def __call__(self, _job: JobSummary) -> None:
        """Look, not too often.

        Raises:
            _ServiceStoppedError: no worker has been there for a while.
        """
        from freeda_svc.workers import worker_is_running  # noqa: PLC0415 - as above

        moment = time.monotonic()
        if moment < self._looked + LOOK_SECONDS:
            return
        self._looked = moment
        if worker_is_running(self._settings):
            self._seen = moment
        elif moment > self._seen + STOPPED_SECONDS:
            raise _ServiceStoppedError
