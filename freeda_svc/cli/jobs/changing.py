"""``freeda jobs cancel | retry | prune``: changing what becomes of jobs."""

from dataclasses import asdict
from datetime import timedelta

import click

from freeda_svc.cli.confirming import confirm
from freeda_svc.cli.console import counted, print_json, print_table, size_text
from freeda_svc.cli.job_options import job_argument, read_age
from freeda_svc.cli.options import outcome_option
from freeda_svc.cli.session import open_dispatcher, read_settings
from freeda_svc.jobs import cancel_job, find_job, prune_jobs, retry_failed_items


@click.command()
@job_argument
@outcome_option
@click.pass_context
def cancel(context: click.Context, job_id: str, *, as_json: bool) -> None:
    """Cancel what a job has not begun; what is done stays.

    \b
    Example:
      freeda jobs cancel 3f2a
    """
    settings = read_settings(context)
    full_id = find_job(settings, job_id)
    count = cancel_job(settings, full_id)
    print_json({"job": full_id, "cancelled": count}) if as_json else click.echo(f"{counted(count, 'item')} cancelled")


@click.command()
@job_argument
@outcome_option
@click.pass_context
def retry(context: click.Context, job_id: str, *, as_json: bool) -> None:
    """Try a job's failed items again.

    \b
    Example:
      freeda jobs retry 3f2a
    """
    settings = read_settings(context)
    full_id = find_job(settings, job_id)
    count = retry_failed_items(settings, full_id, dispatcher=open_dispatcher(settings))
    print_json({"job": full_id, "queued": count}) if as_json else click.echo(f"{counted(count, 'item')} queued again")


@click.command()
@click.option(
    "--older-than",
    default="30d",
    show_default=True,
    callback=read_age,
    metavar="AGE",
    help="Jobs that ended so long ago, as in 30d, 12h or 45m.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@outcome_option
@click.pass_context
def prune(context: click.Context, older_than: timedelta, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove jobs that ended long ago, with their results.

    Copied images that no other job uses go, too, and files that a killed process began. What jobs added to a bank stays
    there.

    \b
    Examples:
      freeda jobs prune --older-than 90d --dry-run
      freeda jobs prune --yes --json
    """
    settings = read_settings(context)
    found = prune_jobs(settings, older_than, dry_run=True)
    is_something = bool(found.jobs or found.files)
    told = f"{counted(len(found.jobs), 'job')} and {counted(found.files, 'file')} ({size_text(found.bytes)})"
    if is_something and not dry_run:
        confirm(f"remove {told} for good", yes=yes)
        found = prune_jobs(settings, older_than, dry_run=False)
    if as_json:
        print_json({**asdict(found), "removed": is_something and not dry_run})
        return
    if dry_run and found.jobs:
        rows = [(job.id, job.kind, job.state, job.items, f"{job.ended_at:%Y-%m-%d %H:%M:%S}") for job in found.jobs]
        print_table(("job", "kind", "state", "items", "ended (UTC)"), rows)
    if is_something:
        click.echo(f"{told} {'would be' if dry_run else 'are'} removed")
    else:
        click.echo("nothing is to be removed")
