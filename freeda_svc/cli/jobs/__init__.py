"""``freeda jobs``: what was asked for and how far it is."""

import click

from freeda_svc.cli.jobs.changing import cancel, prune, retry
from freeda_svc.cli.jobs.ending import export, watch
from freeda_svc.cli.jobs.looking import errors, list_command, show


@click.group()
def jobs() -> None:
    """List, watch, cancel and retry jobs; fetch their results.

    A job is named by its id or by the beginning of it.
    """


for command in (list_command, show, watch, cancel, retry, errors, export, prune):
    jobs.add_command(command)
