"""``freeda jobs watch | export``: seeing a job to its end, and taking its results."""

from pathlib import Path
from typing import Any

import click

from freeda_svc.batches import unknown_words
from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.console import print_json
from freeda_svc.cli.exit_codes import EXIT_FAILED, EXIT_PARTLY
from freeda_svc.cli.following import end_with, follow_submitted
from freeda_svc.cli.options import job_argument, outcome_option, quiet_option
from freeda_svc.cli.segment_formats import format_option, piece_options, prefix_option, read_collecting, read_formats
from freeda_svc.cli.segment_report import LINES_SHOWN, show_errors
from freeda_svc.cli.segment_words import show_unknown_words
from freeda_svc.counts import counted
from freeda_svc.errors import InputError
from freeda_svc.jobs import JobState, job_values, why_no_results


@click.command()
@job_argument
@quiet_option
@outcome_option
@click.pass_context
def watch(context: click.Context, job_id: str, *, quiet: bool, as_json: bool) -> None:
    """Follow a job to its end.

    The exit code is the job's: 0 done, 1 failed or cancelled, 3 partly failed.

    \b
    Example:
      freeda jobs watch 3f2a
    """
    backend = open_backend(context)
    job = backend.job_summary(job_id)
    ended = follow_submitted(backend, job.id, job.kind, quiet=quiet)
    print_json(job_values(ended)) if as_json else click.echo(f"job {job.id} is {ended.state}")
    if ended.state == JobState.CANCELLED:  # which is said by now
        context.exit(EXIT_FAILED)
    end_with(context, backend, ended)


@click.command()
@job_argument
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to.")
@format_option
@prefix_option
@piece_options
@outcome_option
@click.pass_context
def export(
    context: click.Context,
    /,
    *,
    job_id: str,
    out: Path,
    formats: tuple[str, ...],
    image_prefix: str,
    as_json: bool,
    **pieces: Any,  # noqa: ANN401 - the options of piece_options
) -> None:
    """Write the results of a segmentation job to a folder.

    Items that are done by now are written; files are named after the images, as `freeda segment --help` says.

    \b
    Examples:
      freeda jobs export 3f2a --out masks
      freeda jobs export 3f2a --out dataset --format mask,coco
      freeda jobs export 3f2a --out dataset --format coco --instances --least-area 50 --fill-holes
    """
    chosen = read_formats(formats)
    backend = open_backend(context)
    job = backend.job_summary(job_id)
    exported = backend.export_results(job.id, out, chosen, **read_collecting(image_prefix, pieces, chosen))
    files = [str(file) for outcome in exported for file in outcome.files.values()]
    left = job.progress.total - len(exported)
    errors = [f"{outcome.image.name}: {outcome.error}" for outcome in exported if outcome.error]
    written = [outcome for outcome in exported if not outcome.error]
    show_unknown_words(unknown_words(one.result.summary for one in written[:LINES_SHOWN] if one.result is not None))
    if as_json:
        print_json({"job": job.id, "images": len(written), "left_out": left, "files": files, "errors": errors})
    elif not exported:
        raise InputError(f"nothing was written to {out}: {why_no_results(job)}")
    else:
        missing = f"; {counted(left, 'item')} not done" if left else ""
        click.echo(f"results of {counted(len(written), 'image')} in {out}{missing}")
    show_errors(errors, len(exported), None)
    if errors:
        context.exit(EXIT_PARTLY if written else EXIT_FAILED)
