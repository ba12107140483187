"""How the command line shows things: tables and JSON on standard output, progress on standard error."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from freeda_svc.cli.terminal_text import printable

PLAIN_LINE_SECONDS = 5.0
SILENT_SECONDS = 15.0
"""After so long a line says that work goes on, though nothing has changed."""
SHORTEST_PACE_SECONDS = 1.0
BAR_WIDTH = 20
PLAIN_WIDTH = 200
_WHOLE_COLUMNS = frozenset(("id", "job"))
"""What is copied into the next command, so no narrow terminal breaks it as long as other columns can shrink."""


def print_json(value: Any) -> None:  # noqa: ANN401 - anything that JSON can hold
    """Print a value as JSON, one document, on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows as a table on standard output; numbers are aligned to the right."""
    table = make_table(columns, rows, title=title)
    if sys.stdout.isatty():
        Console(file=sys.stdout, highlight=False, markup=False, emoji=False).print(table)
    else:
        print_plain(table)


def make_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> Table:
    """Return rows as a table; numbers are aligned to the right."""
    cells = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[index], int | float) for row in cells)
        whole = column in _WHOLE_COLUMNS
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=whole)
    for row in cells:
        table.add_row(*("" if cell is None else Text(printable(str(cell))) for cell in row))
    return table


def print_plain(shown: RenderableType) -> None:
    """Print on standard output without colours and at a width of its own, so that it is the same everywhere."""
    plain = StringIO()
    Console(file=plain, width=PLAIN_WIDTH, highlight=False, markup=False, emoji=False).print(shown)
    click.echo("\n".join(line.rstrip() for line in plain.getvalue().splitlines()))


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if a person agrees, or has agreed beforehand.

    Args:
        question: what to ask, without its question mark.
        yes: whether --yes was given.

    Raises:
        click.UsageError: there is no terminal to ask at.
        click.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question}: give --yes to do it, there is no terminal to ask at.")
    click.confirm(f"{question}?", abort=True, err=True)


def size_text(count: float) -> str:
    """Write a number of bytes for people.

    >>> size_text(14_300_000)
    '13.6 MiB'
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:  # noqa: PLR2004 - a step of binary units
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def duration_text(seconds: float) -> str:
    """Write a time span for people, with its two largest units.

    >>> duration_text(7384)
    '2 h 3 min'
    """
    whole = round(seconds)
    for size, unit, part in ((86400, "d", "h"), (3600, "h", "min"), (60, "min", "s")):
        if whole >= size:
            rest = whole % size // {"h": 3600, "min": 60, "s": 1}[part]
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def track(label: str, counts: Iterable[tuple[int, int]], *, unit: str = "", quiet: bool = False) -> None:
    """Show progress until ``counts`` ends, as `shown_progress` does.

    Args:
        label: what is going on.
        counts: yields (done, total) again and again.
        unit: what is counted, in the plural.
        quiet: show nothing.
    """
    with shown_progress(label, unit=unit, quiet=quiet) as report:
        for done, total in counts:
            report(done, total)


@contextmanager
def shown_progress(label: str, *, unit: str = "", quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show progress as long as the block lasts: a live bar on a terminal, a plain line every few seconds elsewhere.

    Both show the count, the rate and the time left, as soon as these are known.

    Args:
        label: what is going on.
        unit: what is counted, in the plural; left out where the label is the same.
        quiet: show nothing.

    Yields:
        A function to call with (done, total) again and again.
    """
    if quiet:
        yield lambda _done, _total: None
        return
    unit = "" if label == unit else unit
    pace = Pace()
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(BAR_WIDTH), TextColumn("{task.fields[text]}"))
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            task = progress.add_task(label, total=None, text="")

            def report(done: int, total: int) -> None:
                text = f"{done}/{total}{unit and f' {unit}'}{pace.text(done, total)}"
                progress.update(task, completed=done, total=total, text=text)

            yield report
        return
    plain = _PlainLines(label, unit, pace)
    yield plain.report
    plain.end()


class Pace:
    """The rate of something, since it was first counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = clock()
        self._first: int | None = None

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._begun

    def text(self, done: int, total: int) -> str:
        """Return rate and time left, as in ``, 0.4/s, 1 min left``; empty while they are not known."""
        if self._first is None:
            self._first, self._begun = done, self._clock()
        seconds = self.seconds
        if done <= self._first or seconds < SHORTEST_PACE_SECONDS:
            return ""
        rate = (done - self._first) / seconds
        left = f", {duration_text((total - done) / rate)} left" if done < total else ""
        return f", {rate:.1f}/s{left}" if rate >= 1 else f", {60 * rate:.1f}/min{left}"


class _PlainLines:
    """A line when something has changed, but not too often, one when nothing has for long, and the last state."""

    def __init__(self, label: str, unit: str, pace: Pace) -> None:
        self._label = label
        self._unit = unit and f" {unit}"
        self._pace = pace
        self._said: tuple[int, int] | None = None
        self._latest: tuple[int, int] | None = None
        self._spoken_at = float("-inf")

    def report(self, done: int, total: int) -> None:
        self._latest = done, total
        quiet_for = time.monotonic() - self._spoken_at
        pace = self._pace.text(done, total)
        if self._latest != self._said and quiet_for >= PLAIN_LINE_SECONDS:
            self._say(pace)
        elif quiet_for >= SILENT_SECONDS and done < total:
            self._say(f" after {duration_text(self._pace.seconds)}{pace}")

    def end(self) -> None:
        if self._latest is not None and self._latest != self._said:
            self._say(self._pace.text(*self._latest))

    def _say(self, more: str) -> None:
        assert self._latest is not None
        click.echo(f"{self._label}: {self._latest[0]} of {self._latest[1]}{self._unit}{more}", err=True)
        self._said, self._spoken_at = self._latest, time.monotonic()
