"""``freeda jobs list | show | errors``: looking at jobs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

import click

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.console import duration_text, print_json, print_table
from freeda_svc.cli.options import job_argument, json_option, read_age
from freeda_svc.cli.terminal_text import printable
from freeda_svc.counts import counted
from freeda_svc.jobs import (
    JOB_STATE_NAMES,
    ItemSummary,
    JobFilter,
    JobKind,
    JobSummary,
    job_values,
)

ITEMS_SHOWN = 50


@click.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Show the newest N jobs.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([*JOB_STATE_NAMES], case_sensitive=False),
    help="Only jobs in this state, or that are open, or have ended; several times for several.",
)
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in JobKind], case_sensitive=False),
    help="Only jobs of this kind; several times for several.",
)
@click.option("--source", default="", metavar="TEXT", help="Only jobs whose source contains it, in any case.")
@click.option("--since", callback=read_age, metavar="AGE", help="Only jobs submitted so lately, as in 2d, 12h or 45m.")
@json_option
@click.pass_context
def list_command(
    context: click.Context,
    /,
    *,
    limit: int,
    states: tuple[str, ...],
    kinds: tuple[str, ...],
    source: str,
    since: timedelta | None,
    as_json: bool,
) -> None:
    """List jobs, the newest first.

    \b
    Examples:
      freeda jobs list --limit 5
      freeda jobs list --state failed --state partly-failed --kind segment
      freeda jobs list --state open --since 2d --json
    """
    wanted = JobFilter(
        states=frozenset(state for name in states for state in JOB_STATE_NAMES[name.lower()]),
        kinds=frozenset(JobKind(kind.lower()) for kind in kinds),
        source=source,
        since=since,
    )
    found = open_backend(context).list_jobs(limit=limit, wanted=wanted)
    if as_json:
        print_json([job_values(job) for job in found])
    elif found:
        _print_jobs(found)
    elif wanted != JobFilter():
        click.echo("No job is like that.")
    else:
        click.echo("There are no jobs yet: begin with `freeda ingest` or `freeda segment`.")


@click.command()
@job_argument
@json_option
@click.pass_context
def show(context: click.Context, job_id: str, *, as_json: bool) -> None:
    """Show a job, its outcome and its items.

    \b
    Example:
      freeda jobs show 3f2a
    """
    backend = open_backend(context)
    job = backend.job_summary(job_id)
    totals = {} if job.kind is JobKind.SEGMENT else backend.result_totals(job.id)
    items = backend.job_items(job.id, limit=None if as_json else ITEMS_SHOWN)
    if as_json:
        print_json({**job_values(job), "totals": totals, "items": [asdict(item) for item in items]})
        return
    _print_jobs([job])
    for name, value in totals.items():
        click.echo(f"{value} {name.replace('_', ' ')}")
    click.echo("")
    _print_items(items)
    if job.progress.total > len(items):
        click.echo(f"... and {job.progress.total - len(items)} more; --json shows all.")


@click.command()
@job_argument
@click.option("--limit", type=click.IntRange(min=1), default=ITEMS_SHOWN, show_default=True, help="Show N items.")
@click.option("--details", is_flag=True, help="Show the whole traceback of each.")
@json_option
@click.pass_context
def errors(context: click.Context, job_id: str, limit: int, *, details: bool, as_json: bool) -> None:
    """Show why items of a job failed.

    `freeda jobs retry` tries them again.

    \b
    Examples:
      freeda jobs errors 3f2a
      freeda jobs errors 3f2a --details --limit 1
    """
    backend = open_backend(context)
    job = backend.job_summary(job_id)
    found = backend.item_errors(job.id, limit=None if as_json else limit)
    if as_json:
        print_json([asdict(error) for error in found])
        return
    if not found:
        click.echo(f"No item of job {job.id} has failed.")
        return
    if details:
        for error in found:
            what = f"item {error.number} ({printable(error.name)})"
            click.echo(f"{what}, attempt {error.attempts} by {error.worker}, {error.at}:")
            click.echo(f"{error.details.rstrip()}\n")
    else:
        rows = [(error.number, error.name, error.attempts, error.error) for error in found]
        print_table(("item", "what", "attempts", "error"), rows)
    if job.progress.failed > len(found):
        click.echo(f"... and {job.progress.failed - len(found)} more; --limit shows more, --json all.")
    failed = f"{job.progress.failed} of {counted(job.progress.total, 'item')} failed"
    click.echo(f"{failed}; `freeda jobs retry {job.id}` tries them again.")


def _left(job: JobSummary) -> str:
    seconds = job.progress.seconds_left
    return "" if seconds is None else duration_text(seconds)


def _print_jobs(found: Sequence[JobSummary]) -> None:
    print_table(
        ("job", "kind", "priority", "state", "done", "failed", "items", "left", "submitted (UTC)", "source"),
        [
            (
                job.id,
                job.kind,
                job.priority.name.lower(),
                job.state,
                job.progress.done,
                job.progress.failed,
                job.progress.total,
                _left(job),
                f"{job.created_at:%Y-%m-%d %H:%M:%S}",
                job.source,
            )
            for job in found
        ],
    )


def _print_items(items: Sequence[ItemSummary]) -> None:
    print_table(
        ("item", "what", "state", "attempts", "error"),
        [(item.number, item.name, item.state, item.attempts, item.error) for item in items],
    )
