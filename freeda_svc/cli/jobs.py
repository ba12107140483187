"""``freeda jobs``: what was asked for and how far it is."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.following import end_with, follow_submitted
from freeda_svc.cli.session import open_dispatcher, read_settings
from freeda_svc.jobs import (
    ItemSummary,
    JobKind,
    JobSummary,
    cancel_job,
    export_results,
    job_items,
    job_summary,
    list_jobs,
    result_totals,
    retry_failed_items,
)

ITEMS_SHOWN = 50


@click.group()
def jobs() -> None:
    """List, watch, cancel and retry jobs; fetch their results.

    A job is named by its id or by the beginning of it.
    """


def _count_of(items: int) -> str:
    return f"{items} item{'' if items == 1 else 's'}"


def _left(job: JobSummary) -> str:
    seconds = job.progress.seconds_left
    return "" if seconds is None else f"{seconds:.0f} s"


def _print_jobs(found: Sequence[JobSummary]) -> None:
    print_table(
        ("job", "kind", "state", "done", "failed", "items", "left", "submitted (UTC)", "source"),
        [
            (
                job.id,
                job.kind,
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


@jobs.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Show the newest N jobs.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def list_command(context: click.Context, limit: int, *, as_json: bool) -> None:
    """List jobs, the newest first.

    \b
    Example:
      freeda jobs list --limit 5
    """
    found = list_jobs(read_settings(context), limit=limit)
    if as_json:
        print_json([asdict(job) for job in found])
    elif found:
        _print_jobs(found)
    else:
        click.echo("There are no jobs yet: begin with `freeda ingest` or `freeda segment`.")


@jobs.command()
@click.argument("job_id")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every item.")
@click.pass_context
def show(context: click.Context, job_id: str, *, as_json: bool) -> None:
    """Show a job, its outcome and its items.

    \b
    Example:
      freeda jobs show 3f2a
    """
    settings = read_settings(context)
    job = job_summary(settings, job_id)
    totals = {} if job.kind is JobKind.SEGMENT else result_totals(settings, job.id)
    items = job_items(settings, job.id, limit=None if as_json else ITEMS_SHOWN)
    if as_json:
        print_json({**asdict(job), "totals": totals, "items": [asdict(item) for item in items]})
        return
    _print_jobs([job])
    for name, value in totals.items():
        click.echo(f"{value} {name}")
    click.echo("")
    _print_items(items)
    if job.progress.total > len(items):
        click.echo(f"... and {job.progress.total - len(items)} more; --json shows all.")


@jobs.command()
@click.argument("job_id")
@click.pass_context
def watch(context: click.Context, job_id: str) -> None:
    """Follow a job to its end.

    \b
    Example:
      freeda jobs watch 3f2a
    """
    settings = read_settings(context)
    job = job_summary(settings, job_id)
    ended = follow_submitted(settings, job.id, job.kind)
    click.echo(f"job {job.id} is {ended.state}")
    end_with(context, settings, ended)


@jobs.command()
@click.argument("job_id")
@click.pass_context
def cancel(context: click.Context, job_id: str) -> None:
    """Cancel what a job has not begun; what is done stays.

    \b
    Example:
      freeda jobs cancel 3f2a
    """
    count = cancel_job(read_settings(context), job_id)
    click.echo(f"{_count_of(count)} cancelled")


@jobs.command()
@click.argument("job_id")
@click.pass_context
def retry(context: click.Context, job_id: str) -> None:
    """Try a job's failed items again.

    \b
    Example:
      freeda jobs retry 3f2a
    """
    settings = read_settings(context)
    count = retry_failed_items(settings, job_id, dispatcher=open_dispatcher(settings))
    click.echo(f"{_count_of(count)} queued again")


@jobs.command()
@click.argument("job_id")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to copy to.")
@click.pass_context
def export(context: click.Context, job_id: str, out: Path) -> None:
    """Copy the masks of a segmentation job to a folder.

    \b
    Example:
      freeda jobs export 3f2a --out masks
    """
    exported = export_results(read_settings(context), job_id, out)
    click.echo(f"{3 * len(exported)} files in {out}")
