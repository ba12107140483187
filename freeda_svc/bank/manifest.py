"""The manifest of a bank folder: what the bank was made for, readable without opening it."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.whole_files import write_whole

MANIFEST_NAME = "manifest.json"
SHARD_NAME = "shard"
"""The engine's own folder in that of a bank."""
FORMAT = 3
"""1: rows and vectors were kept in files beside the engine's; 2: a point's checksums were an object."""
_OLD_KIND_REMEDY = (
    "write an archive of it with the release before (`freeda bank export FOLDER --bank NAME`), "
    "and import that here (`freeda bank import FOLDER --bank NAME@VERSION`)"
)


Record = TypeVar("Record")


@dataclass(frozen=True)
class Encoding:
    """What prototypes have in common that lie in one bank, or in one archive.

    Attributes:
        pack: fingerprint of the encoders of the packs that make them; of their only pack where the bank was made
            before packs could be mixed.
        key_dimension: Dt.
        vector_dimension: Dv.
    """

    pack: Annotated[str, Field(min_length=1)]
    key_dimension: Annotated[int, Field(ge=1)]
    vector_dimension: Annotated[int, Field(ge=1)]

    @property
    def encoding(self) -> "Encoding":
        """This alone, without what a subclass adds."""
        return Encoding(self.pack, self.key_dimension, self.vector_dimension)


@dataclass(frozen=True)
class Manifest(Encoding):
    """What never changes about a bank.

    Attributes:
        format: version of the folder's layout.
        created: when, ISO 8601 in UTC.
    """

    format: Annotated[int, Field(ge=1)]
    created: str


def read_record(kind: type[Record], content: object) -> Record:
    """Build a dataclass from JSON's types, strictly.

    Args:
        kind: the dataclass; its annotations say what its fields may be.
        content: as ``json.loads`` gave it.

    Raises:
        ValueError: a field is missing, or not of its type or range; says which in one line.
    """
    try:
        # Through JSON, because only there lists are taken for tuples.
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise ValueError(f"{place}: {first['msg']}") from error


def read_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object that may be damaged.

    Raises:
        ValueError: it is none; says so in a few words.
    """
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("it is not JSON") from error
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - the content's fault, not the caller's
    return found


def new_manifest(pack: str, key_dimension: int, vector_dimension: int) -> Manifest:
    """The manifest of a bank that is made now.

    Raises:
        InputError: no pack, or a dimension below 1.
    """
    if not pack:
        raise InputError("a bank needs the fingerprint of its pack, got an empty one")
    if key_dimension < 1 or vector_dimension < 1:
        raise InputError(f"dimensions of a bank must be at least 1, got key {key_dimension}, vector {vector_dimension}")
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(pack, key_dimension, vector_dimension, FORMAT, created)


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
        content = read_object(text)
        check_format(str(folder), content.get("format"))
        return read_record(Manifest, content)
    except ValueError as error:
        raise InputError(
            f"the bank's manifest {path} is broken ({error}): restore it from a backup or make a new bank"
        ) from error


def check_format(place: str, version: object) -> None:
    """Refuse a bank whose layout has another version than this one; a value that is no version is ignored.

    Args:
        place: what messages call the bank.
        version: as its manifest gives it.

    Raises:
        InputError: it is of the old kind, or of a later version.
    """
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            f"{place} is a bank of format {version}, but this version reads up to {FORMAT}: use a newer freeda"
        )
    if isinstance(version, int) and 0 < version < FORMAT:
        raise InputError(f"{place} is a bank of the old kind: {_OLD_KIND_REMEDY}")


def check_encoding(what: str, found: Encoding, expected: Encoding, remedy: str) -> None:
    """Refuse a bank or an archive that was made for something else.

    Args:
        what: what messages call it.
        found: what it was made for.
        expected: what it is to be used for.
        remedy: what can be done where these are not the same.

    Raises:
        InputError: another pack (both fingerprints are named) or other dimensions.
    """
    if found.pack != expected.pack:
        raise InputError(f"{what} was made with pack {found.pack}, not with {expected.pack}: {remedy}")
    if found.encoding != expected.encoding:
        raise InputError(
            f"{what} holds keys of {found.key_dimension} and vectors of {found.vector_dimension} values, "
            f"not {expected.key_dimension} and {expected.vector_dimension}: {remedy}"
        )


def _unreadable(folder: Path, error: OSError) -> UnavailableError:
    return UnavailableError(f"the bank folder {folder} cannot be read ({error.strerror}): check its permissions")
