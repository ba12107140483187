"""Reading an archive: to verify it, and to add its prototypes to a bank."""

import hashlib
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from freeda_svc.bank.manifest import check_encoding
from freeda_svc.bank.moving.archive import (
    ArchiveFile,
    ArchiveManifest,
    ArchivePart,
    OnProgress,
    Tally,
    describe_file,
    no_progress,
    read_manifest,
)
from freeda_svc.bank.moving.artifact_tables import Placed, check_artifacts, mentioned_artifacts, place_artifacts
from freeda_svc.bank.moving.prototype_tables import read_prototypes
from freeda_svc.bank.moving.tables import load_parquet
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.prototypes import Prototype

_ROWS_AN_ADDITION = 1000

Placing = Callable[[], AbstractContextManager[Path]]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        manifest: of the archive.
        added: prototypes that were not in the bank before.
        artifacts_written: thumbnails that were not there before.
        artifacts_present: thumbnails that were there already.
        artifacts_kept: thumbnails that were there with another content, and stayed.
    """

    manifest: ArchiveManifest
    added: int
    artifacts_written: int
    artifacts_present: int
    artifacts_kept: int


def import_bank(
    folder: Path,
    store: PrototypeStore,
    *,
    artifacts: Path | Placing | None = None,
    on_progress: OnProgress = no_progress,
) -> ImportReport:
    """Add the prototypes of an archive to a bank; those that are there stay as they are.

    Nothing of a part is written before its checksum, its columns and all of its rows were checked. An import that was
    interrupted is run again: it reads all parts again, since what was added by then is known by its ids.

    Args:
        folder: the archive.
        store: a bank of the same pack.
        artifacts: the folder where thumbnails go, or what gives one for each part and puts its files in place at the
            end; None leaves them out.
        on_progress: called with the progress, every thousand prototypes.

    Raises:
        NotFoundError: there is no such folder.
        InputError: it is no archive, not a whole one, damaged, or of another pack or other dimensions.
        UnavailableError: pyarrow is not installed, or something cannot be read or written.
    """
    load_parquet()
    manifest = read_manifest(folder)
    check_fit(folder, manifest, store)
    done = added = 0
    pictures: Counter[Placed] = Counter()
    for part in manifest.parts:
        prototypes = _read_part(folder, manifest, part)
        if part.artifacts is not None and artifacts is not None:
            # Before the prototypes: whoever finds a prototype in the bank finds its thumbnails.
            checked = _checked_artifacts(folder, part.artifacts, prototypes)
            report = partial(on_progress, done, manifest.prototypes)
            with artifacts() if callable(artifacts) else nullcontext(artifacts) as place:
                pictures.update(place_artifacts(checked, part.artifacts.rows, place, report))
        for start in range(0, len(prototypes), _ROWS_AN_ADDITION):
            some = prototypes[start : start + _ROWS_AN_ADDITION]
            added += store.add(some)
            done += len(some)
            on_progress(done, manifest.prototypes)
    store.pack_if_worth_it(added)
    return ImportReport(manifest, added, pictures[Placed.WRITTEN], pictures[Placed.PRESENT], pictures[Placed.KEPT])


def verify_archive(folder: Path, *, on_progress: OnProgress = no_progress) -> ArchiveManifest:
    """Check all of an archive: every checksum, every row, and the counts of its manifest.

    Raises:
        NotFoundError: there is no such folder.
        InputError: it is no archive, not a whole one, or damaged.
        UnavailableError: pyarrow is not installed, or something cannot be read.
    """
    load_parquet()
    manifest = read_manifest(folder)
    tally = Tally()
    for part in manifest.parts:
        prototypes = _read_part(folder, manifest, part)
        for prototype in prototypes:
            tally.count(prototype)
        if part.artifacts is not None:
            _checked_artifacts(folder, part.artifacts, prototypes)
        on_progress(tally.prototypes, manifest.prototypes)
    if not tally.agrees(manifest):
        raise InputError(f"the archive {folder} holds other prototypes than its manifest counts: export the bank again")
    return manifest


def check_fit(folder: Path, manifest: ArchiveManifest, store: PrototypeStore) -> None:
    """See that an archive can be imported into a bank.

    Raises:
        InputError: it is of another pack or of other dimensions.
    """
    check_encoding(f"the archive {folder}", manifest, store.encoding, "import it into a bank of its own pack")


def _read_part(folder: Path, manifest: ArchiveManifest, part: ArchivePart) -> list[Prototype]:
    path = folder / part.prototypes.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if hashlib.sha256(content).hexdigest() != part.prototypes.sha256:
        raise _damaged(path)
    return read_prototypes(content, str(path), rows=part.prototypes.rows, encoding=manifest)


def _checked_artifacts(folder: Path, entry: ArchiveFile, prototypes: list[Prototype]) -> Path:
    path = folder / entry.file
    try:
        found = describe_file(path, entry.rows)
    except OSError as error:
        raise _unreadable(path, error) from error
    if found != entry:
        raise _damaged(path)
    check_artifacts(path, entry.rows, mentioned_artifacts(prototypes))
    return path


def _damaged(path: Path) -> InputError:
    return InputError(f"the archive's file {path} is damaged (its sha256 is another one): copy it again")


def _unreadable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(f"the archive's file {path} cannot be read ({error.strerror}): check its permissions")
