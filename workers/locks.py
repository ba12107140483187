"""One worker a home: a lock that the kernel gives back when its holder dies, however it dies."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freeda_svc.errors import BusyError, UnavailableError
from freeda_svc.settings import Settings

PATIENCE_SECONDS = 0.5
"""Who only looks holds the lock for an instant; a worker waits that long before it believes in another."""


@contextmanager
def worker_lock(settings: Settings) -> Iterator[None]:
    """Hold the home as its only worker.

    Raises:
        BusyError: another worker holds it; names its process.
    """
    with _opened(settings.worker_lock) as descriptor:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                raise BusyError(
                    f"process {holder or 'unknown'} is already the worker of {settings.home}: stop it first"
                )
            time.sleep(0.02)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield


def worker_name(settings: Settings) -> str:
    """Return the name of the home's one worker; the next worker of the home has the same."""
    return f"{socket.gethostname()}:{settings.home}"


def worker_is_running(settings: Settings) -> bool:
    """Tell whether a worker holds the home."""
    return worker_pid(settings) is not None


def worker_pid(settings: Settings) -> int | None:
    """Return the process of the worker that holds the home; None when there is none."""
    if not settings.worker_lock.exists():
        return None
    with _opened(settings.worker_lock) as descriptor:
        if _try_lock(descriptor, fcntl.LOCK_SH):
            return None
        holder = os.pread(descriptor, 32, 0).strip()
        return int(holder) if holder.isdigit() else 0


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UnavailableError(f"the lock {path} cannot be used: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
