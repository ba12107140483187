"""``freeda bank``: the banks of prototypes."""

import click

from freeda_svc.cli.bank.changes import forget
from freeda_svc.cli.bank.contents import nouns, search, stats
from freeda_svc.cli.bank.curation import curate
from freeda_svc.cli.bank.exemplars import add_exemplars
from freeda_svc.cli.bank.moves import export, import_command
from freeda_svc.cli.bank.pictures import show
from freeda_svc.cli.bank.versions import create, drop, list_command, switch


@click.group()
def bank() -> None:
    """Look into banks of prototypes and change them, also while a worker uses them.

    A bank is named as NAME, its current version, or NAME@VERSION. Without --bank the one of FREEDA_BANK is meant,
    which is "default".
    """


for command in (
    list_command,
    create,
    switch,
    drop,
    stats,
    nouns,
    search,
    show,
    add_exemplars,
    curate,
    forget,
    export,
    import_command,
):
    bank.add_command(command)
