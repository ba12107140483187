"""How far an export is, written beside its parts, so that it can continue."""

import json
import os
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from freeda_svc.bank.moving.archive import (
    MANIFEST_NAME,
    PART_FILE,
    PROGRESS_NAME,
    ArchiveFile,
    ArchivePart,
    describe_file,
    writing,
)
from freeda_svc.bank.moving.archive_manifest import read_record
from freeda_svc.bank.moving.extras import load_parquet
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.whole_files import ASIDE, write_whole


class Start(StrEnum):
    """How an export began."""

    NEW = "new"
    CONTINUED = "continued"
    STARTED_OVER = "started over"


@dataclass(frozen=True)
class ExportProgress:
    """An export that is not finished.

    Attributes:
        pack: fingerprint of the bank's pack.
        key_dimension: Dt.
        vector_dimension: Dv.
        additions: of the bank's version when the export began.
        removals: of that version.
        artifacts: whether artifacts are exported, too.
        parts: those that are complete.
    """

    pack: str
    key_dimension: int
    vector_dimension: int
    additions: int
    removals: str
    artifacts: bool
    parts: tuple[ArchivePart, ...] = ()


def begin(folder: Path, wanted: ExportProgress) -> tuple[ExportProgress, Start]:
    """Make a folder ready for an export, or take up one that was interrupted.

    Args:
        folder: new, empty, or with an export that is not finished.
        wanted: the export, without parts.

    Returns:
        The export with the parts that need not be written again, and how it begins.

    Raises:
        InputError: the folder holds something else, or a finished archive.
        UnavailableError: it cannot be read or written.
    """
    found = _look_into(folder)
    with writing(folder):
        if found is None:
            folder.mkdir(parents=True, exist_ok=True)
            save(folder, wanted)
            return wanted, Start.NEW
        if _bank_of(found) != _bank_of(wanted):
            raise other_bank(folder)
        parts = found.parts if replace(found, parts=()) == wanted else ()
        kept = replace(wanted, parts=_intact(folder, parts))
        save(folder, kept)
        _remove_others(folder, kept)
        return kept, Start.CONTINUED if kept.parts else Start.STARTED_OVER


def check_target(store: PrototypeStore, folder: Path) -> None:
    """See that a bank can be exported into a folder as things are, and write nothing.

    Raises:
        InputError: the folder holds something else, a finished archive, or another bank's export.
        UnavailableError: pyarrow is not installed, or the folder cannot be read or written.
    """
    load_parquet()
    found = _look_into(folder)
    if found is not None and _bank_of(found) != (store.pack, store.key_dimension, store.vector_dimension):
        raise other_bank(folder)
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        reason = "it may not be written" if place.is_dir() else "it is no folder"
        raise UnavailableError(f"the archive {folder} cannot be made in {place} ({reason}): give another folder")


def save(folder: Path, progress: ExportProgress) -> None:
    """Write down how far it is.

    Raises:
        OSError: it cannot be written.
    """
    write_whole(folder / PROGRESS_NAME, json.dumps(asdict(progress), indent=1).encode("utf-8"))


def _look_into(folder: Path) -> ExportProgress | None:
    path = folder / PROGRESS_NAME
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, but an archive is a folder: give a new folder")
        present = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
        if MANIFEST_NAME in present:
            raise InputError(f"{folder} holds a finished archive or a bank already: give a new folder")
        if not present:
            return None
        if PROGRESS_NAME not in present:
            raise InputError(f"{folder} is not empty and holds no export that could continue: give a new folder")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UnavailableError(f"the folder {folder} cannot be read ({error.strerror}): give another one") from error
    except ValueError as error:
        raise InputError(f"{path} is broken (it is not JSON): give a new folder") from error
    return read_record(ExportProgress, content, path)


def _bank_of(progress: ExportProgress) -> tuple[str, int, int]:
    return progress.pack, progress.key_dimension, progress.vector_dimension


def other_bank(folder: Path) -> InputError:
    """The error for a folder in which another bank's export was begun."""
    return InputError(f"{folder} holds the beginning of another bank's export: give a new folder")


def _intact(folder: Path, parts: tuple[ArchivePart, ...]) -> tuple[ArchivePart, ...]:
    """The parts before the first that is not as it was written."""
    for number, part in enumerate(parts):
        if not all(entry is None or _is_intact(folder, entry) for entry in (part.prototypes, part.artifacts)):
            return parts[:number]
    return parts


def _is_intact(folder: Path, entry: ArchiveFile) -> bool:
    path = folder / entry.file
    return PART_FILE.fullmatch(entry.file) is not None and path.is_file() and describe_file(path, entry.rows) == entry


def _remove_others(folder: Path, progress: ExportProgress) -> None:
    """Remove parts that do not count, and what an interrupted writer left aside."""
    kept = {entry.file for part in progress.parts for entry in (part.prototypes, part.artifacts) if entry is not None}
    for path in folder.iterdir():
        if (PART_FILE.fullmatch(path.name) and path.name not in kept) or path.match(ASIDE):
            path.unlink()
