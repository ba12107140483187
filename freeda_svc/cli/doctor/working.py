"""Is anybody working, and does anybody hold what nobody should?"""

import fcntl
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from freeda_svc.bank.embedded.lock import LOCK_NAME
from freeda_svc.cli.console import counted
from freeda_svc.cli.doctor.findings import Finding, note, ok
from freeda_svc.errors import FreedaError
from freeda_svc.jobs import ItemState, queue_state
from freeda_svc.jobs.database import current_revision, database_engine, one_line
from freeda_svc.jobs.tables import now
from freeda_svc.settings import Settings
from migrations import HEAD
from workers.locks import worker_pid
from workers.supervisor import ready_worker

SILENT_LEASES = 3


def look_at_worker(settings: Settings) -> Iterator[Finding]:
    """Does a worker serve the home, and are banks free where none does?"""
    pid = worker_pid(settings)
    waiting, silent = _open_items(settings)
    if pid is None:
        yield ok("worker", "none runs on this home; `freeda up` starts one")
        for place, holder in _held_banks(settings.banks_folder):
            yield note("worker", f"the bank {place} is in use by process {holder}", "wait until it ends, or stop it")
    elif ready_worker(settings) is None:
        yield note("worker", f"process {pid} holds the home, but takes no items yet", f"see {settings.log_file}")
    else:
        yield ok("worker", f"process {pid} serves the home")
    if pid is None and waiting and settings.embedded_broker:
        yield note("worker", f"waiting: {counted(waiting, 'item')}, and nobody works on them", "run `freeda up`")
    if silent:
        advice = "nothing where a worker runs: it puts them back; otherwise start one"
        yield note("worker", f"in the hands of workers that fell silent: {counted(silent, 'item')}", advice)


def _open_items(settings: Settings) -> tuple[int, int]:
    """How many items wait, and how many have workers that are long silent; the database is told of elsewhere."""
    try:
        if settings.embedded_database and not settings.database_file.is_file():
            return 0, 0
        with one_line(settings):
            if current_revision(database_engine(settings)) != HEAD:
                return 0, 0
        states = queue_state(settings)
    except FreedaError:
        return 0, 0
    # Whoever holds an item writes its own clock's time, so only what is far behind means something.
    silence = now() - timedelta(seconds=SILENT_LEASES * settings.lease_seconds)
    running = [item for state in states for item in state.running]
    silent = [item for item in running if item.lease_until is not None and item.lease_until < silence]
    return sum(state.items[ItemState.QUEUED] for state in states), len(silent)


def _held_banks(folder: Path) -> Iterator[tuple[str, str]]:
    """The embedded banks that a process has open, with its number."""
    for lock in sorted(folder.glob(f"*/*/{LOCK_NAME}")):
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            yield f"{lock.parent.parent.name}@{lock.parent.name}", holder or "unknown"
        finally:
            os.close(descriptor)
