"""Checking names of outputs and writing them, with messages for a person."""

import base64
import errno
import hashlib
import os
import shutil
from importlib import resources
from pathlib import Path

from freeda_svc import whole_files
from freeda_svc.errors import FreedaError, InputError, UnavailableError

_SHOWN = 60


def check_suffix(path: Path | str, suffix: str) -> Path:
    """Return the path of a file to write.

    Raises:
        InputError: it is no path, or its name does not end in the suffix of the format.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"expected the path of a file to write, not {type(path).__name__}")
    if Path(path).suffix.lower() != suffix:
        raise InputError(f"{path} must end in {suffix}, the format that is written")
    return Path(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside in the same folder and put it in place when it is complete.

    Raises:
        InputError: the name is too long for the file system.
        UnavailableError: it cannot be written there; what was at the path before is untouched.
    """
    try:
        whole_files.write_whole(path, content)
    except OSError as error:
        raise not_written(path, error) from error


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, so that it appears whole or not at all.

    Raises:
        InputError: the name is too long for the file system.
        UnavailableError: it cannot be written there; what was at the target before is untouched.
    """
    try:
        with whole_files.placed_whole(target) as aside:
            shutil.copyfile(source, aside)
    except OSError as error:
        raise not_written(target, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, where it is not there.

    Raises:
        InputError: its name is too long for the file system.
        UnavailableError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error


def not_written(path: Path, error: OSError) -> FreedaError:
    """Return what is said of a path that cannot be written; a name that is too long concerns its image only."""
    if error.errno == errno.ENAMETOOLONG:
        return InputError(f"{_shortened(path)}: the name is too long for this file system; rename the image")
    reason = error.strerror or str(error)
    return UnavailableError(f"{path} cannot be written: {reason}; name a folder that can be written")


def _shortened(path: Path) -> str:
    longest = max(path.parts, key=len)
    return longest if len(longest) <= _SHOWN else f"{longest[:_SHOWN]}..."


def page_part(name: str) -> str:
    """Return a part of the pages: a template, a style or a script."""
    return resources.files("freeda_svc.outputs").joinpath("page", name).read_text(encoding="utf-8")


def content_digest(content: str) -> str:
    """Return what a content security policy allows a style or script by."""
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
