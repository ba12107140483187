"""The option that says which bank is meant."""

import click

from freeda_svc.bank.names import split_bank_name
from freeda_svc.cli.completing import complete_banks
from freeda_svc.cli.options import checked_by

bank_option = click.option(
    "--bank",
    default="",
    metavar="NAME[@VERSION]",
    callback=checked_by(split_bank_name),
    shell_complete=complete_banks,
    help="Which bank; its current version where none is given  [default: $FREEDA_BANK or default]",
)
