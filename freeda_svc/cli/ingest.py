"""``freeda ingest``: captions become prototypes."""

from pathlib import Path

import click

from freeda_svc.captions import CaptionTally, source_name
from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.caption_files import caption_file_options, captions_of, describe_left_out
from freeda_svc.cli.ingest_options import finish_ingest, ingest_options
from freeda_svc.jobs import Priority


@click.command()
@caption_file_options
@click.option("--limit", type=click.IntRange(min=1), help="Take only the first N captions of all files together.")
@ingest_options
@click.pass_context
def ingest(
    context: click.Context,
    files: tuple[Path, ...],
    limit: int | None,
    *,
    format_name: str,
    column: str,
    separator: str,
    any_language: bool,
    bank: str,
    priority: Priority,
    idempotency_key: str,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Turn captions into prototypes and add them to the bank.

    FILES are COCO captions (.json), JSON Lines (.jsonl), tables (.csv, .tsv, .parquet) or plain text, one per line
    (.txt); also compressed with gzip (.txt.gz); - is standard input. Empty captions, those longer than 1,000
    characters, those in another language than English and repeated ones are left out and counted. A caption that was
    ingested before is generated again and adds nothing new.

    A noun needs several captions before masks are good: on the miniature pack ten a noun are enough, two are not. A
    category is compared with its k nearest prototypes, whatever their nouns, so a bank of few captions confuses them.

    Quotes around fields are read as commas and semicolons have them (RFC 4180). In tables parted by tabs or bars, which
    are mostly written without, they are undone only where a field is quoted from end to end.

    \b
    Examples:
      freeda ingest captions.txt --wait                                 # `freeda samples` writes one to try
      freeda ingest captions_val2017.json --limit 200
      freeda ingest table.csv.gz --column title --priority low --idempotency-key nightly-2026-11-25
      freeda ingest Train_GCC-training.tsv --column 1                   # no header: the first column
      freeda ingest results.csv --separator '|' --column comment
      zcat captions.gz | freeda ingest - --format jsonl
    """
    backend = open_backend(context)
    tally = CaptionTally()
    captions = captions_of(
        files,
        format_name=format_name,
        column=column,
        separator=separator,
        any_language=any_language,
        tally=tally,
        limit=limit,
        rules=backend.settings.input_rules,
    )
    source = ", ".join(map(source_name, files))
    job_id = backend.submit_ingest(
        captions, source=source, tally=tally, bank=bank, priority=priority, key=idempotency_key
    )
    if tally.left_out:
        click.echo(f"captions left out: {describe_left_out(tally)}", err=True)
    finish_ingest(
        context, backend, [job_id], "ingest", left_out=tally.left_out, wait=wait, quiet=quiet, as_json=as_json
    )
