"""Checking names of outputs and writing them, with messages for a person."""

import base64
import hashlib
import shutil
from importlib import resources
from pathlib import Path

from freeda_svc import whole_files
from freeda_svc.errors import InputError, UnavailableError


def check_suffix(path: Path, suffix: str) -> None:
    """Refuse a file name that promises another format.

    Raises:
        InputError: the name does not end in the suffix.
    """
    if path.suffix.lower() != suffix:
        raise InputError(f"{path} must end in {suffix}, the format that is written")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside in the same folder and put it in place when it is complete.

    Raises:
        UnavailableError: it cannot be written there; what was at the path before is untouched.
    """
    try:
        whole_files.write_whole(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"cannot write {path}: {reason}; name a file in a folder that can be written") from error


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, so that it appears whole or not at all.

    Raises:
        UnavailableError: it cannot be written there; what was at the target before is untouched.
    """
    try:
        with whole_files.placed_whole(target) as aside:
            shutil.copyfile(source, aside)
    except OSError as error:
        raise UnavailableError(f"{target} cannot be written: {error.strerror}; name another folder") from error


def page_part(name: str) -> str:
    """Return a part of the pages: a template, a style or a script."""
    return resources.files("freeda_svc.outputs").joinpath("page", name).read_text(encoding="utf-8")


def content_digest(content: str) -> str:
    """Return what a content security policy allows a style or script by."""
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
