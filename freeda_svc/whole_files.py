"""Files and folders that appear whole or not at all: written aside in the same folder, then renamed."""

import fcntl
import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.file_locks import opened_folder, try_lock

ASIDE = ".*.part"
"""Names of files that are being written, downloads too; one that stays was left by a process that was killed."""
CHUNK_BYTES = 1 << 16
_ZEROS = bytes(CHUNK_BYTES)


@contextmanager
def placed_whole(path: Path) -> Iterator[Path]:
    """Give a path aside to write to; at the end it takes the place of ``path``.

    When the block raises, what was written is removed and what was at ``path`` before is untouched.

    Raises:
        OSError: the file cannot be put in place, or the block did not write it.
    """
    aside = path.with_name(f".{uuid4().hex}.part")
    try:
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Put bytes at a path, whole.

    Raises:
        OSError: it cannot be written there.
    """
    with placed_whole(path) as aside:
        aside.write_bytes(content)


@contextmanager
def folder_placed_whole(place: Path) -> Iterator[Path]:
    """Give a folder aside to fill; at the end it takes the place of ``place``, which is not there or empty.

    When the block raises, what was written is removed. What a process that was killed has left is removed by the next
    one that fills the same place.

    Raises:
        InputError: there is something at the place.
        UnavailableError: the folder cannot be made or put in place.
    """
    check_empty(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f".{glob.escape(place.name)}.*.part"):
            _remove_if_left(left)
        aside = place.with_name(f".{place.name}.{uuid4().hex}.part")
        aside.mkdir(mode=0o700)
        held = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UnavailableError(f"{place.parent} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield aside
        os.sync()
        try:
            aside.replace(place)
        except OSError as error:
            raise UnavailableError(f"{place} cannot be put in place: {error.strerror}") from error
        os.fsync(held)
    finally:
        os.close(held)
        shutil.rmtree(aside, ignore_errors=True)


def check_empty(place: Path) -> None:
    """See that nothing is at a place, or an empty folder.

    Raises:
        InputError: there is something.
    """
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise InputError(f"{place} is there already, and no folder: give another place")
    if place.is_dir() and any(place.iterdir()):
        raise InputError(f"{place} is not empty, and nothing in it is to be lost: give another place")
    if place.is_mount():
        raise InputError(f"{place} is a mount point, which cannot appear as a whole: give a folder below it")


def check_room(place: Path, needed: int) -> None:
    """Check that there is enough free space before anything is written.

    Raises:
        UnavailableError: there is not.
    """
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < needed:
        raise UnavailableError(f"{needed >> 20:,} MiB are needed at {place}, {free >> 20:,} are free: make room")


def _remove_if_left(aside: Path) -> None:
    """Remove what was left aside, unless a process is still at it."""
    with opened_folder(aside) as held:
        if try_lock(held):
            shutil.rmtree(aside, ignore_errors=True)


def copy_file(source: Path, target: Path) -> str:
    """Copy a file, whose empty stretches stay holes: a bank's files are large and mostly empty.

    Args:
        source: is read.
        target: a new file that only its owner can read; folders above it are made.

    Returns:
        The SHA-256 of the content, as hexadecimal digits.

    Raises:
        OSError: it cannot be read or written.
    """
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as written:
        while chunk := read.read(CHUNK_BYTES):
            digest.update(chunk)
            if chunk == _ZEROS[: len(chunk)]:
                written.seek(len(chunk), os.SEEK_CUR)
            else:
                written.write(chunk)
        written.truncate(written.tell())
    return digest.hexdigest()
