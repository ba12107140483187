"""Whether a worker can take items, and why not: written by its working process, read by everybody else.

The working process tries its parts before its first item and after every fault (`becoming_able`), and takes no item
until all of them work. The result is in a file beside the worker's lock, which is allocated at its full length, so that
a full disk can be reported, too.
"""

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers.locks import worker_pid

FILE_BYTES = 4096
LONGEST_REASON, LONGEST_DEVICE = 540, 100
"""Characters, of which JSON writes each with up to six bytes; all fields together fit into the file."""
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Ability:
    """The state of a worker.

    Attributes:
        worker: id of its process.
        able: whether it takes items.
        reason: why not, one line; empty while it tries its parts for the first time.
        refused: whether it ends, because it has just been started and a person has to repair its parts.
        generates: whether the text-to-image model is among the parts that must work.
        faults: how many there were since the last item that was done.
        started: whether it has been able before.
        device: what its models compute on and in which precision, one line; empty until that was tried.
    """

    worker: int
    able: bool = False
    reason: str = ""
    refused: bool = False
    generates: bool = False
    faults: int = 0
    started: bool = False
    device: str = ""


def begin_ability(settings: Settings, worker: int) -> None:
    """Record that a worker has been started and is not able yet.

    Raises:
        UnavailableError: the file cannot be written.
    """
    try:
        _file(settings).write_bytes(b" " * FILE_BYTES)
        write_ability(settings, Ability(worker))
    except OSError as error:
        raise UnavailableError(f"the file {_file(settings)} cannot be written: {error.strerror}") from error


def write_ability(settings: Settings, ability: Ability) -> None:
    """Record the state of the worker.

    Raises:
        OSError: the file cannot be written.
    """
    short = replace(ability, reason=ability.reason[:LONGEST_REASON], device=ability.device[:LONGEST_DEVICE])
    with _file(settings).open("r+b") as file:
        os.pwrite(file.fileno(), json.dumps(asdict(short)).encode("ascii").ljust(FILE_BYTES), 0)


def read_ability(settings: Settings) -> Ability | None:
    """Read the last state of the worker of the home, or of the worker's name; None when it is not known."""
    try:
        return Ability(**json.loads(_file(settings).read_bytes()))
    except (OSError, ValueError, TypeError):  # there is none, or it is of another version
        return None


def running_ability(settings: Settings) -> Ability | None:
    """Return the state of the running worker; None without a worker, or before its first report."""
    ability = read_ability(settings)
    return ability if ability is not None and ability.worker == worker_pid(settings) else None


def worker_fault(settings: Settings) -> str:
    """Return why the running worker takes no items; empty when it does, or when there is no worker."""
    ability = running_ability(settings)
    return "" if ability is None or ability.able else ability.reason


def note_success(settings: Settings) -> None:
    """Reset the count of faults: an item was done."""
    now = read_ability(settings)
    if now is not None and now.faults:
        report_ability(settings, replace(now, faults=0))


class AbilityWatch:
    """Polls the state that the working process writes, from a thread of the worker above it."""

    def __init__(self, settings: Settings, on_change: Callable[[Ability], object]) -> None:
        """Prepare it.

        Args:
            settings: the installation.
            on_change: called with the state whenever it has changed.
        """
        self._settings = settings
        self._on_change = on_change
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ability", daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def end(self) -> None:
        """Stop polling, without waiting for a call of ``on_change`` that is running."""
        self._ended.set()

    def stop(self) -> None:
        """End."""
        self.end()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        seen: Any = None
        while not self._ended.wait(LOOK_SECONDS):
            found = read_ability(self._settings)
            if found is not None and found != seen:
                seen = found
                self._on_change(found)


def report_ability(settings: Settings, ability: Ability) -> None:
    """Record the state of the worker, where that is possible."""
    with suppress(OSError):  # it is only a report; work goes on
        write_ability(settings, ability)


def _file(settings: Settings) -> Path:
    return settings.worker_lock.with_suffix(".ability")
