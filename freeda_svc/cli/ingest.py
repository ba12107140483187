"""``freeda ingest``: captions become prototypes."""

from itertools import islice
from pathlib import Path

import click

from freeda_svc.cli.console import print_json
from freeda_svc.cli.following import end_with, follow_submitted
from freeda_svc.cli.session import open_dispatcher, read_settings
from freeda_svc.jobs import result_totals, submit_ingest


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first N captions of all files together.")
@click.option("--wait", is_flag=True, help="Follow the job to its end; otherwise only its id is printed.")
@click.option("--quiet", is_flag=True, help="With --wait: no progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_context
def ingest(
    context: click.Context, files: tuple[Path, ...], limit: int | None, *, wait: bool, quiet: bool, as_json: bool
) -> None:
    """Turn captions into prototypes and add them to the bank.

    FILES are COCO captions (.json), JSON Lines (.jsonl, field caption or text) or plain text, a caption a line. A
    caption that was ingested before adds nothing.

    \b
    Examples:
      freeda ingest captions.txt --wait
      freeda ingest captions_val2017.json --limit 200
    """
    from freeda_svc.captions import read_captions  # noqa: PLC0415 - spaCy comes with it

    settings = read_settings(context)
    captions = islice((caption for file in files for caption in read_captions(file)), limit)
    source = ", ".join(str(file) for file in files)
    job_id = submit_ingest(settings, captions, source=source, dispatcher=open_dispatcher(settings))
    if not wait:
        print_json({"job": job_id}) if as_json else click.echo(job_id)
        return
    job = follow_submitted(settings, job_id, "ingest", quiet=quiet)
    totals = result_totals(settings, job_id)
    if as_json:
        print_json({"job": job_id, "state": job.state, "totals": totals})
    else:
        counted = ", ".join(f"{value} {name}" for name, value in totals.items())
        click.echo(f"job {job_id}: {counted or 'nothing was added'}")
    end_with(context, settings, job)
