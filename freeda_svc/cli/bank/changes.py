"""``freeda bank forget``: removing prototypes."""

import click

from freeda_svc.cli.console import confirm, print_json
from freeda_svc.cli.options import bank_option, outcome_option
from freeda_svc.cli.session import read_settings
from freeda_svc.counts import counted
from freeda_svc.jobs import find_job
from freeda_svc.prototypes import ORIGINS, tidy_noun
from freeda_svc.workers import ask_bank


@click.command()
@bank_option
@click.option("--noun", help="Prototypes of this noun.")
@click.option("--job", metavar="ID", help="Prototypes that this job made.")
@click.option("--caption", metavar="ID", help="Prototypes of this caption; `freeda bank search --json` shows its id.")
@click.option("--origin", type=click.Choice(ORIGINS), help="Prototypes of this origin.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@outcome_option
@click.pass_context
def forget(
    context: click.Context,
    *,
    bank: str,
    noun: str | None,
    job: str | None,
    caption: str | None,
    origin: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove prototypes for good, after showing how many.

    Where several options are given, only prototypes are removed for which all of them hold.

    \b
    Examples:
      freeda bank forget --noun bat --dry-run
      freeda bank forget --job 3f2a --yes
    """
    for name, value in (("--noun", noun), ("--caption", caption)):
        if value is not None and not value.strip():  # an empty noun would mean all that was imported without one
            raise click.UsageError(f"{name} is empty; give one, or leave the option out.")
    settings = read_settings(context)
    noun = None if noun is None else tidy_noun(noun)
    full_job = None if job is None else find_job(settings, job)
    wanted = {"noun": noun, "job": full_job, "caption_id": caption, "origin": origin}
    selection = {name: value for name, value in wanted.items() if value is not None}
    if not selection:
        raise click.UsageError("Say which prototypes: --noun, --job, --caption or --origin.")
    named = ask_bank(settings, "resolve_bank", bank=bank or settings.bank)  # once: it may be switched meanwhile
    count = ask_bank(settings, "count_selected", bank=named, selection=selection)
    removed = 0
    if count and not dry_run:
        confirm(f"remove {counted(count, 'prototype')} from {named} for good", yes=yes)
        removed = ask_bank(settings, "forget", bank=named, selection=selection)
    if as_json:
        print_json({"bank": named, "found": count, "removed": removed})
    elif removed:
        click.echo(f"{counted(removed, 'prototype')} removed from {named}")
    else:
        hint = "; `freeda bank nouns` lists the nouns there are" if noun is not None and not count else ""
        click.echo(f"{counted(count, 'prototype')} found in {named}, none removed{hint}")
