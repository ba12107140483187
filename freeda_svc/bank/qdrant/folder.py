"""The folder of an embedded bank: `manifest.json`, `lock`, the engine's `shard`, and `prototypes`, which says how many.

The number is for processes that may not open the bank; it is rewritten with every change and may be lost.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from freeda_svc.bank.manifest import MANIFEST_NAME, has_manifest, sync_folder
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.errors import BusyError, InputError, UnavailableError
from freeda_svc.file_locks import opened_folder, try_lock
from freeda_svc.private_folders import make_private_folder

COUNT_NAME = "prototypes"

FREE_BYTES = 64 * 2**20
"""Below so much free space nothing is asked of the engine."""

_MAKING, _DROPPED = ".making-", ".dropped-"


@contextmanager
def folder_in_the_making(place: Path) -> Iterator[Path]:
    """Give a new folder beside a place; it becomes the place at once when the block ends, and never a part of it.

    Raises:
        InputError: the place is a file, or holds something already.
        UnavailableError: it cannot be made.
    """
    making = place.with_name(f"{_MAKING}{uuid4().hex}")
    try:
        new = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
        make_private_folder(place.parent)
        for folder in new:
            sync_folder(folder.parent)
        _check_free(place)
        with _not_swept(place.parent):
            make_private_folder(making)
            lock = FolderLock(making)
    except OSError as error:
        raise _unusable(place, error) from error
    try:
        yield making
        sync_folder(making)
        making.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:  # another process has made it meanwhile
            _check_free(place)
        raise _unusable(place, error) from error
    finally:
        lock.release()
        shutil.rmtree(making, ignore_errors=True)
        sweep(place.parent)


def remove_folder(place: Path) -> None:
    """Remove a bank's folder, all of it at once for everybody, whatever is in it.

    Raises:
        BusyError: a process has the bank open.
        UnavailableError: it cannot be removed.
    """
    lock = FolderLock(place)
    try:
        place.replace(place.with_name(f"{_DROPPED}{uuid4().hex}"))
        sync_folder(place.parent)
    except OSError as error:
        raise UnavailableError(f"the bank folder {place} cannot be removed ({error.strerror})") from error
    finally:
        lock.release()
    sweep(place.parent)


def sweep(folder: Path) -> None:
    """Remove what processes that died while they made or dropped a bank have left in a folder; not while one begins."""
    dead: list[Path] = []
    with suppress(OSError), opened_folder(folder) as held:
        if try_lock(held):
            for left in [*folder.glob(f"{_MAKING}*"), *folder.glob(f"{_DROPPED}*")]:
                with suppress(BusyError, UnavailableError):
                    FolderLock(left).release()
                    dead.append(left)
    for left in dead:
        shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _not_swept(folder: Path) -> Iterator[None]:
    """Let no process sweep a folder meanwhile: what has just been made in it has no lock yet."""
    with opened_folder(folder) as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        yield


def check_room(folder: Path, size: int = 0) -> None:
    """Refuse to go on when the disk is nearly full.

    The engine writes through mapped files with holes: where the disk has no room for a page, the system ends the
    process instead of reporting an error.

    Args:
        folder: of the bank.
        size: bytes that are about to be written, besides some room that is always wanted.

    Raises:
        UnavailableError: there is too little room.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be read ({error.strerror})") from error
    if free < FREE_BYTES + size:
        wanted = (FREE_BYTES + size) // 2**20
        raise UnavailableError(
            f"the disk with the bank {folder} is full: {free // 2**20:,} MiB free, expected {wanted:,}; make room"
        )


def write_count(folder: Path, prototypes: int) -> None:
    """Write down how many prototypes a bank has; on a full disk the old number stays."""
    aside = folder / f".{COUNT_NAME}.part"
    with suppress(OSError):
        aside.write_text(f"{prototypes}\n", encoding="ascii")
        aside.replace(folder / COUNT_NAME)


def read_count(folder: Path) -> int:
    """How many prototypes a bank had when it was changed last; 0 where nothing says so."""
    try:
        return int((folder / COUNT_NAME).read_bytes())
    except (OSError, ValueError):
        return 0


def bytes_on_disk(folder: Path) -> int:
    """Space taken, not apparent size: the engine's files are sparse."""
    taken = 0
    for place, _, names in os.walk(folder):  # which passes over what vanishes meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                taken += os.stat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH116, PTH118 - many files
    return taken


def _check_free(place: Path) -> None:
    if place.exists() and not place.is_dir():
        raise InputError(f"{place} is a file, expected the folder of a bank: give another path")
    if has_manifest(place):
        raise InputError(f"{place} is a bank already: open it, or give another folder")
    if place.is_dir() and any(place.iterdir()):
        raise InputError(
            f"{place} is not a bank (it holds files but no {MANIFEST_NAME}): give an empty or a new folder"
        )


def _unusable(place: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"the bank folder {place} cannot be made or read ({error.strerror}): give a folder you may write to"
    )
