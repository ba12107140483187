"""An embedded bank in hand: its shard, ledger, row files and what is kept in memory about them, changed together."""

import threading
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import structlog

from freeda_svc.bank.embedded.cones import grow_cones, load_cones, save_cones
from freeda_svc.bank.embedded.directory import Directory, unpack_ids
from freeda_svc.bank.embedded.folder import check_room, put_shard_in_place
from freeda_svc.bank.embedded.graph import graph_config, walk_graph
from freeda_svc.bank.embedded.ledger import ADDING, LEDGER_NAME, MARKING, REMOVING, UNMARKING, Ledger
from freeda_svc.bank.embedded.rebuilding import rebuild_ledger, rebuild_rows, rows_are_whole
from freeda_svc.bank.embedded.rows import COARSE_NAME, KEYS_NAME, PROTOTYPES_NAME, RowFile
from freeda_svc.bank.embedded.shard import Shard
from freeda_svc.bank.manifest import Manifest
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.bank.store import Payload, Selection, Version
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

if TYPE_CHECKING:
    from freeda_svc.bank.embedded.scoring import Rows, Scores

log = structlog.get_logger(__name__)

_RECENT_ROWS = 2048
_RECENT_SHARE = 0.002
"""Rows that no cone covers are scored for every query; so many, or that share of all, are worth waiting for."""
_SAVED_GROWTH = 1.1


