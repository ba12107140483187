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

from freeda_svc.cli.console import counted, duration_text, make_table, print_json, print_plain
from freeda_svc.cli.interrupts import remembered_interrupts
from freeda_svc.cli.options import json_option
from freeda_svc.cli.queue import QUEUE_COLUMNS, RUNNING_COLUMNS, queue_rows, running_rows
from freeda_svc.cli.session import read_settings
from freeda_svc.cli.snapshots import Snapshot, take_snapshot
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import ItemState, JobSummary
from freeda_svc.settings import Settings

BAR_WIDTH = 20


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
    """Watch the whole installation live.

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
        _watch(settings, interval)


def render(settings: Settings, snapshot: Snapshot) -> RenderableType:
    """Return what is shown of a snapshot."""
    parts: list[RenderableType] = [_head(settings, snapshot)]
    if snapshot.jobs:
        columns = ("job", "kind", "state", "", "done", "failed", "items", "left", "source")
        parts += ["", make_table(columns, [_job_row(job) for job in snapshot.jobs])]
    parts += ["", make_table(QUEUE_COLUMNS, queue_rows(snapshot.queues))]
    running = running_rows(snapshot.queues)
    if running:
        parts += ["", make_table(RUNNING_COLUMNS, running)]
    if snapshot.overview.troubles:
        parts += ["", Text("what went wrong lately", style="bold"), *_troubles(snapshot)]
    return Group(*parts)


def _head(settings: Settings, snapshot: Snapshot) -> Text:
    items = snapshot.overview.items
    counts = ", ".join(
        f"{items.get(state, 0):,} {state}" for state in ItemState if items.get(state) or state != "cancelled"
    )
    bank = snapshot.bank
    size = bank.problem or f"{bank.prototypes:,} prototypes"
    workers = {item.worker for state in snapshot.queues for item in state.running}
    own = "no worker on this home" if snapshot.worker is None else f"worker {snapshot.worker}"
    return Text(
        f"{settings.home}  {snapshot.at:%Y-%m-%d %H:%M:%S} UTC\n"
        f"{counted(len(snapshot.overview.jobs), 'open job')}: {counts}\n"
        f"{own}; {len(workers)} with items in hand\n"
        f"bank {bank.name}: {size}"
    )


def _job_row(job: JobSummary) -> tuple[object, ...]:
    progress = job.progress
    share = progress.ended / progress.total if progress.total else 1.0
    full = round(share * BAR_WIDTH)
    left = "" if progress.seconds_left is None else duration_text(progress.seconds_left)
    bar = f"[{'#' * full}{'.' * (BAR_WIDTH - full)}]"
    return (job.id, job.kind, job.state, bar, progress.done, progress.failed, progress.total, left, job.source)


def _troubles(snapshot: Snapshot) -> Iterator[Text]:
    for trouble in snapshot.overview.troubles:
        where = trouble.job_id if trouble.item is None else f"{trouble.job_id} item {trouble.item}"
        yield Text(
            f"{trouble.at:%H:%M:%S}  {where}  {trouble.kind}: {trouble.message}", no_wrap=True, overflow="ellipsis"
        )


def _watch(settings: Settings, interval: float) -> None:
    """Show snapshots until a key ends it; a database that is away for a while is told and waited for."""
    console = Console()
    shown: RenderableType = render(settings, take_snapshot(settings))
    with (
        remembered_interrupts() as raise_if_interrupted,
        _single_keys() as pressed,
        Live(shown, console=console, screen=True, auto_refresh=False) as live,
    ):
        live.refresh()
        while not _ends(pressed, interval):
            try:
                shown = render(settings, take_snapshot(settings))
                live.update(shown, refresh=True)
            except UnavailableError as error:
                live.update(Group(Text(str(error), style="red"), "", shown), refresh=True)
            raise_if_interrupted()


def _ends(pressed: Callable[[float], str], interval: float) -> bool:
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
