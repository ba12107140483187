"""Making a bank's ledger and row files again from the points of its shard."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.embedded.cones import CONES_NAME
from freeda_svc.bank.embedded.directory import Directory, unpack_ids
from freeda_svc.bank.embedded.ledger import LEDGER_NAME, Ledger
from freeda_svc.bank.embedded.rows import COARSE_NAME, KEYS_NAME, PROTOTYPES_NAME, RowFile
from freeda_svc.bank.embedded.shard import Shard
from freeda_svc.bank.manifest import Manifest, sync_folder
from freeda_svc.errors import InputError, UnavailableError

_ROWS_AT_ONCE = 1000
_MADE_FROM_ROWS = (KEYS_NAME, COARSE_NAME, PROTOTYPES_NAME, CONES_NAME)


def rebuild_ledger(folder: Path) -> None:
    """Enter every point of the shard into a new ledger; the row files are to be made again afterwards.

    The rows get another order. Points of a batch that was cut off cannot be told from others any more, and count.

    Raises:
        UnavailableError: the shard cannot be read, or the folder not written.
    """
    partial = folder / f"{LEDGER_NAME}.partial"
    # A log that the lost ledger has left would be applied to the new one.
    logs = [f"{name}{end}" for name in (LEDGER_NAME, partial.name) for end in ("-wal", "-shm")]
    _remove(folder, [*_MADE_FROM_ROWS, partial.name, *logs])
    shard, ledger = Shard(folder), Ledger(partial)
    try:
        directory = Directory(ledger)
        for points in shard.scroll(_ROWS_AT_ONCE):
            prototypes = [prototype for _, prototype in points]
            names, first = directory.name_counts(), directory.rows
            batch = directory.describe([identifier for identifier, _ in points], prototypes)
            reasons = [prototype.outlier for prototype in prototypes]
            marks = [(first + number, reason) for number, reason in enumerate(reasons) if reason]
            ledger.commit(first, batch, directory.new_names(names), marks)
            directory.append(batch, reasons)
    finally:
        shard.close()
        ledger.close()
    if (folder / f"{partial.name}-wal").exists():  # closing goes on without a word where the disk is full
        raise UnavailableError(
            f"the bank's ledger {partial} cannot be written: make room on its disk, and open it again"
        )
    try:
        partial.replace(folder / LEDGER_NAME)
        sync_folder(folder)
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be written ({error.strerror})") from error


def rows_are_whole(folder: Path, manifest: Manifest, rows: int) -> bool:
    """Whether the row files are there and hold so many rows.

    Raises:
        UnavailableError: the folder cannot be read.
    """
    values = {
        KEYS_NAME: 4 * manifest.key_dimension,
        COARSE_NAME: 2 * manifest.key_dimension,
        PROTOTYPES_NAME: 2 * manifest.vector_dimension,
    }
    try:
        return all((folder / name).stat().st_size >= rows * size for name, size in values.items())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be read ({error.strerror})") from error


def rebuild_rows(folder: Path, manifest: Manifest, directory: Directory) -> None:
    """Write the row files of all rows of a directory from the points of the shard; removed rows become zeros.

    Raises:
        InputError: the shard lacks points that the ledger has.
        UnavailableError: the shard cannot be read, or the folder not written.
    """
    _remove(folder, _MADE_FROM_ROWS)
    shard = Shard(folder)
    aside = {name: folder / f"{name}.partial" for name in (KEYS_NAME, COARSE_NAME, PROTOTYPES_NAME)}
    keys = RowFile(aside[KEYS_NAME], np.float32, manifest.key_dimension, 0)
    coarse = RowFile(aside[COARSE_NAME], np.float16, manifest.key_dimension, 0)
    vectors = RowFile(aside[PROTOTYPES_NAME], np.float16, manifest.vector_dimension, 0)
    try:
        for start in range(0, directory.rows, _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, directory.rows))
            ids = unpack_ids(directory.ids(rows))
            found = shard.prototypes(ids)
            if any(ids[number] not in found for number in np.flatnonzero(directory.alive[rows]).tolist()):
                raise InputError(
                    f"the bank {folder} has lost points that its ledger lists: restore it from a backup or an archive"
                )
            kept = [found.get(identifier) for identifier in ids]
            exact = _stacked([None if p is None else p.key for p in kept], manifest.key_dimension)
            present = exact.any(axis=1)
            exact[present] = unit_rows(exact[present])
            keys.append(start, exact)
            coarse.append(start, exact.astype(np.float16))
            pooled = _stacked([None if p is None else p.vector for p in kept], manifest.vector_dimension)
            vectors.append(start, pooled.astype(np.float16))
        for name, path in aside.items():
            path.replace(folder / name)
        sync_folder(folder)
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be written ({error.strerror})") from error
    finally:
        for part in (shard, keys, coarse, vectors):
            part.close()


def _stacked(rows: Sequence[npt.NDArray[np.float32] | None], dimension: int) -> npt.NDArray[np.float32]:
    """Rows one below the other; zeros for those that are gone."""
    return np.stack([np.zeros(dimension, dtype=np.float32) if row is None else row for row in rows])


def _remove(folder: Path, names: Sequence[str]) -> None:
    try:
        for name in names:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be written ({error.strerror})") from error
