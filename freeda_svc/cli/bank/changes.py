"""``freeda bank forget``: removing prototypes."""

import click

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.console import confirm, print_json
from freeda_svc.cli.options import bank_option, outcome_option
from freeda_svc.counts import counted
from freeda_svc.prototypes import ORIGINS, tidy_noun


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
    noun = None if noun is None else tidy_noun(noun)
    wanted = {"noun": noun, "job": job, "caption": caption, "origin": origin}
    selection = {name: value for name, value in wanted.items() if value is not None}
    if not selection:
        raise click.UsageError("Say which prototypes: --noun, --job, --caption or --origin.")
    backend = open_backend(context)
    if job is not None:
        selection["job"] = backend.find_job(job)
    found = backend.forget_prototypes(bank, selection, dry_run=True)
    named, count, removed = str(found["bank"]), int(found["found"]), 0
    if count and not dry_run:
        confirm(f"remove {counted(count, 'prototype')} from {named} for good", yes=yes)
        removed = int(backend.forget_prototypes(named, selection, dry_run=False)["removed"])
    if as_json:
        print_json({"bank": named, "found": count, "removed": removed})
    elif removed:
        click.echo(f"{counted(removed, 'prototype')} removed from {named}")
    else:
        hint = "; `freeda bank nouns` lists the nouns there are" if noun is not None and not count else ""
        click.echo(f"{counted(count, 'prototype')} found in {named}, none removed{hint}")
