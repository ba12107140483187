"""``freeda bank list | create | switch | drop | index``: banks side by side, and their versions."""

import click

from freeda_svc.bank.banks import BankName, split_bank_name
from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.completion import complete_banks
from freeda_svc.cli.console import confirm, print_json, print_table, size_text
from freeda_svc.cli.options import bank_option, checked_by, json_option, outcome_option
from freeda_svc.cli.session import read_settings
from freeda_svc.counts import counted
from freeda_svc.workers import ask_bank

PACKING_SECONDS = 3600.0
"""Time-out of packing a bank, seconds."""


@click.command("list")
@json_option
@click.pass_context
def list_command(context: click.Context, *, as_json: bool) -> None:
    """List all banks with their versions.

    \b
    Example:
      freeda bank list
    """
    found = open_backend(context).list_banks()
    if as_json:
        print_json(found)
    elif found:
        rows = [
            (entry["bank"], "yes" if entry["current"] else "", entry["prototypes"], entry["pack"], entry["created"])
            for entry in found
        ]
        print_table(("bank", "current", "prototypes", "fingerprint of encoders", "created"), rows)
        for entry in found:
            if entry["fault"]:
                click.echo(f"{entry['bank']} cannot be opened: {entry['fault']}", err=True)
    else:
        click.echo("There are no banks yet: `freeda ingest` makes one, or `freeda bank create NAME`.")


@click.command()
@click.argument("name", metavar="NAME[@VERSION]", callback=checked_by(split_bank_name))
@outcome_option
@click.pass_context
def create(context: click.Context, name: str, *, as_json: bool) -> None:
    """Make an empty bank, or an empty version of one.

    The first version of a bank is current at once. A later one is built beside it, by `freeda ingest --bank` or
    `freeda bank import`, until `freeda bank switch` makes it current.

    \b
    Examples:
      freeda bank create animals
      freeda bank create animals@2
    """
    made = open_backend(context).create_bank(name)
    print_json({"bank": made}) if as_json else click.echo(made)


@click.command()
@click.argument("name", metavar="NAME@VERSION", shell_complete=complete_banks, callback=checked_by(BankName.parse))
@outcome_option
@click.pass_context
def switch(context: click.Context, name: str, *, as_json: bool) -> None:
    """Make a version of a bank the current one, at once for everybody.

    Jobs that were accepted before go on with the version they were accepted for.

    \b
    Example:
      freeda bank switch animals@2
    """
    backend = open_backend(context)
    chosen = backend.switch_bank(name)
    if not backend.bank_stats(chosen)["prototypes"]:
        click.echo(f"{chosen} is empty: nothing can be segmented with it before `freeda ingest FILE`", err=True)
    print_json({"bank": chosen, "current": True}) if as_json else click.echo(f"{chosen} is current")


@click.command()
@click.argument("name", metavar="NAME@VERSION", shell_complete=complete_banks, callback=checked_by(BankName.parse))
@click.option("--yes", is_flag=True, help="Do not ask.")
@outcome_option
@click.pass_context
def drop(context: click.Context, name: str, *, yes: bool, as_json: bool) -> None:
    """Remove a version of a bank with all its prototypes.

    The current version can be dropped only when it is the last one.

    \b
    Example:
      freeda bank drop animals@1 --yes
    """
    backend = open_backend(context)
    # Not asked of the bank itself: one that cannot be opened can be dropped.
    listed = {entry["bank"]: entry["prototypes"] for entry in backend.list_banks()}
    count = listed.get(name, 0)
    if name in listed:  # for others, the answer says what is wrong
        confirm(f"drop {name} with {counted(count, 'prototype')} for good", yes=yes)
    dropped = backend.drop_bank(name)
    print_json({"bank": dropped, "prototypes": count}) if as_json else click.echo(f"{dropped} dropped")


@click.command()
@bank_option
@click.option("--prototypes", is_flag=True, help="Also build a graph of the prototypes, for searching by looks.")
@outcome_option
@click.pass_context
def index(context: click.Context, bank: str, *, prototypes: bool, as_json: bool) -> None:
    """Pack a bank for searching, after it has changed much.

    Files become smaller and searches faster; nothing else changes. It takes a few minutes for a million prototypes, in
    which the bank answers no other request; twice the bank's size must be free on the disk.

    \b
    Example:
      freeda bank index --bank animals
    """
    settings = read_settings(context)
    patient = settings.model_copy(update={"query_timeout_seconds": PACKING_SECONDS})
    packed = ask_bank(patient, "index_bank", bank=bank or settings.bank, prototypes=prototypes)
    if as_json:
        print_json(packed)
    else:
        before, now = size_text(packed["bytes_before"]), size_text(packed["bytes"])
        click.echo(f"{packed['bank']} packed: {before} before, {now} now")
