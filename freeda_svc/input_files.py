"""Files that are named from outside: each is opened once, and only inside the folders it may be taken from."""

import errno
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path, PurePosixPath

from freeda_svc.errors import InputError

MOST_PIXELS = 100_000_000
"""Images with more pixels are refused by default: see decision 24 for what a pixel costs."""

MOST_ALLOWED_PIXELS = 1_000_000_000
"""No rules can allow more."""

_TRIES = 5
_ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/+(?P<rest>[^/].*)", re.IGNORECASE)
# Without waiting for a writer, should it be a pipe.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
# Where the system can, a folder on the way needs no permission to be listed.
_PASS_THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class InputRules:
    """What may be taken in.

    Attributes:
        folders: files have to lie in one of these, links followed; anywhere when there are none.
        most_pixels: images with more of them are refused.
    """

    folders: tuple[Path, ...] = ()
    most_pixels: int = MOST_PIXELS

    def anywhere(self) -> "InputRules":
        """The same without folders, for copies that are the installation's own."""
        return replace(self, folders=())


ANYWHERE = InputRules()
KEPT = InputRules(most_pixels=MOST_ALLOWED_PIXELS)
"""For the installation's own copies, which were looked at when they were taken in, perhaps under other settings."""


def open_input(path: Path, rules: InputRules = ANYWHERE, what: str = "image file") -> BufferedReader:
    """Open a file that was named from outside, for reading.

    Where folders are given, links are resolved first, and the file is then opened step by step from its folder without
    following any. So what is read is inside, also when links change meanwhile, and nothing outside is ever opened.

    Args:
        path: the file.
        rules: where it must be.
        what: to call it in messages.

    Raises:
        InputError: it does not exist, is no regular file, may not be read, or is elsewhere.
    """
    try:
        descriptor = os.open(path, _READ) if not rules.folders else _open_inside(path, rules.folders)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(missing_file(path, what)) from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read; check its permissions") from error
    except ValueError as error:
        raise InputError(_unusable(path, error)) from error
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENODEV}:  # a socket
            raise InputError(f"{path} is no regular file; name an {what}") from error
        raise InputError(f"{path} cannot be looked up: {error.strerror}; check its name and its folder") from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
    raise InputError(f"{path} is {kind}; name an {what}")


def check_place(path: Path, folders: Sequence[Path]) -> Path:
    """See that a path lies in one of some folders, and can be written down.

    Args:
        path: of a file or folder, which need not exist.
        folders: absolute; anywhere when there are none.

    Returns:
        The path with all links resolved, as they are now.

    Raises:
        InputError: it is elsewhere, or is no path at all.
    """
    try:
        str(path).encode()
        place = path.resolve()
        inside = not folders or any(place.is_relative_to(folder.resolve()) for folder in folders)
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(_unusable(path, error)) from error
    if not inside:
        named = os.pathsep.join(map(str, folders))
        raise InputError(f"{path} lies outside of {named}; copy it there, or change the setting input_roots")
    return place


def _open_inside(path: Path, folders: Sequence[Path]) -> int:
    """Return a descriptor of a file in one of some folders.

    Raises:
        InputError: it is elsewhere.
        OSError: it cannot be opened.
    """
    for left in reversed(range(_TRIES)):
        place = check_place(path, folders)
        try:
            root = next(root for root in (folder.resolve() for folder in folders) if place.is_relative_to(root))
            return _walk(root, place.relative_to(root).parts)
        except StopIteration:
            continue  # a folder that was a link led elsewhere a moment ago
        except OSError as error:  # a link, put there since it was resolved
            if error.errno not in {errno.ELOOP, errno.ENOTDIR} or not left:
                raise
    raise InputError(f"{path} leads elsewhere each time it is looked up; leave it alone, and try again")


def _walk(root: Path, parts: Sequence[str]) -> int:
    """Open what lies at a path below a folder, following no link on the way."""
    if not parts:
        return os.open(root, _READ)
    place = os.open(root, _PASS_THROUGH & ~os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            below = os.open(part, _PASS_THROUGH, dir_fd=place)
            os.close(place)
            place = below
        return os.open(parts[-1], _READ | os.O_NOFOLLOW, dir_fd=place)
    finally:
        os.close(place)


def missing_file(path: Path, what: str, called: str = "") -> str:
    """Return the message for a file that is not there, which may be an address of the web.

    Args:
        path: the file.
        what: it was to be.
        called: the file's name in messages; as it is when empty.
    """
    address = _ADDRESS.fullmatch(str(path))
    if address is None:
        return f"no such {what}: {called or path}"
    typed = f"{address['scheme']}://{address['rest']}"  # a path has lost a slash
    return f"{typed} is an address, and only files of this machine are read; download it and name the {what}"


def is_below(name: str) -> bool:
    """Return whether a path, written with slashes, stays below the folder it is relative to."""
    place = PurePosixPath(name)
    return bool(place.parts) and not place.is_absolute() and ".." not in place.parts and "\\" not in name


def _unusable(path: Path, error: Exception) -> str:
    reason = "it is not written in UTF-8" if isinstance(error, UnicodeEncodeError) else error
    return f"{str(path)!r} is not a usable path: {reason}; rename the file"
