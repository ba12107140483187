"""The option that says which bank is meant."""

import click

from freeda_svc.cli.completing import complete_banks

bank_option = click.option(
    "--bank",
    default="",
    metavar="NAME[@VERSION]",
    shell_complete=complete_banks,
    help="Which bank; its current version where none is given  [default: $FREEDA_BANK or default]",
)
