"""How the command line shows things: tables and JSON on standard output, progress on standard error."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
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


def track(label: str, counts: Iterator[tuple[int, int]]) -> None:
    """Show progress until ``counts`` ends: a live bar on a terminal, a plain line every few seconds elsewhere.

    Args:
        label: what is going on.
        counts: yields (done, total) again and again.
    """
    if sys.stderr.isatty():
        _track_live(label, counts)
    else:
        _track_plainly(label, counts)


def _track_live(label: str, counts: Iterator[tuple[int, int]]) -> None:
    columns = (
        TextColumn("{task.description:24s}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(label, total=None)
        for done, total in counts:
            progress.update(task, completed=done, total=total)


def _track_plainly(label: str, counts: Iterator[tuple[int, int]]) -> None:
    said: tuple[int, int] | None = None
    latest: tuple[int, int] | None = None
    spoken_at = float("-inf")
    for latest in counts:
        if latest != said and time.monotonic() - spoken_at >= PLAIN_LINE_SECONDS:
            click.echo(f"{label}: {latest[0]} of {latest[1]}", err=True)
            said, spoken_at = latest, time.monotonic()
    if latest is not None and latest != said:
        click.echo(f"{label}: {latest[0]} of {latest[1]}", err=True)
