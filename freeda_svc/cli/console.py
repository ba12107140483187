"""How the command line shows things: tables and JSON on standard output, progress on standard error."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PLAIN_LINE_SECONDS = 5.0
PLAIN_WIDTH = 200


def print_json(value: Any) -> None:  # noqa: ANN401 - anything that JSON can hold
    """Print a value as JSON, one document, on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print rows as a table on standard output; numbers are aligned to the right."""
    cells = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(cells) and all(isinstance(row[index], int | float) for row in cells)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False).print(table)


def track(label: str, counts: Iterable[tuple[int, int]]) -> None:
    """Show progress until ``counts`` ends, as `shown_progress` does.

    Args:
        label: what is going on.
        counts: yields (done, total) again and again.
    """
    with shown_progress(label) as tell:
        for done, total in counts:
            tell(done, total)


@contextmanager
def shown_progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress as long as the block lasts: a live bar on a terminal, a plain line every few seconds elsewhere.

    Args:
        label: what is going on.

    Yields:
        What is to be told (done, total) again and again.
    """
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description:24s}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(label, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        return
    plain = _PlainLines(label)
    yield plain.tell
    plain.end()


class _PlainLines:
    """A line when something has changed, but not too often, and the last state at the end."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._said: tuple[int, int] | None = None
        self._latest: tuple[int, int] | None = None
        self._spoken_at = float("-inf")

    def tell(self, done: int, total: int) -> None:
        self._latest = done, total
        if self._latest != self._said and time.monotonic() - self._spoken_at >= PLAIN_LINE_SECONDS:
            self._say()

    def end(self) -> None:
        if self._latest is not None and self._latest != self._said:
            self._say()

    def _say(self) -> None:
        assert self._latest is not None
        click.echo(f"{self._label}: {self._latest[0]} of {self._latest[1]}", err=True)
        self._said, self._spoken_at = self._latest, time.monotonic()
