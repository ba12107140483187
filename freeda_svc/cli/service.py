"""``freeda up`` and ``freeda worker``: the processes that do the work."""

from collections.abc import Callable
from typing import Any

import click

from freeda_svc.cli.endings import Interrupted
from freeda_svc.cli.session import read_settings
from freeda_svc.settings import Settings


@click.command()
@click.pass_context
def up(context: click.Context) -> None:
    """Run the broker and a worker until Ctrl-C.

    Both run in the foreground; everything lies in the home directory. Ctrl-C lets the item in hand end and stops
    both. What is queued stays queued.

    \b
    Example:
      freeda --home ./work up
    """
    from workers.supervisor import run_stack  # noqa: PLC0415 - Celery takes a third of a second to import

    _run_until_stopped(run_stack, read_settings(context))


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Run a worker on a broker of your own until Ctrl-C.

    The broker runs already; FREEDA_BROKER_URL names it.

    \b
    Example:
      FREEDA_BROKER_URL=redis://localhost:6379/0 freeda worker
    """
    from workers.supervisor import run_worker  # noqa: PLC0415 - as above

    _run_until_stopped(run_worker, read_settings(context))


def _run_until_stopped(run: Callable[[Settings], None], settings: Settings) -> None:
    """Run a worker; one that Ctrl-C stopped is an interrupted command, one that SIGTERM stopped is done."""
    from celery.signals import worker_shutting_down  # noqa: PLC0415 - as above

    told: list[str] = []

    def note(sig: str = "", **_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        told.append(sig)

    worker_shutting_down.connect(note)
    try:
        run(settings)
    finally:
        worker_shutting_down.disconnect(note)
    if "SIGINT" in told:
        raise Interrupted("Stopped; what is queued waits for the next `freeda up`.")
