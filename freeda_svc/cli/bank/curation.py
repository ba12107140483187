"""``freeda bank curate``: marking prototypes that probably do not show their noun."""

from typing import Any

import click

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.console import print_json, print_table
from freeda_svc.cli.options import bank_option, outcome_option
from freeda_svc.counts import counted

NOUNS_SHOWN = 20


@click.command()
@bank_option
@click.option(
    "--keep", type=click.FloatRange(0, 1, min_open=True), help="Share of each noun that stays  [default: 0.7]"
)
@click.option("--dry-run", is_flag=True, help="Only say what would be marked.")
@click.option("--undo", is_flag=True, help="Take back all marks that curation made.")
@outcome_option
@click.pass_context
def curate(context: click.Context, bank: str, keep: float | None, *, dry_run: bool, undo: bool, as_json: bool) -> None:
    """Mark the prototypes of each noun that differ most from the others.

    Marked ones stay in the bank, but are not retrieved. Each is compared with those of its noun: how it agrees with
    them, how the image-text model finds the noun in its image, how sharply the attribution stands out. Exemplars and
    nouns with few prototypes are left alone. docs/curation.md measures what it does to segmentation.

    \b
    Examples:
      freeda bank curate --dry-run
      freeda bank curate --keep 0.9
      freeda bank curate --undo
    """
    if undo and (dry_run or keep is not None):
        raise click.UsageError("--undo goes alone: it takes back all marks that curation made.")
    backend = open_backend(context)
    if undo:
        unmarked = backend.uncurate_bank(bank)
        line = f"{counted(unmarked['unmarked'], 'mark')} taken back in {unmarked['bank']}"
        print_json(unmarked) if as_json else click.echo(line)
        return
    outcome = backend.curate_bank(bank, keep=keep, dry_run=dry_run)
    print_json(outcome) if as_json else _print_outcome(outcome, dry_run=dry_run)


def _print_outcome(outcome: dict[str, Any], *, dry_run: bool) -> None:
    rows = sorted(outcome["nouns"].items(), key=lambda entry: (-entry[1][1], entry[0]))
    print_table(
        ("noun", "prototypes", "to be marked" if dry_run else "marked"),
        [(noun, count, marked) for noun, (marked, count) in rows[:NOUNS_SHOWN]],
    )
    if len(rows) > NOUNS_SHOWN:
        click.echo(f"... and {len(rows) - NOUNS_SHOWN} more; --json shows all.")
    reasons = ", ".join(f"{count} for {reason}" for reason, count in outcome["reasons"].items()) or "none"
    click.echo(
        f"{outcome['bank']}: {counted(outcome['assessed'], 'prototype')} compared, {outcome['left_alone']} left alone, "
        f"{outcome['found']} {'would be' if dry_run else 'are'} marked ({reasons})"
    )
