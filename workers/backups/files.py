"""Lists of checksums, and folders that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from uuid import uuid4

from freeda_svc.errors import InputError, UnavailableError

SUMS_NAME = "SHA256SUMS"
_DIGITS = 64


def write_sums(path: Path, sums: Sequence[tuple[str, str]]) -> None:
    """Write names and checksums as the program sha256sum does, so that it can check them.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("x", encoding="utf-8", newline="\n") as file:
        for name, digest in sums:
            escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
            mark = "\\" if escaped != name else ""
            file.write(f"{mark}{digest}  {escaped}\n")


def read_sums(path: Path) -> list[tuple[str, str]]:
    """Read names and checksums.

    Raises:
        InputError: it is no such list, or a name leads out of the folder.
        OSError: it cannot be read.
    """
    sums = []
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no list of checksums") from error
    for line in lines:
        marked, rest = line.startswith("\\"), line.removeprefix("\\")
        digest, separator, name = rest[:_DIGITS], rest[_DIGITS : _DIGITS + 2], rest[_DIGITS + 2 :]
        if marked:
            name = name.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\")
        place = PurePosixPath(name)
        if separator != "  " or not name or place.is_absolute() or ".." in place.parts or len(digest) != _DIGITS:
            raise InputError(f"{path} is damaged, or no list of checksums")
        sums.append((name, digest))
    return sums


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
        for left in place.parent.glob(f".{_pattern(place.name)}.*.part"):
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
    """See that there is room before anything is written.

    Raises:
        UnavailableError: there is not.
    """
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < needed:
        raise UnavailableError(f"{needed >> 20:,} MiB are needed at {place}, {free >> 20:,} are free: make room")


def _pattern(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _remove_if_left(aside: Path) -> None:
    """Remove what was left aside, unless a process is still at it."""
    held = os.open(aside, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(aside, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(held)
