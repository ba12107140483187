"""Paths of sockets: operating systems take about a hundred bytes, and homes may lie deeper."""

import os
import stat
import tempfile
from pathlib import Path

from freeda_svc.errors import UnavailableError

LONGEST_BYTES = 100
"""macOS takes 103, Linux 107."""


def short_path(path: Path) -> str:
    """Return a path to the same file that a socket's address can hold and a URL can, too.

    Where the path itself is too long, or holds what cannot be printed, that is one through a link of this user's own in
    the folder for temporary files. Each process may make it
    again: it is only a shorter name, and nothing depends on it.

    Args:
        path: of a socket, in a folder that is there.

    Raises:
        UnavailableError: the link cannot be made, or would be too long as well.
    """
    written = str(path)
    if len(os.fsencode(path)) <= LONGEST_BYTES and written.isprintable():
        return written
    try:
        short = _link_to(path.parent) / path.name
    except OSError as error:
        raise UnavailableError(
            f"{path.parent} is too long a path for a socket, and a shorter one cannot be made: {error}; "
            "give the home a shorter path, or set TMPDIR"
        ) from error
    if len(os.fsencode(short)) > LONGEST_BYTES:
        raise UnavailableError(f"{short} is too long a path for a socket: set TMPDIR to a folder with a shorter one")
    return str(short)


def _link_to(folder: Path) -> Path:
    """A link to a folder, named by what the folder is: no other has its name, wherever it lies."""
    place = Path(tempfile.gettempdir()) / f"freeda-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{place} is not a folder that only this user may enter")
    meant = folder.resolve()
    state = meant.stat()
    link = place / f"{state.st_dev:x}-{state.st_ino:x}"
    if not link.is_symlink() or link.readlink() != meant:
        aside = place / f".{link.name}-{os.getpid()}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(meant)
        aside.replace(link)
    return link
