"""The option that says which bank is meant."""

import click

bank_option = click.option(
    "--bank",
    default="",
    metavar="NAME[@VERSION]",
    help="Which bank; its current version where none is given  [default: $FREEDA_BANK or default]",
)
