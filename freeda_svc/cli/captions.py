"""``freeda captions``: what a caption file contains, before it is ingested."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from freeda_svc.batching import batched
from freeda_svc.captions import Caption, CaptionSpool, CaptionTally, NounParser
from freeda_svc.cli.caption_files import caption_file_options, captions_of
from freeda_svc.cli.console import print_json, print_table, track
from freeda_svc.cli.options import json_option, quiet_option

CAPTIONS_AT_ONCE = 512


@dataclass
class NounCounts:
    """In how many captions each noun is mentioned, and how many captions mention none."""

    captions_with: Counter[str] = field(default_factory=Counter)
    captions_without: int = 0

    def add(self, given: Iterable[Caption]) -> Iterator[int]:
        """Count the nouns of captions, giving now and then how many captions are done."""
        parser = NounParser()
        done = 0
        for some in batched(given, CAPTIONS_AT_ONCE):
            for found in parser.parse([caption.text for caption in some]):
                self.captions_with.update(noun.text for noun in found)
                self.captions_without += not found
            done += len(some)
            yield done


@click.group()
def captions() -> None:
    """Inspect caption files; nothing is ingested."""


@captions.command()
@caption_file_options
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Show the N most frequent.")
@quiet_option
@json_option
def nouns(
    files: tuple[Path, ...],
    *,
    format_name: str,
    column: str,
    separator: str,
    any_language: bool,
    limit: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Count the nouns that captions mention.

    They are those that `freeda ingest` would make prototypes of. Files are read as it reads them.

    \b
    Examples:
      freeda captions nouns captions_val2017.json --limit 20
      freeda captions nouns table.tsv --column title --json
    """
    tally, found = CaptionTally(), NounCounts()
    with CaptionSpool() as spool:
        captions = captions_of(
            files,
            format_name=format_name,
            column=column,
            separator=separator,
            any_language=any_language,
            tally=tally,
        )
        spool.fill(captions, tally)
        progress = ((done, len(spool)) for done in found.add(spool))
        track("nouns", progress, unit="captions", quiet=quiet)
        counts = {
            "read": tally.read,
            "empty": tally.empty,
            "too long": tally.too_long,
            "malformed": tally.malformed,
            "not English": tally.foreign,
            "repeated": tally.repeated,
            "parsed": len(spool),
            "without nouns": found.captions_without,
        }
    ranked = sorted(found.captions_with.items(), key=lambda entry: (-entry[1], entry[0]))
    if as_json:
        print_json({"captions": counts, "nouns": dict(ranked[:limit]), "distinct nouns": len(ranked)})
        return
    print_table(("noun", "captions"), ranked[:limit])
    if len(ranked) > limit:
        click.echo(f"... and {len(ranked) - limit} more; --limit shows more.")
    click.echo("captions: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
