"""``freeda top``: the whole installation, live in a terminal."""

import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from freeda_svc.cli.console import print_json, print_plain
from freeda_svc.cli.interrupts import remembered_interrupts
from freeda_svc.cli.options import json_option
from freeda_svc.cli.session import read_settings
from freeda_svc.cli.snapshots import Snapshot, take_snapshot
from freeda_svc.cli.top_view import render
from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings


@click.command()
@click.option("--once", is_flag=True, help="Print it once, also on a terminal.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.2),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@json_option
@click.pass_context
def top(context: click.Context, interval: float, *, once: bool, as_json: bool) -> None:
    """Watch jobs, queue and worker live.

    Jobs and how far they are, items by state, what waits and who works on what, the bank's size and what went wrong
    lately. q or Ctrl-C ends it. Where there is no terminal, and with --once or --json, it is printed once.

    \b
    Examples:
      freeda top
      freeda top --interval 10
      freeda top --json
    """
    settings = read_settings(context)
    if as_json:
        print_json(take_snapshot(settings).as_json())
    elif once or not sys.stdout.isatty():
        print_plain(render(settings, take_snapshot(settings)))
    else:
        watch_service(settings, interval)


def watch_service(settings: Settings, interval: float, take: Callable[[Settings], Snapshot] = take_snapshot) -> None:
    """Show snapshots until a key ends it; a database that is away for a while is reported and waited for.

    Args:
        settings: the installation.
        interval: seconds between two snapshots.
        take: takes a snapshot.
    """
    console = Console()

    def look() -> RenderableType:
        return render(settings, take(settings), width=console.width, height=console.height)

    shown = look()
    with (
        remembered_interrupts() as raise_if_interrupted,
        _single_keys() as pressed,
        Live(shown, console=console, screen=True, auto_refresh=False) as live,
    ):
        live.refresh()
        while not end_requested(pressed, interval):
            try:
                shown = look()
                live.update(shown, refresh=True)
            except UnavailableError as error:
                live.update(Group(Text(str(error), style="red"), "", shown), refresh=True)
            raise_if_interrupted()


def end_requested(pressed: Callable[[float], str], interval: float) -> bool:
    """Wait for the next look; True when q was pressed meanwhile."""
    until = time.monotonic() + interval
    while (left := until - time.monotonic()) > 0:
        if pressed(left) in {"q", "Q"}:
            return True
    return False


@contextmanager
def _single_keys() -> Iterator[Callable[[float], str]]:
    """Let keys be read as they are pressed; gives what waits so many seconds for one, empty when none came."""
    if not sys.stdin.isatty():
        yield _sleep
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> str:
        ready: Sequence[object] = select.select([descriptor], [], [], seconds)[0]
        return sys.stdin.read(1) if ready else ""

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _sleep(seconds: float) -> str:
    time.sleep(seconds)
    return ""
