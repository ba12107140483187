"""Writing a bank into an archive."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from pydantic import JsonValue

from freeda_svc.bank.manifest import sync_folder
from freeda_svc.bank.moving.archive import (
    FORMAT_VERSION,
    PROGRESS_NAME,
    ROWS_A_PART,
    ArchiveFile,
    ArchiveManifest,
    ArchivePart,
    OnProgress,
    Tally,
    artifacts_name,
    describe_file,
    prototypes_name,
    say_nothing,
    writing,
)
from freeda_svc.bank.moving.archive_manifest import write_manifest
from freeda_svc.bank.moving.artifact_tables import mentioned_artifacts, write_artifacts
from freeda_svc.bank.moving.export_progress import ExportProgress, Start, begin, other_bank, save
from freeda_svc.bank.moving.extras import load_parquet
from freeda_svc.bank.moving.prototype_tables import read_ids, write_prototypes
from freeda_svc.bank.points import point_id
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import Prototype
from freeda_svc.whole_files import placed_whole

_ROWS_AT_ONCE = 1000


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
    on_progress: OnProgress = say_nothing,
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
        on_progress: is told how far it is, every thousand prototypes.
        rows_a_part: prototypes in a part, 1 to ``ROWS_A_PART``.

    Raises:
        InputError: the folder holds something else or a finished archive, a path of a thumbnail leaves ``artifacts``,
            or a part would have no or too many rows.
        UnavailableError: pyarrow is not installed, the bank does not answer, or something cannot be read or written.
    """
    load_parquet()
    if not 1 <= rows_a_part <= ROWS_A_PART:
        raise InputError(f"a part can have 1 to {ROWS_A_PART} rows, not {rows_a_part}")
    # Through JSON here, so that what JSON cannot hold shows now and not after hours.
    described = json.loads(json.dumps(dict(parameters), allow_nan=False))
    version = store.version()
    wanted = ExportProgress(
        store.pack,
        store.key_dimension,
        store.vector_dimension,
        version.additions,
        version.removals,
        artifacts=artifacts is not None,
    )
    progress, start = begin(folder, wanted)
    total = store.count()
    tally, missing = Tally(), 0

    def tell() -> None:
        on_progress(tally.prototypes, max(total, tally.prototypes))

    rows = _rows(store, tally, tell)
    for part in progress.parts:
        passed = list(islice(rows, part.prototypes.rows))
        if list(map(point_id, passed)) != read_ids(folder / part.prototypes.file):
            raise other_bank(folder)
        if part.artifacts is not None:
            missing += len(mentioned_artifacts(passed)) - part.artifacts.rows
        tell()
    while prototypes := list(islice(rows, rows_a_part)):
        number = len(progress.parts)
        table = partial(_write_prototypes, prototypes=prototypes, store=store)
        thumbnails = None
        with writing(folder):
            written = _put(folder / prototypes_name(number), table)
            if artifacts is not None:
                mentioned = mentioned_artifacts(prototypes)
                pictures = partial(write_artifacts, root=artifacts, paths=mentioned, tell=tell)
                thumbnails = _put(folder / artifacts_name(number), pictures)
                missing += len(mentioned) - thumbnails.rows
            progress = replace(progress, parts=(*progress.parts, ArchivePart(written, thumbnails)))
            save(folder, progress)
        tell()

    manifest = ArchiveManifest(
        format_version=FORMAT_VERSION,
        pack=store.pack,
        key_dimension=store.key_dimension,
        vector_dimension=store.vector_dimension,
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
    return ExportReport(manifest, start, bank_changed=store.version() != version, missing_artifacts=missing)


def _rows(store: PrototypeStore, tally: Tally, tell: Callable[[], None]) -> Iterator[Prototype]:
    """Go through a bank, count what is given, and tell that again and again."""
    untold = 0
    for some in store.scan(at_once=_ROWS_AT_ONCE):
        if untold >= _ROWS_AT_ONCE:
            tell()
            untold = 0
        untold += len(some)
        for prototype in some:
            tally.count(prototype)
            yield prototype


def _write_prototypes(path: Path, *, prototypes: list[Prototype], store: PrototypeStore) -> int:
    lists = (prototypes[start : start + _ROWS_AT_ONCE] for start in range(0, len(prototypes), _ROWS_AT_ONCE))
    return write_prototypes(path, lists, store.key_dimension, store.vector_dimension)


def _put(path: Path, write: Callable[[Path], int]) -> ArchiveFile:
    """Write a file whole; what writes it returns the number of its rows."""
    with placed_whole(path) as aside:
        rows = write(aside)
    return describe_file(path, rows)
