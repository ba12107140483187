"""What the commands that add to the bank share: options of the request, and how they end."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from freeda_svc.cli.backends import Backend
from freeda_svc.cli.console import print_json
from freeda_svc.cli.following import end_with, follow_submitted, note_waiting_job
from freeda_svc.cli.options import bank_option, idempotency_key_option, outcome_option, priority_option
from freeda_svc.jobs import JobState

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
    accepted: Sequence[str],
    label: str,
    *,
    left_out: Mapping[str, int],
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print the accepted jobs, or follow them, print what they added and exit with their code.

    Args:
        context: of the command.
        backend: has the jobs.
        accepted: their ids; mostly one.
        label: what to call it beside the progress.
        left_out: what was not taken, by reason.
        wait: follow them to their end.
        quiet: without progress.
        as_json: print JSON.
    """
    several = {"jobs": list(accepted)} if len(accepted) > 1 else {}
    if not wait:
        if as_json:
            print_json({"job": accepted[0], **several, "left_out": left_out})
        else:
            click.echo("\n".join(accepted))
        if not quiet:
            note_waiting_job(backend, accepted[-1])
        return
    ended = [follow_submitted(backend, job_id, label, quiet=quiet) for job_id in accepted]
    totals: Counter[str] = Counter()
    for job_id in accepted:
        totals.update(backend.result_totals(job_id))
    if as_json:
        states = {job.state for job in ended}
        state = states.pop() if len(states) == 1 else JobState.PARTLY_FAILED
        print_json({"job": accepted[0], **several, "state": state, "left_out": left_out, "totals": totals})
    else:
        counted = ", ".join(f"{value} {name}" for name, value in totals.items())
        named = "job" if len(accepted) == 1 else "jobs"
        click.echo(f"{named} {', '.join(accepted)}: {counted or 'nothing was added'}")
    if totals.get(NOT_FINITE):
        click.echo(
            "hint: a generator that overflows in half precision, or a damaged pack, gives images that are not finite; "
            "try float32 (the setting precision), and `freeda packs verify`",
            err=True,
        )
    end_with(context, backend, *ended)
