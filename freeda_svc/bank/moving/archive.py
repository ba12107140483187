"""What an archive of a bank consists of, and its manifest: written last, and checked before anything else is read."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, JsonValue

from freeda_svc.bank.manifest import MANIFEST_NAME, Encoding, read_object, read_record
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, NotFoundError, UnavailableError, one_line
from freeda_svc.whole_files import write_whole

if TYPE_CHECKING:
    from freeda_svc.prototypes import Prototype

OnProgress = Callable[[int, int], None]
"""Is called with the number of prototypes done so far and of all; what it raises ends the work."""


def no_progress(_done: int, _total: int) -> None:
    """The `OnProgress` that does nothing."""


FORMAT_VERSION = 1
PROGRESS_NAME = "export-progress.json"
ROWS_A_PART = 10_000
"""The most prototypes of a part, so that a reader may hold one in memory."""

LARGEST_MANIFEST = 64 << 20
"""Bytes: a million nouns take half of that."""

PART_FILE = re.compile(r"(prototypes|artifacts)-[0-9]{5,}\.parquet")

LARGEST_DIMENSION = 8192
"""Of keys and prototypes: many times those of any encoder, and a part of them still fits into memory."""

Count = Annotated[int, Field(ge=0)]
Dimension = Annotated[int, Field(ge=1, le=LARGEST_DIMENSION)]


@dataclass(frozen=True)
class ArchiveFile:
    """A Parquet file of an archive.

    Attributes:
        file: its name in the archive's folder.
        rows: number of its rows.
        bytes: its size.
        sha256: of its content, hexadecimal.
    """

    file: str
    rows: Count
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class ArchivePart:
    """Some of the prototypes, and the artifacts that they mention.

    Attributes:
        prototypes: the file with the prototypes.
        artifacts: the file with thumbnails; None where the bank was exported without.
    """

    prototypes: ArchiveFile
    artifacts: ArchiveFile | None


@dataclass(frozen=True)
class ArchiveManifest(Encoding):
    """What an archive says about itself.

    Attributes:
        format_version: of the archive's layout.
        created: when it was finished, ISO 8601 in UTC.
        parameters: of the pack, for people; import does not read them.
        prototypes: number of all.
        nouns: number of prototypes of each noun.
        origins: number of prototypes of each origin.
        outliers: how many are marked as outliers.
        parts: in order.
    """

    key_dimension: Dimension
    vector_dimension: Dimension
    format_version: int
    created: str
    parameters: Mapping[str, JsonValue]
    prototypes: Count
    nouns: Mapping[str, Count]
    origins: Mapping[str, Count]
    outliers: Count
    parts: tuple[ArchivePart, ...]


@dataclass
class Tally:
    """Counts prototypes for the manifest."""

    prototypes: int = 0
    outliers: int = 0
    nouns: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)

    def count(self, prototype: "Prototype") -> None:
        """Count one more."""
        self.prototypes += 1
        self.outliers += bool(prototype.outlier)
        self.nouns[prototype.noun] += 1
        self.origins[prototype.origin] += 1

    def agrees(self, manifest: ArchiveManifest) -> bool:
        """Whether a manifest has the same counts."""
        return all(getattr(manifest, name) == value for name, value in vars(self).items())


def prototypes_name(number: int) -> str:
    """Name of the file with the prototypes of a part, counted from 0."""
    return f"prototypes-{number:05d}.parquet"


def artifacts_name(number: int) -> str:
    """Name of the file with the artifacts of a part, counted from 0."""
    return f"artifacts-{number:05d}.parquet"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn failures of writing into one line that names the archive."""
    try:
        yield
    except OSError as error:
        reason = one_line(error.strerror or error)
        raise UnavailableError(
            f"the archive {folder} cannot be written ({reason}): make room or give a folder you may write to, "
            "then run the export again; it continues"
        ) from error


def describe_file(path: Path, rows: int) -> ArchiveFile:
    """Measure a file that was written.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return ArchiveFile(path.name, rows, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


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


def _no_archive(folder: Path) -> str:
    if (folder / PROGRESS_NAME).is_file():
        return f"the export into {folder} was not finished: run the same export again, it continues"
    if not folder.is_dir():
        return f"{folder} is a file, but an archive is a folder: give the folder that `freeda bank export` made"
    return f"{folder} is no archive (it has no {MANIFEST_NAME} of one): give the folder that `freeda bank export` made"


def _read_content(path: Path, text: bytes) -> ArchiveManifest:
    try:
        content = read_object(text)
    except ValueError as error:
        raise InputError(f"{path} is broken ({error}): copy the archive again or export again") from error
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
    try:
        return read_record(ArchiveManifest, content)
    except ValueError as error:
        raise InputError(f"{path} is broken ({error}): export the bank again") from error


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
            raise InputError(
                f"{path} is broken (part {number} has more than {ROWS_A_PART:,} rows): write smaller parts"
            )
    if sum(part.prototypes.rows for part in manifest.parts) != manifest.prototypes:
        raise InputError(f"{path} is broken (its parts do not add up to its prototypes): export the bank again")


def _check_size(path: Path, expected: int) -> None:
    if not path.is_file():
        raise InputError(f"the archive lacks its file {path}: copy it again, all files are needed")
    size = path.stat().st_size
    if size != expected:
        raise InputError(f"the archive's file {path} has {counted(size, 'byte')}, expected {expected:,}: copy it again")
