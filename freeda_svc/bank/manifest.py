"""The manifest of a bank folder: what the bank was made for, readable without opening it."""

import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.whole_files import write_whole

MANIFEST_NAME = "manifest.json"
SHARD_NAME = "shard"
"""The engine's own folder in that of a bank."""
FORMAT = 2
OLD_FORMAT = 1
"""Of banks that an own database beside the engine kept."""
OLD_KIND_REMEDY = (
    "write an archive of it with the release before (`freeda bank export FOLDER --bank NAME`), "
    "and import that here (`freeda bank import FOLDER --bank NAME@VERSION`)"
)


@dataclass(frozen=True)
class Manifest:
    """What never changes about a bank.

    Attributes:
        format: version of the folder's layout.
        pack: fingerprint of the encoders of the packs that make its prototypes; of its only pack where it was made
            before packs could be mixed.
        key_dimension: Dt.
        vector_dimension: Dv.
        created: when, ISO 8601 in UTC.
    """

    format: int
    pack: str
    key_dimension: int
    vector_dimension: int
    created: str


def new_manifest(pack: str, key_dimension: int, vector_dimension: int) -> Manifest:
    """The manifest of a bank that is made now.

    Raises:
        InputError: no pack, or a dimension below 1.
    """
    if not pack:
        raise InputError("a bank needs the fingerprint of its pack, got an empty one")
    if key_dimension < 1 or vector_dimension < 1:
        raise InputError(f"dimensions of a bank must be at least 1, got key {key_dimension}, vector {vector_dimension}")
    return Manifest(FORMAT, pack, key_dimension, vector_dimension, datetime.now(UTC).isoformat(timespec="seconds"))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest so that it appears whole or not at all, and survives a power cut.

    Raises:
        UnavailableError: the folder cannot be written.
    """
    try:
        write_whole(folder / MANIFEST_NAME, (json.dumps(asdict(manifest), indent=2) + "\n").encode("utf-8"))
        sync_folder(folder)
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be written ({error.strerror})") from error


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def has_manifest(folder: Path) -> bool:
    """Whether the folder says it is a bank.

    Raises:
        UnavailableError: the folder cannot be read.
    """
    try:
        return (folder / MANIFEST_NAME).is_file()
    except OSError as error:
        raise _unreadable(folder, error) from error


def read_manifest(folder: Path) -> Manifest:
    """Read a bank's manifest.

    Args:
        folder: the bank.

    Raises:
        NotFoundError: there is no such folder.
        InputError: the folder is no bank, or its manifest is broken or of a later version.
        UnavailableError: the manifest cannot be read.
    """
    path = folder / MANIFEST_NAME
    try:
        if not folder.exists():
            raise NotFoundError(f"there is no bank {folder}: run `freeda ingest FILE` first, or give another folder")
        if not path.is_file() and (folder / SHARD_NAME).exists():
            raise InputError(f"the bank {folder} has lost its {MANIFEST_NAME}: restore it from a backup, or drop it")
        if not path.is_file():
            raise InputError(f"{folder} is not a bank (it has no {MANIFEST_NAME}): give the folder of a bank")
        text = path.read_bytes()
    except OSError as error:
        raise _unreadable(folder, error) from error
    try:
        content: Any = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise _broken(path, "it is not JSON") from error
    if not isinstance(content, dict):
        raise _broken(path, "it is not a JSON object")
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            f"{folder} is a bank of format {version}, but this version reads up to {FORMAT}: use a newer freeda"
        )
    if version == OLD_FORMAT:
        raise InputError(f"{folder} is a bank of the old kind: {OLD_KIND_REMEDY}")
    return _to_manifest(path, content)


def check_manifest(folder: Path, found: Manifest, pack: str, key_dimension: int, vector_dimension: int) -> None:
    """Refuse a bank that was made for something else.

    Raises:
        InputError: another pack (both fingerprints are named) or other dimensions.
    """
    if found.pack != pack:
        raise InputError(
            f"the bank {folder} was made with pack {found.pack}, not with {pack}: "
            "use that pack, or give another bank folder for this one"
        )
    if (found.key_dimension, found.vector_dimension) != (key_dimension, vector_dimension):
        raise InputError(
            f"the bank {folder} holds keys of {found.key_dimension} and vectors of {found.vector_dimension} values, "
            f"not {key_dimension} and {vector_dimension}: give another bank folder for these"
        )


def _to_manifest(path: Path, content: dict[str, Any]) -> Manifest:
    for field in fields(Manifest):
        value = content.get(field.name)
        if type(value) is not field.type:
            raise _broken(path, f"{field.name!r} is {value!r}")
    manifest = Manifest(**{field.name: content[field.name] for field in fields(Manifest)})
    if manifest.format < 1 or not manifest.pack or min(manifest.key_dimension, manifest.vector_dimension) < 1:
        raise _broken(path, "a value is empty or below 1")
    return manifest


def _broken(path: Path, reason: str) -> InputError:
    return InputError(f"the bank's manifest {path} is broken ({reason}): restore it from a backup or make a new bank")


def _unreadable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(f"the bank folder {folder} cannot be read ({error.strerror}): check its permissions")
