"""One worker a home, or one of each name, by a lock.

A home whose bank or broker is an embedded one has one worker. With servers for both, any number of workers may share
it, each under a name of its own.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from freeda_svc.errors import BusyError
from freeda_svc.file_locks import holder, opened_lock, read_holder, try_lock, write_holder
from freeda_svc.settings import Settings
from freeda_svc.workers.backoff import wait_until

PATIENCE_SECONDS = 0.5
"""Commands that check the lock hold it for a moment; a worker waits that long before it takes another for running."""


@contextmanager
def worker_lock(settings: Settings) -> Iterator[None]:
    """Hold the home as its only worker, or as its only one of the worker's name.

    Raises:
        BusyError: another worker holds it; names its process.
    """
    with opened_lock(settings.worker_lock) as descriptor:
        if not wait_until(lambda: try_lock(descriptor), PATIENCE_SECONDS):
            raise BusyError(already_running(settings, read_holder(descriptor)))
        write_holder(descriptor)
        yield


def already_running(settings: Settings, process: int) -> str:
    """Say that there is a worker already, and what to do; its process is 0 where that is not known."""
    there = f"process {process or 'unknown'} is already the worker"
    if not settings.one_worker_only:
        return f"{there} {settings.resolved_worker_name} of {settings.home}: give this one another name"
    part, setting = ("bank", "qdrant_url") if settings.embedded_bank else ("broker", "broker_url")
    return (
        f"{there} of {settings.home}, and an embedded {part} has one only: stop it first, or set {setting} for several"
    )


def worker_identity(settings: Settings) -> str:
    """Return what the database knows the worker by: no other that lives has it, and its successor has the same."""
    return f"{settings.resolved_worker_name}@{socket.gethostname()}:{settings.home}"


def worker_is_running(settings: Settings) -> bool:
    """Return whether a worker holds the home."""
    return worker_pid(settings) is not None


def worker_pid(settings: Settings) -> int | None:
    """Return the process of the worker that holds the home; None when there is none."""
    return holder(settings.worker_lock)
