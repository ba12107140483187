"""``freeda up``, ``freeda worker`` and ``freeda serve``: the processes that do the work and answer requests."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from freeda_svc.cli.exit_codes import Interrupted
from freeda_svc.cli.interrupts import leave_interrupts_to_worker
from freeda_svc.cli.session import read_settings
from freeda_svc.jobs import JobKind
from freeda_svc.settings import DEFAULT_HOME, Settings

QUEUES = ("bank", *(kind.value for kind in (JobKind.SEGMENT, JobKind.EXEMPLARS, JobKind.INGEST)))

device_option = click.option(
    "--device", metavar="NAME", help="Compute on auto, cpu, mps, cuda or cuda:1  [default: $FREEDA_DEVICE or auto]"
)


@click.command()
@device_option
@click.pass_context
def up(context: click.Context, device: str | None) -> None:
    """Run the broker, a worker and the HTTP API until Ctrl-C.

    All run in the foreground; everything lies in the home directory. Ctrl-C lets the running item finish and stops
    them; a second Ctrl-C hands it back at once. What is queued stays queued. The API answers this machine only, at the
    port FREEDA_API_PORT; 0 means none. At another address, FREEDA_API_HOST, it needs a key of `freeda keys`.

    \b
    Examples:
      freeda up
      freeda --home ./work up --device cuda:1
    """
    from freeda_svc.api import api_beside, check_access  # noqa: PLC0415 - as below
    from freeda_svc.workers import run_stack  # noqa: PLC0415 - Celery takes a third of a second to import

    settings = read_settings(context, device=device)
    if settings.api_port:
        check_access(settings)

    address = ""

    @contextmanager
    def api() -> Iterator[None]:
        nonlocal address
        with api_beside(settings) as address:
            yield

    def run() -> None:
        run_stack(settings, on_ready=lambda: _greet(settings, address), beside=api)

    _run_until_stopped(settings, run, "freeda up")


@click.command()
@click.option("--host", metavar="ADDRESS", help="Listen at this address  [default: $FREEDA_API_HOST or 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Listen at this port  [default: $FREEDA_API_PORT or 8470]")
@click.pass_context
def serve(context: click.Context, host: str | None, port: int | None) -> None:
    """Run the HTTP API alone until Ctrl-C, beside workers that run elsewhere.

    `freeda up` serves it already. Several may run behind a balancer, on machines that share broker, database and
    artifacts with the workers. At any address but 127.0.0.1 it needs a key: `freeda keys create`.

    \b
    Examples:
      freeda serve --port 8471
      FREEDA_BROKER_URL=redis://broker:6379/0 freeda serve --host 0.0.0.0
    """
    from freeda_svc.api import check_access, serve_api  # noqa: PLC0415 - the server's library takes a while to import
    from freeda_svc.workers.logs import configure_logs  # noqa: PLC0415 - as above

    settings = read_settings(context, api_host=host, api_port=port)
    if not settings.api_port:
        raise click.UsageError("api_port is 0, which means no API; give it one with --port, such as --port 8470.")
    check_access(settings)
    configure_logs(settings, to_file=False)
    serve_api(settings, on_ready=lambda address: click.echo(f"Answering at {address}. Ctrl-C stops it.", err=True))


@click.command()
@click.option(
    "--queue",
    "queues",
    multiple=True,
    type=click.Choice(QUEUES),
    help="Serve this queue only; several times for several, which are served in the order of the list. "
    "With bank come exports and imports.",
)
@click.option("--name", metavar="NAME", help="Of this worker, where one machine has several  [default: the host's]")
@device_option
@click.pass_context
def worker(context: click.Context, queues: tuple[str, ...], name: str | None, device: str | None) -> None:
    """Run a worker on a broker of your own until Ctrl-C.

    The broker runs already; FREEDA_BROKER_URL names it. With a database and a Qdrant server, too, any number of workers
    on any number of machines work together: one process a GPU, each with a name and a device of its own.

    \b
    Examples:
      FREEDA_BROKER_URL=redis://localhost:6379/0 freeda worker
      freeda worker --queue segment --queue bank --name gpu-1 --device cuda:1
    """
    from freeda_svc.workers import run_worker  # noqa: PLC0415 - as above

    settings = read_settings(context, device=device, worker_name=name)
    _run_until_stopped(
        settings, lambda: run_worker(settings, queues, on_ready=lambda: _greet(settings)), "freeda worker"
    )


def _greet(settings: Settings, address: str = "") -> None:
    """Say that it is ready, where its page is if it has one, and what to type next; to people only."""
    if settings.log_format == "json":
        return
    is_usual = settings.home == DEFAULT_HOME.expanduser()
    freeda = "freeda" if is_usual else f"freeda --home {shlex.quote(str(settings.home))}"
    lines = [
        "",
        f"Ready, with the pack {settings.pack} and the home {settings.home}. Ctrl-C stops it.",
        *([f"In a browser: {address}/"] if address else []),
        "In another terminal:",
        f"  {freeda} ingest captions.txt --wait",
        f'  {freeda} segment photo.png -c "ball, sky" --out masks',
        f"  {freeda} top",
    ]
    if settings.keep_log:
        lines.append(f"  {freeda} logs --follow")
    click.echo("\n".join([*lines, ""]))


def _run_until_stopped(settings: Settings, run: Callable[[], None], command: str) -> None:
    """Run a worker; one that Ctrl-C stopped is an interrupted command, one that SIGTERM stopped is done."""
    from celery.signals import worker_shutting_down  # noqa: PLC0415 - as above

    from freeda_svc.workers.logs import configure_logs  # noqa: PLC0415 - as above

    if settings.log_format == "json":
        configure_logs(settings, to_file=False)  # also what is said before there is a log, and after it
    received: list[str] = []

    def note(sig: str = "", **_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        received.append(sig)

    worker_shutting_down.connect(note)
    leave_interrupts_to_worker()
    try:
        run()
    finally:
        worker_shutting_down.disconnect(note)
    if "SIGINT" in received:
        raise Interrupted(f"Stopped; what is queued waits for the next `{command}`.")
