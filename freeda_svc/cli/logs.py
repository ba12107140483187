"""``freeda logs``: the worker's log, readably."""

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.session import read_settings
from freeda_svc.cli.terminal_text import printable
from freeda_svc.errors import NotFoundError, UnavailableError

POLL_SECONDS = 0.3
_COLOURS = {"warning": "yellow", "error": "red", "critical": "red"}
_SHOWN_FIRST = ("timestamp", "level", "event")
_SHOWN_LAST = ("exception", "stack", "stacks")
_LEFT_OUT = ("logger",)


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
@click.option(
    "--lines",
    "-n",
    metavar="N",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="How many of the last.",
)
@click.option("--name", metavar="NAME", help="Of the worker, where one home has several  [default: the host's]")
@click.option("--json", "as_json", is_flag=True, help="As they are in the file: one JSON object per line.")
@click.pass_context
def logs(context: click.Context, *, follow: bool, lines: int, name: str | None, as_json: bool) -> None:
    """Show the last lines of the worker's log.

    The log lies in the home (`logs/worker.log`), one JSON object per line. It is put aside when it has 10 MiB, and five
    older ones are kept. Times are those of this machine.

    \b
    Examples:
      freeda logs
      freeda logs --follow --lines 0
      freeda logs --lines 1000 --json | jq 'select(.level == "error")'
    """
    settings = read_settings(context, worker_name=name)
    path = settings.log_file
    if not _files(path) and not follow:
        kept = (
            "`freeda up` writes it" if settings.keep_log else "keep_log is off, so it is on the worker's console only"
        )
        raise NotFoundError(f"there is no log {path}: {kept}")
    try:
        with closing(Position(path)) as position:
            for line in chain(last_lines(path, lines, position), position.follow() if follow else ()):
                click.echo(line if as_json else readable(line))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UnavailableError(f"the log {path} cannot be read: {error.strerror}") from error


class Position:
    """How far the newest file of a log has been read; it may be put aside, or come into being, meanwhile."""

    def __init__(self, path: Path) -> None:
        """Begin at its end."""
        self._path = path
        self.file = path.open("rb") if path.exists() else None
        self.begin = os.fstat(self.file.fileno()).st_size if self.file else 0

    def close(self) -> None:
        """Close the file."""
        if self.file:
            self.file.close()

    def follow(self) -> Iterator[str]:
        """Give each line that is written from here on, for as long as one asks."""
        rest = b""
        if self.file:
            self.file.seek(self.begin)
        while True:
            content = self.file.read() if self.file else b""
            *whole, rest = (rest + content).split(b"\n")
            yield from map(_text, whole)
            if content:
                continue
            if self._is_replaced():
                self.close()
                self.file, rest = self._path.open("rb"), b""
            else:
                time.sleep(POLL_SECONDS)

    def _is_replaced(self) -> bool:
        """Whether the name is another file's now, or this one was emptied."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return False
        if self.file is None:
            return True
        mine = os.fstat(self.file.fileno())
        return (found.st_dev, found.st_ino) != (mine.st_dev, mine.st_ino) or found.st_size < self.file.tell()


def last_lines(path: Path, count: int, position: Position) -> list[str]:
    """Return the last lines of a log up to a position, also of files that were put aside; the oldest first."""
    found: deque[str] = deque()
    for file in reversed(_files(path)):
        if len(found) >= count:
            break
        wanted = count - len(found)
        with file.open("rb") as opened:
            content = opened.read(position.begin) if file == path else opened.read()
        found.extendleft(_text(line) for line in reversed(content.splitlines()[-wanted:]))
    return list(found)


def readable(line: str) -> str:
    """Write a line of the log for people; one that is no JSON object as it is.

    >>> readable('{"event": "item done", "job": "1f", "level": "info", "logger": "freeda_svc.workers.tasks"}')
    'info     item done  job=1f'
    """
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        return printable(line)
    level = str(entry.get("level", ""))
    shown = click.style(f"{level:8}", fg=_COLOURS[level]) if level in _COLOURS else f"{printable(level):8}"
    head = (_local_time(entry.get("timestamp")), shown)
    known = {*_SHOWN_FIRST, *_SHOWN_LAST, *_LEFT_OUT}
    rest = " ".join(f"{key}={_value(value)}" for key, value in entry.items() if key not in known)
    event = printable(str(entry.get("event", "")))
    long = [text for key in _SHOWN_LAST if isinstance(text := entry.get(key), str)]
    return "\n".join(
        [
            " ".join(part for part in (*head, event) if part) + (f"  {rest}" if rest else ""),
            *(f"    {printable(part)}" for text in long for part in text.splitlines()),
        ]
    )


def _local_time(stamp: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(stamp)).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return ""


def _value(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = printable(text)
    return shown if shown and " " not in shown else json.dumps(shown, ensure_ascii=False)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")


def _files(path: Path) -> list[Path]:
    from freeda_svc.workers.shared_log_file import log_files  # noqa: PLC0415 - what knows how they are put aside

    return log_files(path)
