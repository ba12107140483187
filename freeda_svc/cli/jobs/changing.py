"""``freeda jobs cancel | retry | prune``: changing what becomes of jobs."""

from dataclasses import asdict
from datetime import timedelta

import click

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.completion import complete_jobs
from freeda_svc.cli.console import confirm, print_json, print_table, size_text
from freeda_svc.cli.exit_codes import EXIT_FAILED, EXIT_PARTLY
from freeda_svc.cli.options import job_argument, jobs_argument, outcome_option, read_age
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs import Pruned

DEFAULT_AGE = timedelta(days=30)


@click.command()
@jobs_argument
@outcome_option
@click.pass_context
def cancel(context: click.Context, job_ids: tuple[str, ...], *, as_json: bool) -> None:
    """Cancel what jobs have not begun; what is done stays.

    An export or import ends within moments, also where it has begun; the same command continues where it stopped.

    All of them must be there, or none is cancelled. A job that has ended already is reported; the exit code is 3 then,
    or 1 when all had.

    \b
    Examples:
      freeda jobs cancel 3f2a
      freeda jobs cancel 3f2a 77b0 c41e --json
    """
    backend = open_backend(context)
    cancelled: dict[str, int] = {}
    errors: dict[str, str] = {}
    for job_id in dict.fromkeys([backend.find_job(named) for named in job_ids]):
        try:
            cancelled[job_id] = backend.cancel_job(job_id)
        except (InputError, NotFoundError) as error:  # the others are still to be cancelled
            errors[job_id] = str(error)
    is_one = len(cancelled) + len(errors) == 1
    if as_json and not (is_one and errors):
        done = [{"job": job, "cancelled": count} for job, count in cancelled.items()]
        failed = [{"job": job, "cancelled": 0, "error": reason} for job, reason in errors.items()]
        print_json(done[0] if is_one else [*done, *failed])
    elif not as_json:
        for job, count in cancelled.items():
            click.echo(
                f"{counted(count, 'item')} cancelled" if is_one else f"job {job}: {counted(count, 'item')} cancelled"
            )
    for reason in errors.values():
        click.echo(f"Error: {reason}", err=True)
    if errors:
        context.exit(EXIT_PARTLY if cancelled else EXIT_FAILED)


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
    backend = open_backend(context)
    full_id = backend.find_job(job_id)
    count = backend.retry_failed_items(full_id)
    print_json({"job": full_id, "queued": count}) if as_json else click.echo(f"{counted(count, 'item')} queued again")


@click.command()
@click.argument("job_ids", metavar="[JOB]...", nargs=-1, shell_complete=complete_jobs)
@click.option(
    "--older-than",
    callback=read_age,
    metavar="AGE",
    help="Jobs that ended so long ago, as in 30d, 12h or 45m.  [default: 30d]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@outcome_option
@click.pass_context
def prune(
    context: click.Context,
    job_ids: tuple[str, ...],
    older_than: timedelta | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove jobs with their results: old ones, or those that are named.

    Copied images that no other job uses go, too, and, where no job is named, files that a killed process began. What
    jobs added to a bank stays there.

    \b
    Examples:
      freeda jobs prune --older-than 90d --dry-run
      freeda jobs prune 3f2a 77b0
      freeda jobs prune --yes --json
    """
    if job_ids and older_than is not None:
        raise click.UsageError("--older-than goes without jobs that are named.")
    backend = open_backend(context)
    age = None if job_ids else DEFAULT_AGE if older_than is None else older_than
    found = backend.prune_jobs(age, dry_run=True, only=job_ids)
    is_something = bool(found.jobs or found.files)
    if is_something and not dry_run:
        confirm(f"remove {_described(found)} for good", yes=yes)
        found = backend.prune_jobs(age, dry_run=False, only=job_ids)
    if as_json:
        print_json({**asdict(found), "removed": is_something and not dry_run})
        return
    if dry_run and found.jobs:
        rows = [(job.id, job.kind, job.state, job.items, f"{job.ended_at:%Y-%m-%d %H:%M:%S}") for job in found.jobs]
        print_table(("job", "kind", "state", "items", "ended (UTC)"), rows)
    if is_something:
        click.echo(f"{_described(found)} {'would be' if dry_run else 'are'} removed")
    else:
        click.echo("there is nothing to remove")


def _described(found: Pruned) -> str:
    return f"{counted(len(found.jobs), 'job')} and {counted(found.files, 'file')} ({size_text(found.bytes)})"
