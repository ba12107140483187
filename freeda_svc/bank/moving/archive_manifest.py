"""The manifest of an archive as a file: written last, and checked before anything else is read."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from freeda_svc.bank.moving.archive import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    PROGRESS_NAME,
    ROWS_A_PART,
    ArchiveManifest,
    artifacts_name,
    prototypes_name,
)
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.whole_files import write_whole

LARGEST_MANIFEST = 64 << 20
"""Bytes: a million nouns take half of that."""

Record = TypeVar("Record")


def write_manifest(folder: Path, manifest: ArchiveManifest) -> None:
    """Write the manifest, which makes a folder an archive.

    Raises:
        OSError: it cannot be written.
    """
    content = asdict(manifest)
    content["sha256"] = _checksum(content)
    write_whole(folder / MANIFEST_NAME, json.dumps(content, indent=1, ensure_ascii=False).encode("utf-8") + b"\n")


def read_manifest(folder: Path) -> ArchiveManifest:
    """Read the manifest of an archive and see that all of its files are there in the right size.

    Raises:
        NotFoundError: there is no such folder.
        InputError: the folder is no archive, one that is not finished, of a later version, changed or cut off.
        UnavailableError: it cannot be read.
    """
    path = folder / MANIFEST_NAME
    try:
        if not folder.exists():
            raise NotFoundError(f"there is no archive {folder}: give the folder that `freeda bank export` made")
        if not path.is_file():
            raise InputError(_no_archive(folder))
        if path.stat().st_size > LARGEST_MANIFEST:
            raise InputError(f"{path} is broken (it takes more than {LARGEST_MANIFEST:,} bytes): export the bank again")
        text = path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"the archive {folder} cannot be read ({error.strerror}): check it") from error
    manifest = _read_content(path, text)
    _check_names(path, manifest)
    for part in manifest.parts:
        for entry in (part.prototypes, part.artifacts):
            if entry is not None:
                _check_size(folder / entry.file, entry.bytes)
    return manifest


def read_record(kind: type[Record], content: object, path: Path) -> Record:
    """Build a dataclass from JSON's types, strictly.

    Args:
        kind: the dataclass.
        content: as ``json.loads`` gave it.
        path: the file it comes from, for the message.

    Raises:
        InputError: a field is missing, or not of its type or range.
    """
    try:
        # Through JSON, because only there lists are taken for tuples.
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise InputError(f"{path} is broken ({place}: {first['msg']}): export the bank again") from error


def _no_archive(folder: Path) -> str:
    if (folder / PROGRESS_NAME).is_file():
        return f"the export into {folder} was not finished: run the same export again, it continues"
    if not folder.is_dir():
        return f"{folder} is a file, but an archive is a folder: give the folder that `freeda bank export` made"
    return f"{folder} is no archive (it has no {MANIFEST_NAME} of one): give the folder that `freeda bank export` made"


def _read_content(path: Path, text: bytes) -> ArchiveManifest:
    try:
        content: Any = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is broken (it is not JSON): copy the archive again or export again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is broken (it is not a JSON object): copy the archive again or export again")
    if "format_version" not in content:
        raise InputError(_no_archive(path.parent))
    version = content["format_version"]
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path} is of format version {version!r}, but this freeda reads version {FORMAT_VERSION}: "
            "use the freeda that wrote it, or a newer one"
        )
    given = content.pop("sha256", None)
    if given != _checksum(content):
        raise InputError(f"{path} was changed after it was written (its own sha256 does not fit): export again")
    return read_record(ArchiveManifest, content, path)


def _checksum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _check_names(path: Path, manifest: ArchiveManifest) -> None:
    # Names are not taken from the manifest: a name could lead anywhere.
    for number, part in enumerate(manifest.parts):
        expected = (prototypes_name(number), artifacts_name(number))
        if (part.prototypes.file, part.artifacts.file if part.artifacts else expected[1]) != expected:
            raise InputError(f"{path} is broken (part {number} is not in {expected[0]}): export the bank again")
        if part.prototypes.rows > ROWS_A_PART:
            raise InputError(f"{path} is broken (part {number} has more than {ROWS_A_PART} rows): write smaller parts")
    if sum(part.prototypes.rows for part in manifest.parts) != manifest.prototypes:
        raise InputError(f"{path} is broken (its parts do not add up to its prototypes): export the bank again")


def _check_size(path: Path, expected: int) -> None:
    if not path.is_file():
        raise InputError(f"the archive lacks its file {path}: copy it again, all files are needed")
    size = path.stat().st_size
    if size != expected:
        raise InputError(f"the archive's file {path} has {size} bytes, expected {expected}: copy it again")
