"""A prototype store inside the process, on Qdrant's own engine (qdrant-edge), in one folder."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.checks import check_prototypes, check_queries, check_reasons, unit_rows
from freeda_svc.bank.embedded.folder import bytes_on_disk, create_bank, prepare_folder
from freeda_svc.bank.embedded.lock import FolderLock
from freeda_svc.bank.embedded.opened import OpenedBank, open_bank
from freeda_svc.bank.manifest import Manifest, check_manifest, has_manifest, new_manifest, read_manifest
from freeda_svc.bank.points import distinct_points, read_prototype
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.bank.store import ALL, BankStats, Neighbours, Payload, Selection, Version
from freeda_svc.errors import NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype


class EmbeddedStore:
    """A `PrototypeStore` in a folder that one process at a time owns; for several threads.

    Points lie in the engine's shard. Which of them count stands in a ledger, where a batch is entered last, so it
    appears whole or not at all. Reading goes to files of plain rows beside the shard, see `scan`.
    """

    def __init__(self, folder: Path, manifest: Manifest, opened: OpenedBank, lock: FolderLock) -> None:
        """Take over an opened bank; use `open` or `open_existing` instead."""
        self._folder = folder
        self._manifest = manifest
        self._opened = opened
        self._lock = lock
        self._writing = threading.Lock()
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: Path | str,
        pack: str,
        key_dimension: int,
        vector_dimension: int,
        approximate: Approximate | None = None,
    ) -> Self:
        """Open a bank; make it when the folder does not exist or is empty.

        Args:
            folder: the bank's own folder.
            pack: fingerprint of the pack that makes its prototypes.
            key_dimension: Dt.
            vector_dimension: Dv.
            approximate: how to search when it need not be exact; its graph is built at the first search.

        Raises:
            InputError: the folder is something else, a bank of another pack or dimension, or broken.
            BusyError: another process has the bank open.
            UnavailableError: the folder cannot be read or written.
        """
        folder = Path(folder)
        wanted = new_manifest(pack, key_dimension, vector_dimension)
        prepare_folder(folder)
        lock = FolderLock(folder)
        try:
            if not has_manifest(folder):
                create_bank(folder, wanted)
            manifest = read_manifest(folder)
            check_manifest(folder, manifest, pack, key_dimension, vector_dimension)
            return cls(folder, manifest, open_bank(folder, manifest, approximate), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open_existing(cls, folder: Path | str, approximate: Approximate | None = None) -> Self:
        """Open a bank of whatever pack and dimensions its manifest says.

        Args:
            folder: the bank's own folder.
            approximate: how to search when it need not be exact; its graph is built at the first search.

        Raises:
            NotFoundError: there is no such folder.
            InputError: the folder is not a bank, or broken.
            BusyError: another process has the bank open.
            UnavailableError: the folder cannot be read or written.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        lock = FolderLock(folder)
        try:
            return cls(folder, manifest, open_bank(folder, manifest, approximate), lock)
        except BaseException:
            lock.release()
            raise

    @property
    def pack(self) -> str:
        """Fingerprint of the pack all prototypes were made with."""
        return self._manifest.pack

    @property
    def key_dimension(self) -> int:
        """Dt, the number of values in a key."""
        return self._manifest.key_dimension

    @property
    def vector_dimension(self) -> int:
        """Dv, the number of values in a prototype."""
        return self._manifest.vector_dimension

    def add(self, prototypes: Sequence[Prototype]) -> int:
        """Store a batch durably and as a whole; see `PrototypeStore.add`."""
        check_prototypes(prototypes, self.pack, self.key_dimension, self.vector_dimension)
        by_id = distinct_points(prototypes)
        with self._changing() as opened:
            rows = opened.find(list(by_id))
            fresh = [point for point, row in zip(by_id.items(), rows.tolist(), strict=True) if row < 0]
            if fresh:
                # Normalised here: the engine takes very short keys for zero and would store them as they are.
                keys = unit_rows(np.stack([prototype.key for _, prototype in fresh]))
                opened.insert(fresh, keys)
        return len(fresh)

    def nearest(
        self,
        queries: npt.NDArray[np.float32],
        k: int,
        *,
        origins: frozenset[str] | None = None,
        since: Version | None = None,
    ) -> list[Neighbours]:
        """The k nearest keys of each query, exactly unless opened otherwise; see `PrototypeStore.nearest`."""
        check_queries(queries, k, self.key_dimension)
        opened = self._usable
        found = opened.search(unit_rows(queries), k, origins=origins, since=since)
        vectors = opened.read_vectors(np.concatenate([np.empty(0, dtype=np.int64), *(rows for rows, _ in found)]))
        answers: list[Neighbours] = []
        start = 0
        for rows, scores in found:
            ids, nouns, kinds = opened.describe(rows)
            answers.append(Neighbours(ids, scores, vectors[start : start + len(rows)], nouns, kinds))
            start += len(rows)
        return answers

    def vectors(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The raw prototypes of some ids; see `PrototypeStore.vectors`."""
        return self._usable.read_vectors(self._rows_of(ids))

    def payloads(self, ids: Sequence[str]) -> list[Payload]:
        """Everything but the vectors of some ids; see `PrototypeStore.payloads`."""
        found: list[Payload] = []
        for identifier, payload in zip(ids, self._usable.payloads(self._rows_of(ids)), strict=True):
            if payload is None:
                raise self._missing(identifier)
            found.append(payload)
        return found

    def select(self, selection: Selection) -> list[str]:
        """The ids of all prototypes that are meant, oldest first."""
        opened = self._usable
        return list(opened.describe(opened.select(selection))[0])

    def count(self, selection: Selection = ALL) -> int:
        """How many prototypes are meant."""
        return self._usable.count(selection)

    def forget(self, ids: Sequence[str]) -> int:
        """Remove prototypes durably; see `PrototypeStore.forget`."""
        with self._changing() as opened:
            rows = _present(opened, ids)
            if len(rows):
                opened.remove(rows)
        return len(rows)

    def mark(self, reasons: Mapping[str, str]) -> int:
        """Mark prototypes as outliers; see `PrototypeStore.mark`."""
        check_reasons(reasons)
        with self._changing() as opened:
            rows = opened.find(list(reasons))
            marks = {row: reason for row, reason in zip(rows.tolist(), reasons.values(), strict=True) if row >= 0}
            fresh = np.count_nonzero(~opened.is_marked(np.array(list(marks), dtype=np.int64)))
            if marks:
                opened.mark(marks)
        return int(fresh)

    def unmark(self, ids: Sequence[str]) -> int:
        """Take marks back; see `PrototypeStore.unmark`."""
        with self._changing() as opened:
            rows = _present(opened, ids)
            rows = rows[opened.is_marked(rows)]
            if len(rows):
                opened.unmark(rows)
        return len(rows)

    def scan(self, selection: Selection = ALL, *, at_once: int = 1000) -> Iterator[list[Prototype]]:
        """Go through prototypes, oldest first; see `PrototypeStore.scan`."""
        opened = self._usable
        rows = opened.select(selection)
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            vectors = zip(opened.payloads(part), opened.read_keys(part), opened.read_vectors(part), strict=True)
            yield [read_prototype(payload, key, vector) for payload, key, vector in vectors if payload is not None]

    def nouns(self) -> dict[str, int]:
        """All nouns in alphabetical order, with the number of prototypes of each."""
        return self._usable.noun_counts()

    def stats(self) -> BankStats:
        """Numbers about the whole bank."""
        opened = self._usable
        captions, jobs, origins = opened.counts()
        return BankStats(
            prototypes=self.count(),
            nouns=len(opened.noun_counts()),
            captions=captions,
            jobs=jobs,
            outliers=self.count(Selection(outlier=True)),
            origins=origins,
            pack=self.pack,
            key_dimension=self.key_dimension,
            vector_dimension=self.vector_dimension,
            bytes_on_disk=bytes_on_disk(self._folder),
        )

    def version(self) -> Version:
        """The bank's version now."""
        return self._usable.version

    def close(self) -> None:
        """Close the bank and let other processes in; closing again does nothing."""
        if self._closed:
            return
        with self._writing:
            self._closed = True
            try:
                self._opened.close()
            finally:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _usable(self) -> OpenedBank:
        if self._closed:
            raise UnavailableError(f"the bank {self._folder} does not answer: it is closed")
        return self._opened

    @contextmanager
    def _changing(self) -> Iterator[OpenedBank]:
        with self._writing:
            opened = self._usable
            opened.settle()
            yield opened

    def _rows_of(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        rows = self._usable.find(ids)
        if (rows < 0).any():
            raise self._missing(ids[int(np.argmin(rows))])
        return rows

    def _missing(self, identifier: str) -> NotFoundError:
        return NotFoundError(f"the bank {self._folder} has no prototype {identifier}: was it forgotten meanwhile?")


def _present(opened: OpenedBank, ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """The different rows of those ids that are there."""
    rows = opened.find(ids)
    return np.unique(rows[rows >= 0])
