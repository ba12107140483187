"""Writing a bank into an archive, in parts, so that an export that was interrupted continues."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path

from pydantic import JsonValue

from freeda_svc.bank.manifest import MANIFEST_NAME, Encoding, read_object, read_record, sync_folder
from freeda_svc.bank.moving.archive import (
    FORMAT_VERSION,
    PART_FILE,
    PROGRESS_NAME,
    ROWS_A_PART,
    ArchiveFile,
    ArchiveManifest,
    ArchivePart,
    OnProgress,
    Tally,
    artifacts_name,
    describe_file,
    no_progress,
    prototypes_name,
    write_manifest,
    writing,
)
from freeda_svc.bank.moving.artifact_tables import mentioned_artifacts, write_artifacts
from freeda_svc.bank.moving.prototype_tables import read_ids, write_prototypes
from freeda_svc.bank.moving.tables import load_parquet
from freeda_svc.bank.points import point_id
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.prototypes import Prototype
from freeda_svc.whole_files import ASIDE, placed_whole, write_whole

_ROWS_AT_ONCE = 1000


class Start(StrEnum):
    """How an export began."""

    NEW = "new"
    CONTINUED = "continued"
    STARTED_OVER = "started over"


@dataclass(frozen=True)
class ExportProgress(Encoding):
    """An export that is not finished; it lies beside the parts, so that the export can continue.

    Attributes:
        additions: of the bank's revision when the export began.
        removals: of that revision.
        artifacts: whether artifacts are exported, too.
        parts: those that are complete.
    """

    additions: int
    removals: str
    artifacts: bool
    parts: tuple[ArchivePart, ...] = ()


@dataclass(frozen=True)
class ExportReport:
    """What an export did.

    Attributes:
        manifest: of the archive.
        start: whether it was new, continued an interrupted one, or started that over because the bank had changed.
        bank_changed: whether the bank changed meanwhile; what was added since may be missing from the archive.
        missing_artifacts: thumbnails that prototypes mention but that are not there.
    """

    manifest: ArchiveManifest
    start: Start
    bank_changed: bool
    missing_artifacts: int


def export_bank(
    store: PrototypeStore,
    folder: Path,
    *,
    parameters: Mapping[str, JsonValue],
    artifacts: Path | None = None,
    bring: Callable[[Iterable[str]], object] | None = None,
    on_progress: OnProgress = no_progress,
    rows_a_part: int = ROWS_A_PART,
) -> ExportReport:
    """Write all prototypes of a bank into an archive (docs/archive.md); at most a part of them is in memory.

    An export that was interrupted continues after its last complete part when it is run again and the bank has not
    changed since; otherwise it starts over.

    Args:
        store: the bank.
        folder: the archive; new, empty, or with an export that is not finished.
        parameters: of the bank's pack, written into the manifest for people.
        artifacts: the folder that paths of thumbnails are relative to; None leaves thumbnails out.
        bring: called with paths of thumbnails before they are looked for there; None where all are there.
        on_progress: called with the progress, every thousand prototypes.
        rows_a_part: prototypes in a part, 1 to ``ROWS_A_PART``.

    Raises:
        InputError: the folder holds something else or a finished archive, a path of a thumbnail leaves ``artifacts``,
            or a part would have no or too many rows.
        UnavailableError: pyarrow is not installed, the bank does not answer, or something cannot be read or written.
    """
    load_parquet()
    if not 1 <= rows_a_part <= ROWS_A_PART:
        raise InputError(f"a part can have 1 to {ROWS_A_PART:,} rows, not {rows_a_part:,}")
    # Through JSON here, so that what JSON cannot hold shows now and not after hours.
    described = json.loads(json.dumps(dict(parameters), allow_nan=False))
    revision = store.revision()
    wanted = ExportProgress(
        **vars(store.encoding),
        additions=revision.additions,
        removals=revision.removals,
        artifacts=artifacts is not None,
    )
    progress, start = _begin(folder, wanted)
    total = store.count()
    tally, missing = Tally(), 0

    def report() -> None:
        on_progress(tally.prototypes, max(total, tally.prototypes))

    rows = _rows(store, tally, report)
    for part in progress.parts:
        passed = list(islice(rows, part.prototypes.rows))
        if list(map(point_id, passed)) != read_ids(folder / part.prototypes.file):
            raise _other_bank(folder)
        if part.artifacts is not None:
            missing += len(mentioned_artifacts(passed)) - part.artifacts.rows
        report()
    while prototypes := list(islice(rows, rows_a_part)):
        number = len(progress.parts)
        lists = (prototypes[start : start + _ROWS_AT_ONCE] for start in range(0, len(prototypes), _ROWS_AT_ONCE))
        thumbnails = None
        with writing(folder):
            written = _put(folder / prototypes_name(number), partial(write_prototypes, lists=lists, encoding=wanted))
            if artifacts is not None:
                mentioned = mentioned_artifacts(prototypes)
                if bring is not None:
                    bring(mentioned)
                pictures = partial(write_artifacts, root=artifacts, paths=mentioned, report=report)
                thumbnails = _put(folder / artifacts_name(number), pictures)
                missing += len(mentioned) - thumbnails.rows
            progress = replace(progress, parts=(*progress.parts, ArchivePart(written, thumbnails)))
            _save(folder, progress)
        report()

    manifest = ArchiveManifest(
        **vars(wanted.encoding),
        format_version=FORMAT_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=described,
        prototypes=tally.prototypes,
        nouns=dict(sorted(tally.nouns.items())),
        origins=dict(sorted(tally.origins.items())),
        outliers=tally.outliers,
        parts=progress.parts,
    )
    with writing(folder):
        # The parts' names must be on the disk before the manifest says that they are.
        sync_folder(folder)
        write_manifest(folder, manifest)
        (folder / PROGRESS_NAME).unlink()
        sync_folder(folder)
    return ExportReport(manifest, start, bank_changed=store.revision() != revision, missing_artifacts=missing)


def check_target(store: PrototypeStore, folder: Path) -> None:
    """See that a bank can be exported into a folder as things are, and write nothing.

    Raises:
        InputError: the folder holds something else, a finished archive, or another bank's export.
        UnavailableError: pyarrow is not installed, or the folder cannot be read or written.
    """
    load_parquet()
    found = _look_into(folder)
    if found is not None and found.encoding != store.encoding:
        raise _other_bank(folder)
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        reason = "it may not be written" if place.is_dir() else "it is no folder"
        raise UnavailableError(f"the archive {folder} cannot be made in {place} ({reason}): give another folder")


def _rows(store: PrototypeStore, tally: Tally, report: Callable[[], None]) -> Iterator[Prototype]:
    """Go through a bank, count each prototype, and report progress about every thousand."""
    since = 0
    for some in store.scan(at_once=_ROWS_AT_ONCE):
        if since >= _ROWS_AT_ONCE:
            report()
            since = 0
        since += len(some)
        for prototype in some:
            tally.count(prototype)
            yield prototype


def _put(path: Path, write: Callable[[Path], int]) -> ArchiveFile:
    """Write a file whole; what writes it returns the number of its rows."""
    with placed_whole(path) as aside:
        rows = write(aside)
    return describe_file(path, rows)


def _begin(folder: Path, wanted: ExportProgress) -> tuple[ExportProgress, Start]:
    """Make a folder ready for an export, or continue one that was interrupted.

    Args:
        folder: new, empty, or with an export that is not finished.
        wanted: the export, without parts.

    Returns:
        The export with the parts that need not be written again, and how it begins.
    """
    found = _look_into(folder)
    with writing(folder):
        if found is None:
            folder.mkdir(parents=True, exist_ok=True)
            _save(folder, wanted)
            _remove_others(folder, wanted)  # of an export that was killed before it had begun
            return wanted, Start.NEW
        if found.encoding != wanted.encoding:
            raise _other_bank(folder)
        parts = found.parts if replace(found, parts=()) == wanted else ()
        kept = replace(wanted, parts=_intact(folder, parts))
        _save(folder, kept)
        _remove_others(folder, kept)
        return kept, Start.CONTINUED if kept.parts else Start.STARTED_OVER


def _save(folder: Path, progress: ExportProgress) -> None:
    write_whole(folder / PROGRESS_NAME, json.dumps(asdict(progress), indent=1).encode("utf-8"))


def _look_into(folder: Path) -> ExportProgress | None:
    path = folder / PROGRESS_NAME
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, but an archive is a folder: give a new folder")
        entries = folder.iterdir() if folder.exists() else ()
        present = {entry.name for entry in entries if not entry.match(ASIDE)}  # see `_begin`
        if MANIFEST_NAME in present:
            raise InputError(f"{folder} holds a finished archive or a bank already: give a new folder")
        if not present:
            return None
        if PROGRESS_NAME not in present:
            raise InputError(f"{folder} is not empty and holds no export that could continue: give a new folder")
        return read_record(ExportProgress, read_object(path.read_bytes()))
    except OSError as error:
        raise UnavailableError(f"the folder {folder} cannot be read ({error.strerror}): give another one") from error
    except ValueError as error:
        raise InputError(f"{path} is broken ({error}): give a new folder") from error


def _other_bank(folder: Path) -> InputError:
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
