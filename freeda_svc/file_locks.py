"""Locks on files, which the kernel gives back when their holder dies, however it dies; the file names the holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freeda_svc.errors import UnavailableError
from freeda_svc.private_folders import make_private_folder

_LONGEST_NUMBER = 32


@contextmanager
def opened_lock(path: Path) -> Iterator[int]:
    """Open the file of a lock, which is made where there is none; gives its descriptor.

    Raises:
        UnavailableError: it cannot be opened.
    """
    try:
        make_private_folder(path.parent)
        descriptor = open_lock(path)
    except OSError as error:
        raise UnavailableError(f"the lock {path} cannot be used: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_folder(folder: Path) -> Iterator[int]:
    """Open a folder, which can be locked itself; gives its descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """Return a descriptor of a lock's file, which is made where there is none.

    Raises:
        OSError: it cannot be opened.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take a lock unless another process has it; it is kept until the last copy of the descriptor is closed.

    Args:
        descriptor: of a file or a folder.
        shared: others may take it, too, if they share it.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_holder(descriptor: int) -> None:
    """Write this process into the file of a lock that it has."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)


def read_holder(descriptor: int) -> int:
    """Return the process that the file of a lock names; 0 when it names none."""
    written = os.pread(descriptor, _LONGEST_NUMBER, 0).strip()
    return int(written) if written.isdigit() else 0


def holder(path: Path) -> int | None:
    """Return the process that has a lock; None when none has it, 0 when it is not known which.

    Raises:
        UnavailableError: the file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnavailableError(f"the lock {path} cannot be used: {error.strerror}") from error
    try:
        return None if try_lock(descriptor, shared=True) else read_holder(descriptor)
    finally:
        os.close(descriptor)
