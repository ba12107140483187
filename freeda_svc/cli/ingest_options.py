"""What the commands that add to the bank share: options of the request, and how they end."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from freeda_svc.cli.backends import Backend
from freeda_svc.cli.console import print_json
from freeda_svc.cli.following import end_with, follow_submitted, note_waiting_job
from freeda_svc.cli.options import bank_option, idempotency_key_option, outcome_option, priority_option

NOT_FINITE = "images that are not finite"
"""What the builder counts them as; it brings the models with it, and is not imported here."""

Command = TypeVar("Command", bound=Callable[..., Any])


def ingest_options(command: Command) -> Command:
    """Add --bank, --priority, --idempotency-key, --wait, --quiet and --json to a command."""
    for decorate in (
        outcome_option,
        click.option("--quiet", is_flag=True, help="No progress, and no note that no worker is running."),
        click.option("--wait", is_flag=True, help="Follow the job to its end; otherwise only its id is printed."),
        idempotency_key_option,
        priority_option,
        bank_option,
    ):
        command = decorate(command)
    return command


def finish_ingest(
    context: click.Context,
    backend: Backend,
    job_id: str,
    label: str,
    *,
    left_out: Mapping[str, int],
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print the accepted job, or follow it, print what it added and exit with its code.

    Args:
        context: of the command.
        backend: has the job.
        job_id: the job.
        label: what to call it beside the progress.
        left_out: what was not taken, by reason.
        wait: follow it to its end.
        quiet: without progress.
        as_json: print JSON.
    """
    if not wait:
        print_json({"job": job_id, "left_out": left_out}) if as_json else click.echo(job_id)
        if not quiet:
            note_waiting_job(backend, job_id)
        return
    job = follow_submitted(backend, job_id, label, quiet=quiet)
    totals = backend.result_totals(job_id)
    if as_json:
        print_json({"job": job_id, "state": job.state, "left_out": left_out, "totals": totals})
    else:
        counted = ", ".join(f"{value} {name}" for name, value in totals.items())
        click.echo(f"job {job_id}: {counted or 'nothing was added'}")
    if totals.get(NOT_FINITE):
        click.echo(
            "hint: a generator that overflows in half precision, or a damaged pack, gives images that are not finite; "
            "try float32 (the setting precision), and `freeda packs verify`",
            err=True,
        )
    end_with(context, backend, job)
