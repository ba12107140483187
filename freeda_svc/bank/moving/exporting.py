"""Writing a bank into an archive."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
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
    Tally,
    artifacts_name,
    describe_file,
    prototypes_name,
    writing,
)
from freeda_svc.bank.moving.archive_manifest import write_manifest
from freeda_svc.bank.moving.artifact_tables import mentioned_artifacts, write_artifacts
from freeda_svc.bank.moving.export_progress import ExportProgress, Start, begin, save
from freeda_svc.bank.moving.extras import load_parquet
from freeda_svc.bank.moving.progress import OnProgress, say_nothing
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
    """Write all prototypes of a bank into an archive (docs/archive.md); memory does not grow with the bank.

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
    rows = chain.from_iterable(store.scan(at_once=_ROWS_AT_ONCE))

    def tell() -> None:
        on_progress(tally.prototypes, max(total, tally.prototypes))

    for part in progress.parts:
        missing += _pass_over(folder, part, rows, _Seen(tally, tell))
        tell()
    while first := list(islice(rows, 1)):
        number = len(progress.parts)
        seen = _Seen(tally, tell)
        content = seen.watch(_lists(chain(first, islice(rows, rows_a_part - 1))))
        with writing(folder):
            prototypes = _write_prototypes(folder / prototypes_name(number), content, store)
            thumbnails = None
            if artifacts is not None:
                thumbnails = _write_artifacts(folder / artifacts_name(number), artifacts, seen.artifacts, tell)
                missing += len(seen.artifacts) - thumbnails.rows
            progress = replace(progress, parts=(*progress.parts, ArchivePart(prototypes, thumbnails)))
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


class _Seen:
    """Takes notes of prototypes on their way into a part, and tells how far it is before each list but the first."""

    def __init__(self, tally: Tally, tell: Callable[[], None]) -> None:
        self._tally, self._tell = tally, tell
        self.artifacts: dict[str, None] = {}

    def watch(self, lists: Iterator[list[Prototype]]) -> Iterator[list[Prototype]]:
        for number, prototypes in enumerate(lists):
            if number:
                self._tell()
            self._tally.count(prototypes)
            self.artifacts |= mentioned_artifacts(prototypes)
            yield prototypes


def _lists(rows: Iterator[Prototype]) -> Iterator[list[Prototype]]:
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        yield some


def _write_prototypes(path: Path, content: Iterator[list[Prototype]], store: PrototypeStore) -> ArchiveFile:
    with placed_whole(path) as aside:
        rows = write_prototypes(aside, content, store.key_dimension, store.vector_dimension)
    return describe_file(path, rows)


def _write_artifacts(path: Path, root: Path, mentioned: dict[str, None], tell: Callable[[], None]) -> ArchiveFile:
    with placed_whole(path) as aside:
        rows = write_artifacts(aside, root, mentioned, tell)
    return describe_file(path, rows)


def _pass_over(folder: Path, part: ArchivePart, rows: Iterator[Prototype], seen: _Seen) -> int:
    """Step over the rows of a part that is complete; return how many artifacts it lacks."""
    ids: list[str] = []
    for prototypes in seen.watch(_lists(islice(rows, part.prototypes.rows))):
        ids.extend(map(point_id, prototypes))
    if ids != read_ids(folder / part.prototypes.file):
        raise InputError(f"{folder} holds the beginning of another bank's export: give a new folder")
    return len(seen.artifacts) - part.artifacts.rows if part.artifacts is not None else 0
