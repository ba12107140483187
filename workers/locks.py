"""One worker a home, or one of each name: a lock that the kernel gives back when its holder dies, however it dies.

A home whose bank or broker is an embedded one has one worker. With servers for both, any number of workers may share
it, each under a name of its own.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freeda_svc.errors import BusyError, UnavailableError
from freeda_svc.private_folders import make_private_folder
from freeda_svc.settings import Settings
from freeda_svc.workers.patience import wait_until

PATIENCE_SECONDS = 0.5
"""Who only looks holds the lock for an instant; a worker waits that long before it believes in another."""


@contextmanager
def worker_lock(settings: Settings) -> Iterator[None]:
    """Hold the home as its only worker, or as its only one of the worker's name.

    Raises:
        BusyError: another worker holds it; names its process.
    """
    with opened_lock(settings.worker_lock) as descriptor:
        if not wait_until(lambda: try_lock(descriptor), PATIENCE_SECONDS):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise BusyError(already_running(settings, holder))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield


def already_running(settings: Settings, holder: str) -> str:
    """Say that there is a worker already, and what to do."""
    if not settings.one_worker_only:
        name = settings.resolved_worker_name
        return f"process {holder} is already the worker {name} of {settings.home}: give this one another name"
    part, setting = ("bank", "qdrant_url") if settings.embedded_bank else ("broker", "broker_url")
    return (
        f"process {holder or 'unknown'} is already the worker of {settings.home}, and an embedded {part} has one only: "
        f"stop it first, or set {setting} for several"
    )


def worker_identity(settings: Settings) -> str:
    """Return what the database knows the worker by: no other that lives has it, and its successor has the same."""
    return f"{settings.resolved_worker_name}@{socket.gethostname()}:{settings.home}"


def worker_is_running(settings: Settings) -> bool:
    """Tell whether a worker holds the home."""
    return worker_pid(settings) is not None


def worker_pid(settings: Settings) -> int | None:
    """Return the process of the worker that holds the home; None when there is none."""
    return holder(settings.worker_lock)


def holder(path: Path) -> int | None:
    """Return the process that holds a lock; None when there is none, 0 when it is not known."""
    if not path.exists():
        return None
    with opened_lock(path) as descriptor:
        if try_lock(descriptor, shared=True):
            return None
        written = os.pread(descriptor, 32, 0).strip()
        return int(written) if written.isdigit() else 0


@contextmanager
def opened_lock(path: Path) -> Iterator[int]:
    """Open the file of a lock, which is made where there is none; gives its descriptor.

    Raises:
        UnavailableError: it cannot be opened.
    """
    try:
        make_private_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise UnavailableError(f"the lock {path} cannot be used: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take a lock unless somebody else holds it; it is held until the last copy of the descriptor is closed."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
