"""Names of requests to a server, so that a command that was cut off and is typed again makes no second job.

A server gives the same job to a request of the same name. A person can choose the name, ``--idempotency-key``. Without
one the command makes it up and notes it in the home until the server has answered and the command has ended: a command
that finds the note of one that was killed asks again under its name.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from freeda_svc.errors import FreedaError, UnavailableError
from freeda_svc.file_locks import open_lock, try_lock
from freeda_svc.private_folders import make_private_folder

FRESH_SECONDS = 24 * 3600.0
"""A note that is older is of no use: the same words may mean another request by now."""
LEFT = "An earlier run of this command was cut off; what it has submitted is not done twice."
_LONGEST_NAME = 100


def name_of_part(key: str, number: int) -> str:
    """Return the name of one of the jobs of a request, which follows from that of the whole request."""
    return f"part {number} {hashlib.sha256(key.encode()).hexdigest()}" if key and number else key


class RequestNames:
    """The names of the requests of one command; no two commands that run at once share one."""

    def __init__(self, folder: Path) -> None:
        """Take the folder of notes, which is made when there is one.

        Args:
            folder: of the home.
        """
        self._folder = folder
        self._answered: list[Path] = []
        self._locks: list[int] = []

    @contextmanager
    def name(self, given: str, *asked: Any) -> Iterator[str]:  # noqa: ANN401 - plain values
        """Give a name to a request that is sent in the block.

        Args:
            given: a person's own name for it, which is taken then.
            asked: all that makes the request another one, as JSON holds it.
        """
        if given:
            yield given
            return
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
        path = self._folder / digest
        name = self._noted(path)
        try:
            yield name
        except UnavailableError:  # whether the server has accepted it is not known
            raise
        except FreedaError:
            self._answered.append(path)
            raise
        self._answered.append(path)

    def close(self) -> None:
        """Forget the names of what was answered."""
        for path in self._answered:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        for descriptor in self._locks:
            os.close(descriptor)
        self._answered, self._locks = [], []

    def _noted(self, path: Path) -> str:
        """Return the name in a note that was left, or a new one that is noted; no note is needed to go on."""
        made = f"client {uuid4().hex}"
        try:
            make_private_folder(self._folder)
            self._remove_old()
            descriptor = open_lock(path)
        except OSError:
            return made
        try:
            if not try_lock(descriptor):  # the same command runs now: this is another request
                os.close(descriptor)
                return made
            self._locks.append(descriptor)
            left = os.pread(descriptor, _LONGEST_NAME, 0).decode("ascii", "replace").strip()
            if left.startswith("client ") and left.isprintable():
                click.echo(
                    "An earlier run of this command was cut off; what it has submitted is not done twice.", err=True
                )
                return left
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{made}\n".encode("ascii"), 0)
        except OSError:
            pass
        return made

    def _remove_old(self) -> None:
        for path in self._folder.iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - FRESH_SECONDS:
                    path.unlink()
