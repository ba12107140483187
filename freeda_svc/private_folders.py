"""Folders that no other user of the machine may enter: a home holds captions, images, messages and logs."""

import errno
import os
import stat
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

OTHERS = 0o007
GROUP = 0o070


def make_private_folder(folder: Path) -> None:
    """Make a folder, with those above it that are missing, for this user only.

    Where the folder that is there already may be written by its group, as people who share one set it up, so may be
    what is made in it.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    if folder.parent.is_file():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    make_private_folder(folder.parent)
    mode = 0o770 if _is_shared(folder.parent.stat().st_mode) else 0o700
    folder.mkdir(mode=mode, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file where there is none, for those who may enter its folder as `make_private_folder` has it.

    A file that is there is never opened: closing it would release the locks that SQLite holds on it in this process,
    and another process would then remove the write-ahead log below its feet.

    Raises:
        OSError: it cannot be made.
    """
    mode = 0o660 if _is_shared(path.parent.stat().st_mode) else 0o600
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))


def rights_of_others(folder: Path) -> int:
    """Return the bits of a folder's mode that let in more than its user, or than the group that may write it."""
    mode = folder.stat().st_mode
    return mode & (OTHERS if _is_shared(mode) else OTHERS | GROUP)


def narrow_folder(folder: Path, known: Collection[str]) -> bool:
    """Take a folder's rights from others, if it is this user's and holds nothing but what is known.

    Args:
        folder: which.
        known: names of what may lie in it; a folder with anything else is also used for other things.

    Returns:
        Whether it was changed.
    """
    try:
        state = folder.stat()
        too_many = rights_of_others(folder)
        is_own = state.st_uid == os.geteuid() and not state.st_mode & stat.S_ISVTX
        if not too_many or not is_own or any(entry.name not in known for entry in folder.iterdir()):
            return False
        folder.chmod(stat.S_IMODE(state.st_mode) & ~too_many)
        return not rights_of_others(folder)  # some file systems have no such rights
    except OSError:
        return False


def _is_shared(mode: int) -> bool:
    return bool(mode & stat.S_IWGRP) and not mode & stat.S_ISVTX
