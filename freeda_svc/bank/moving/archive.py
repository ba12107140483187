"""What an archive of a bank consists of."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, JsonValue

from freeda_svc.errors import UnavailableError, one_line

if TYPE_CHECKING:
    from freeda_svc.prototypes.record import Prototype

OnProgress = Callable[[int, int], None]
"""Is called with the number of prototypes done so far and of all; what it raises ends the work."""


def say_nothing(_done: int, _total: int) -> None:
    """An `OnProgress` for those who do not wait."""


FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
PROGRESS_NAME = "export-progress.json"
ROWS_A_PART = 10_000
"""The most prototypes of a part, so that a reader may hold one in memory."""

PART_FILE = re.compile(r"(prototypes|artifacts)-[0-9]{5,}\.parquet")

Count = Annotated[int, Field(ge=0)]
Dimension = Annotated[int, Field(ge=1, le=8192)]
"""Of keys and prototypes: many times those of any encoder, and a part of them still fits into memory."""


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
class ArchiveManifest:
    """What an archive says about itself.

    Attributes:
        format_version: of the archive's layout.
        pack: fingerprint of the pack that made the prototypes.
        key_dimension: Dt.
        vector_dimension: Dv.
        created: when it was finished, ISO 8601 in UTC.
        parameters: of the pack, for people; import does not read them.
        prototypes: number of all.
        nouns: number of prototypes of each noun.
        origins: number of prototypes of each origin.
        outliers: how many are marked as outliers.
        parts: in order.
    """

    format_version: int
    pack: Annotated[str, Field(min_length=1)]
    key_dimension: Dimension
    vector_dimension: Dimension
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
        """Tell whether a manifest has the same counts."""
        return (self.prototypes, self.outliers, self.nouns, self.origins) == (
            manifest.prototypes,
            manifest.outliers,
            manifest.nouns,
            manifest.origins,
        )


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