class OpenedBank:
    """The parts of a bank whose folder is locked. One thread at a time may write; others may read meanwhile.

    Every change begins with `settle`, before rows are looked up for it.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        ledger: Ledger,
        directory: Directory,
        approximate: Approximate | None = None,
    ) -> None:
        """Take over a ledger and what it says; use `open_bank`."""
        rows = directory.rows
        self._folder = folder
        self._ledger, self._directory = ledger, directory
        self._approximate = approximate
        self._state = threading.Lock()
        self._version = ledger.version()
        self._batches = ledger.batch_starts()
        keys, vectors = manifest.key_dimension, manifest.vector_dimension
        config = None if approximate is None else graph_config(manifest, approximate)
        with ExitStack() as parts:
            self._shard = parts.enter_context(closing(Shard(folder, config, cut_off=bool(ledger.pending()))))
            self._keys = parts.enter_context(closing(RowFile(folder / KEYS_NAME, np.float32, keys, rows)))
            self._coarse = parts.enter_context(closing(RowFile(folder / COARSE_NAME, np.float16, keys, rows)))
            self._prototypes = parts.enter_context(
                closing(RowFile(folder / PROTOTYPES_NAME, np.float16, vectors, rows))
            )
            self._map = self._coarse.map(rows)
            self._cones = load_cones(folder, keys, directory.noun_codes)
            self._saved_rows = self._cones.rows
            self._cover_recent()
            parts.callback(ledger.close)
            self._parts = parts.pop_all()

    @property
    def version(self) -> Version:
        """The bank's version now."""
        batch, removals = self._version
        return Version(batch, str(removals))

    def insert(self, points: Sequence[tuple[str, Prototype]], keys: npt.NDArray[np.float32]) -> None:
        """Store new points with (N, Dt) keys of unit length, all or none.

        Raises:
            UnavailableError: something cannot be written; nothing of it is visible.
        """
        directory, names = self._directory, self._directory.name_counts()
        prototypes = [prototype for _, prototype in points]
        first = directory.rows
        reasons = [prototype.outlier for prototype in prototypes]
        try:
            batch = directory.describe([identifier for identifier, _ in points], prototypes)
            self._ledger.intend(ADDING, batch.ids)
            self._shard.insert(points, keys)
            self._keys.append(first, keys)
            self._coarse.append(first, keys.astype(np.float16))
            self._prototypes.append(first, np.stack([p.vector for p in prototypes]).astype(np.float16))
            end = first + len(points)
            reach = self._map if end <= len(self._map) else self._coarse.map(end)
            marks = [(first + number, reason) for number, reason in enumerate(reasons) if reason]
            number = self._ledger.commit(first, batch, directory.new_names(names), marks)
        except BaseException:
            directory.forget_names(names)
            raise
        with self._following():
            self._map = reach
            directory.append(batch, reasons)
            self._batches.append((number, first))
            self._version = number, self._version[1]
        self._cover_recent()

    def remove(self, rows: "Rows") -> None:
        """Remove rows that are there.

        Raises:
            UnavailableError: it cannot be written.
        """
        check_room(self._folder)
        self._ledger.remove(rows.tolist(), self._directory.ids(rows))
        with self._following():
            self._directory.remove(rows)
            self._version = self._ledger.version()
        self.settle()

    def mark(self, reasons: Mapping[int, str]) -> None:
        """Mark rows that are there as outliers.

        Raises:
            UnavailableError: it cannot be written.
        """
        check_room(self._folder)
        marks = list(reasons.items())
        self._ledger.mark(marks, self._directory.ids(np.array(list(reasons), dtype=np.int64)))
        with self._following():
            self._directory.mark(marks)
            self._version = self._ledger.version()
        self.settle()

    def unmark(self, rows: "Rows") -> None:
        """Take the marks of rows back.

        Raises:
            UnavailableError: it cannot be written.
        """
        check_room(self._folder)
        self._ledger.unmark(rows.tolist(), self._directory.ids(rows))
        with self._following():
            self._directory.unmark(rows)
            self._version = self._ledger.version()
        self.settle()

    def settle(self) -> None:
        """Bring memory and shard to what the ledger says, after a crash, a failure or an interrupt.

        Raises:
            UnavailableError: something cannot be read or written.
        """
        if self._ledger.version() != self._version:  # interrupted between the ledger and what is kept in memory
            with self._state:
                self._read_ledger()
        pending = self._ledger.pending()
        for kind, packed in pending:
            ids = unpack_ids(packed)
            if kind in {ADDING, REMOVING}:
                self._shard.delete(ids)
            elif kind in {MARKING, UNMARKING}:
                self._shard.mark(ids, marked=kind == MARKING)
        if pending:
            self._ledger.settle()

    @contextmanager
    def _following(self) -> Iterator[None]:
        """Change what is kept in memory as the ledger was; read it anew where that is cut off in the middle."""
        with self._state:
            try:
                yield
            except BaseException:
                self._read_ledger()
                raise

    def _read_ledger(self) -> None:
        directory, batches = Directory(self._ledger), self._ledger.batch_starts()
        self._map = self._coarse.map(directory.rows)
        self._directory, self._batches = directory, batches
        self._version = self._ledger.version()

    def search(
        self, queries: npt.NDArray[np.float32], k: int, *, origins: frozenset[str] | None, since: Version | None
    ) -> list[tuple["Rows", "Scores"]]:
        """The k nearest rows of (C, Dt) unit queries, see `nearest_rows`; about them when so asked at the opening."""
        if self._approximate is not None and since is None:
            return self._search_graph(queries, k, origins, self._approximate)
        # Brings torch, which takes a second; a bank is opened for much that needs no search.
        from freeda_svc.bank.embedded.scan import nearest_rows  # noqa: PLC0415
        from freeda_svc.bank.embedded.scoring import Keys  # noqa: PLC0415 - as above

        with self._state:
            directory = self._directory
            retrievable = directory.retrievable
            if origins is not None:
                retrievable &= directory.of_origins(origins)
            keys = Keys(
                rows=directory.rows,
                coarse=self._map,
                read_exact=self.read_keys,
                retrievable=retrievable,
                nouns=directory.noun_codes,
                cones=self._cones,
                ids=directory.ids,
            )
            first = 0
            if since is not None:
                later = bisect_right(self._batches, (since.additions, directory.rows))
                first = self._batches[later][1] if later < len(self._batches) else directory.rows
        return nearest_rows(keys, queries, k, first_row=first)

    def _search_graph(
        self,
        queries: npt.NDArray[np.float32],
        k: int,
        origins: frozenset[str] | None,
        approximate: Approximate,
    ) -> "list[tuple[Rows, Scores]]":
        shard = self._shard.points
        found = walk_graph(shard, self._folder, queries, k, origins=origins, approximate=approximate)
        answers: list[tuple[Rows, Scores]] = []
        for ids, scores in found:
            rows = self.find(ids)
            # A batch that is being added is in the graph before it counts, a mark comes to it after it counts.
            visible = rows >= 0
            with self._state:
                visible[visible] = self._directory.retrievable[rows[visible]]
            order = np.lexsort((np.array(ids), -scores))
            order = order[visible[order]]
            answers.append((rows[order], scores[order]))
        return answers

    def find(self, ids: Sequence[str]) -> "Rows":
        """The rows of ids; -1 for those that are not there."""
        with self._state:
            return self._directory.find(ids)

    def select(self, selection: Selection) -> "Rows":
        """The rows that are meant."""
        with self._state:
            return np.flatnonzero(self._directory.is_meant(selection))

    def count(self, selection: Selection) -> int:
        """How many rows are meant."""
        with self._state:
            return int(np.count_nonzero(self._directory.is_meant(selection)))

    def is_marked(self, rows: "Rows") -> npt.NDArray[np.bool_]:
        """Whether rows are marked as outliers."""
        with self._state:
            return self._directory.is_marked(rows)

    def describe(self, rows: "Rows") -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """Ids, nouns and origins of rows."""
        directory = self._directory
        return tuple(unpack_ids(directory.ids(rows))), directory.nouns(rows), directory.origins(rows)

    def read_keys(self, rows: "Rows") -> npt.NDArray[np.float32]:
        """(N, Dt) float32 keys of rows."""
        return self._keys.read(rows).astype(np.float32, copy=False)

    def read_vectors(self, rows: "Rows") -> npt.NDArray[np.float32]:
        """(N, Dv) float32 prototypes of rows."""
        return self._prototypes.read(rows).astype(np.float32)

    def payloads(self, rows: "Rows") -> list[Payload | None]:
        """The payloads of rows; None for those that were removed meanwhile.

        Raises:
            UnavailableError: the engine does not answer, or has lost points.
        """
        ids = unpack_ids(self._directory.ids(rows))
        found = self._shard.payloads(ids)
        with self._state:  # asked afterwards: what is there now was there all the time, since no removed row comes back
            there = self._directory.alive[rows].tolist()
            reasons = [self._directory.reasons.get(row, "") for row in rows.tolist()]
        lost = sum(present and identifier not in found for identifier, present in zip(ids, there, strict=True))
        if lost:
            raise UnavailableError(
                f"the bank {self._folder} has lost {lost} points that its ledger lists: "
                "restore it from a backup or an archive"
            )
        return [
            {**found[identifier], "outlier": reason} if present else None
            for identifier, reason, present in zip(ids, reasons, there, strict=True)
        ]

    def noun_counts(self) -> dict[str, int]:
        """All nouns with the number of rows of each."""
        with self._state:
            return self._directory.noun_counts()

    def counts(self) -> tuple[int, int, dict[str, int]]:
        """Numbers of captions, of jobs, and of rows of each origin."""
        with self._state:
            directory = self._directory
            return directory.caption_count(), directory.job_count(), directory.origin_counts()

    def close(self) -> None:
        """Close everything; closing again does nothing."""
        with self._parts:
            self._save_cones()

    def _cover_recent(self) -> None:
        """Have cones cover all but the most recent rows."""
        rows = self._directory.rows
        recent = rows - self._cones.rows
        if recent <= max(_RECENT_ROWS, _RECENT_SHARE * rows):
            return
        directory = self._directory
        grown = grow_cones(self._cones, self._map[:rows], self.read_keys, directory.noun_codes, directory.alive)
        with self._state:
            self._cones = grown
        if rows > _SAVED_GROWTH * self._saved_rows:
            self._save_cones()

    def _save_cones(self) -> None:
        if self._cones.rows == self._saved_rows:
            return
        try:
            save_cones(self._folder, self._cones)
        except OSError as error:  # they only save time at the next opening
            log.warning("cones of the bank are not kept", bank=str(self._folder), reason=error.strerror)
            return
        self._saved_rows = self._cones.rows


def open_bank(folder: Path, manifest: Manifest, approximate: Approximate | None = None) -> OpenedBank:
    """Open the parts of a bank; make again what is missing and can be made from its points.

    Args:
        folder: of the bank, locked.
        manifest: of the bank.
        approximate: how to search when it need not be exact.

    Raises:
        InputError: a part is broken.
        UnavailableError: a part cannot be read or written.
    """
    put_shard_in_place(folder)
    if not (folder / LEDGER_NAME).exists():
        rebuild_ledger(folder)
    ledger = Ledger(folder / LEDGER_NAME)
    try:
        directory = Directory(ledger)
        if not rows_are_whole(folder, manifest, directory.rows):
            if directory.rows:
                log.warning("row files of the bank are missing or cut off; they are made again", bank=str(folder))
            rebuild_rows(folder, manifest, directory)
        return OpenedBank(folder, manifest, ledger, directory, approximate)
    except BaseException:
        ledger.close()
        raise
