"""``freeda ingest``: captions become prototypes."""

from pathlib import Path

import click

from freeda_svc.captions import CaptionTally
from freeda_svc.captions.sources import STANDARD_INPUT
from freeda_svc.cli.bank_option import bank_option
from freeda_svc.cli.caption_files import caption_file_options, captions_of, describe_left_out
from freeda_svc.cli.console import print_json
from freeda_svc.cli.following import end_with, follow_submitted
from freeda_svc.cli.job_options import idempotency_key_option, priority_option
from freeda_svc.cli.options import outcome_option
from freeda_svc.cli.session import open_dispatcher, read_settings
from freeda_svc.jobs import Priority, result_totals, submit_ingest


@click.command()
@caption_file_options
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first N captions of all files together.")
@bank_option
@priority_option
@idempotency_key_option
@click.option("--wait", is_flag=True, help="Follow the job to its end; otherwise only its id is printed.")
@click.option("--quiet", is_flag=True, help="With --wait: no progress.")
@outcome_option
@click.pass_context
def ingest(
    context: click.Context,
    files: tuple[Path, ...],
    limit: int | None,
    *,
    format_name: str,
    column: str,
    bank: str,
    priority: Priority,
    idempotency_key: str,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Turn captions into prototypes and add them to the bank.

    FILES are COCO captions (.json), JSON Lines (.jsonl), tables with a header (.csv, .tsv, .parquet) or plain text, a
    caption a line (.txt); also compressed with gzip (.txt.gz); - is standard input. Empty captions, those longer than
    1,000 characters and repeated ones are left out and counted. A caption that was ingested before adds nothing.

    \b
    Examples:
      freeda ingest captions.txt --wait
      freeda ingest captions_val2017.json --limit 200
      freeda ingest table.csv.gz --column title --priority low --idempotency-key nightly-2026-11-25
      zcat captions.gz | freeda ingest - --format jsonl
    """
    settings = read_settings(context)
    tally = CaptionTally()
    captions = captions_of(files, format_name=format_name, column=column, tally=tally, limit=limit)
    source = ", ".join("standard input" if file == STANDARD_INPUT else str(file) for file in files)
    job_id = submit_ingest(
        settings,
        captions,
        source=source,
        dispatcher=open_dispatcher(settings),
        tally=tally,
        bank=bank,
        priority=priority,
        idempotency_key=idempotency_key,
    )
    if tally.left_out:
        click.echo(f"captions left out: {describe_left_out(tally)}", err=True)
    if not wait:
        print_json({"job": job_id, "left_out": tally.left_out}) if as_json else click.echo(job_id)
        return
    job = follow_submitted(settings, job_id, "ingest", quiet=quiet)
    totals = result_totals(settings, job_id)
    if as_json:
        print_json({"job": job_id, "state": job.state, "left_out": tally.left_out, "totals": totals})
    else:
        counted = ", ".join(f"{value} {name}" for name, value in totals.items())
        click.echo(f"job {job_id}: {counted or 'nothing was added'}")
    end_with(context, settings, job)
