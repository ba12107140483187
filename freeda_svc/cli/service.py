"""``freeda up`` and ``freeda worker``: the processes that do the work."""

import click

from freeda_svc.cli.session import read_settings


@click.command()
@click.pass_context
def up(context: click.Context) -> None:
    """Run the embedded broker and a worker in the foreground until Ctrl-C.

    Ctrl-C lets the item in hand end and stops both. What is queued stays queued.

    \b
    Example:
      freeda --home ./work up
    """
    from workers.supervisor import run_stack  # noqa: PLC0415 - Celery takes a third of a second to import

    run_stack(read_settings(context))


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Run a worker in the foreground on a broker that runs already (FREEDA_BROKER_URL).

    \b
    Example:
      FREEDA_BROKER_URL=redis://localhost:6379/0 freeda worker
    """
    from workers.supervisor import run_worker  # noqa: PLC0415 - as above

    run_worker(read_settings(context))
