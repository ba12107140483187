"""The prototype store: prototypes in one collection of Qdrant, over the few calls that both of its engines have."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.appearances import Appearances
from freeda_svc.bank.changes import EVERY_VECTOR, IDS_AN_OPERATION, Changes
from freeda_svc.bank.checks import check_prototypes, check_queries, check_reasons, unit_rows
from freeda_svc.bank.conditions import where_nearest, where_selected
from freeda_svc.bank.engine import EVERYTHING, Engine, Hits, Point, Search, rank
from freeda_svc.bank.manifest import Encoding, Manifest
from freeda_svc.bank.points import (
    APPEARANCE,
    CHECKS,
    KEY,
    PROTOTYPE,
    REGISTERS,
    REPAIR,
    distinct_points,
    halved,
    has_appearance,
    possible_ids,
    prototype_of,
    prototypes_among,
    public_payload,
    vector_of,
)
from freeda_svc.bank.records import ALL, Approximate, BankStats, Neighbours, Payload, Revision, Selection
from freeda_svc.batching import batched
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.loggers import logger
from freeda_svc.prototypes import Prototype

log = logger(__name__)

WORTH_PACKING = 20_000
"""After so many prototypes were added, marked or unmarked at once a bank is packed, see `PrototypeStore.optimize`."""


class PrototypeStore:
    """Keeps prototypes under their keys and finds the nearest, exactly unless asked otherwise. For several threads.

    Marked points keep their key in the payload instead of the searched vector, so that searches need no filter.
    Whatever asks the engine raises `UnavailableError` when it does not answer.
    """

    def __init__(
        self,
        engine: Engine,
        changes: Changes,
        manifest: Manifest,
        approximate: Approximate | None,
        release: Callable[[], None],
    ) -> None:
        """Take over an opened collection; see `open_folder` and `ServerBanks.open`.

        Args:
            engine: the collection.
            changes: the same collection's, shared by all who have it open in this process.
            manifest: what the bank was made for.
            approximate: how to search when it need not be exact; what it needs is built at the first search.
            release: called once, at `close`.
        """
        self._engine = engine
        self._changes = changes
        self._manifest = manifest
        self._approximate = approximate
        self._release: Callable[[], None] | None = release
        self._searchable = approximate is None
        self._nearby = Appearances(lambda: self._usable, self.revision, manifest.key_dimension)

    @property
    def encoding(self) -> Encoding:
        """What its prototypes have in common."""
        return self._manifest.encoding

    @property
    def pack(self) -> str:
        """Fingerprint of the pack whose prototypes the store takes."""
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
        """Store prototypes durably; those already there (same `point_id`) stay as they are.

        As many as the engine writes at once (1000 inside the process, on a server as many as fit into a request) are
        stored as a whole: a process that dies meanwhile leaves none of them, and adding them again stores them. More
        are several such batches. On a server another process may meet a part of a batch for the moment in which the
        server applies it.

        Args:
            prototypes: any number of them; all are checked before the first is written.

        Returns:
            How many were new.

        Raises:
            InputError: a wrong dimension, a value that is not finite, a zero key, another pack; nothing is written.
            UnavailableError: the engine could not write; nothing of the batch is visible.
        """
        check_prototypes(prototypes, self.pack, self.key_dimension, self.vector_dimension)
        return self._changes.add(distinct_points(prototypes))

    def nearest(
        self,
        queries: npt.NDArray[np.float32],
        k: int,
        *,
        origins: frozenset[str] | None = None,
        since: Revision | None = None,
    ) -> list[Neighbours]:
        """The k nearest keys of each query by cosine; outliers are left out.

        Of keys with the same score at the k-th place, those with the smallest ids are in. What is removed meanwhile
        may be missing without one in its place.

        Args:
            queries: (C, Dt) float, finite, no row zero; of any length, since only the direction counts.
            k: how many for each query, at least 1.
            origins: only prototypes of these origins; of all when None.
            since: only prototypes added after this revision; on a server some older ones, too.

        Returns:
            C neighbours, in the order of the queries.

        Raises:
            InputError: queries of another shape or with unusable values, or k below 1.
        """
        check_queries(queries, k, self.key_dimension)
        engine = self._usable
        if not self._searchable and self._approximate is not None:
            with self._changes.paused():
                engine.optimize({KEY: self._approximate.quantized})
            self._searchable = True
        where = where_nearest(origins, since, shared=engine.shared)
        mode = self._approximate if since is None else None
        return self._neighbours(rank(engine, Search(KEY, unit_rows(queries), k, where=where, approximate=mode)))

    def nearest_prototypes(
        self, vectors: npt.NDArray[np.float32], k: int, *, approximate: Approximate | None = None
    ) -> list[Neighbours]:
        """The k prototypes that have the largest inner product with each vector; outliers are left out.

        The vectors are scaled to length 1 and rounded to half precision, in which engines compare them with prototypes.
        The scores are cosine times the prototype's length, since banks keep prototypes raw.

        Args:
            vectors: (R, Dv) float, finite, no row zero; only the direction counts.
            k: how many for each vector, at least 1.
            approximate: over the graph that `optimize` builds; exactly where there is none, and when None.

        Returns:
            R neighbours, in the order of the vectors.

        Raises:
            InputError: vectors of another shape or with unusable values, or k below 1.
        """
        check_queries(vectors, k, self.vector_dimension, what="vector")
        # A filter costs several times the search, so there is none where it would hide nothing.
        where = where_selected(Selection(outlier=False)) if self.count(Selection(outlier=True)) else EVERYTHING
        rows = halved(unit_rows(vectors))
        return self._neighbours(rank(self._usable, Search(PROTOTYPE, rows, k, where=where, approximate=approximate)))

    def mean_appearances(
        self, vectors: npt.NDArray[np.float32], k: int, *, origins: frozenset[str] | None = None
    ) -> npt.NDArray[np.float32]:
        """The normalised mean `Prototype.appearance` of the k nearest prototypes that have one, for each vector.

        The nearest are those of `nearest_prototypes`, found exactly, or over the graph where keys are, too.

        Args:
            vectors: (R, Dv) float, finite, no row zero; only the direction counts.
            k: how many for each vector, at least 1.
            origins: only prototypes of these origins; of all when None.

        Returns:
            (R, Dt) float32 of unit length; zero where nothing was found.

        Raises:
            InputError: vectors of another shape or with unusable values, or k below 1.
        """
        check_queries(vectors, k, self.vector_dimension, what="vector")
        return self._nearby.means(halved(unit_rows(vectors)), k, origins, graph=self._approximate is not None)

    def count_appearances(self, origins: frozenset[str] | None = None) -> int:
        """How many prototypes `mean_appearances` can find; cheap while the bank does not change."""
        return self._nearby.count(origins)

    def vectors(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The raw prototypes of some ids, (N, Dv) float32, in their order.

        Raises:
            NotFoundError: one of them is not there.
        """
        return self._rows(ids, PROTOTYPE, self.vector_dimension)

    def appearances(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The appearances of some ids (see `Prototype.appearance`), (N, Dt) float32 of unit length, in their order.

        Raises:
            NotFoundError: one of them is not there, or has none.
        """
        return self._rows(ids, APPEARANCE, self.key_dimension)

    def payloads(self, ids: Sequence[str]) -> list[Payload]:
        """Everything but the vectors of some ids, in their order, under the names of `Prototype`'s fields.

        Raises:
            NotFoundError: one of them is not there.
        """
        found = {
            point.id: public_payload(point)
            for some in batched(possible_ids(ids), IDS_AN_OPERATION)
            for point in self._usable.retrieve(some, payload=True)
        }
        self._check_there(ids, found)
        return [found[identifier] for identifier in ids]

    def select(self, selection: Selection) -> list[str]:
        """The ids of all prototypes that are meant, in the order of the ids."""
        return [point.id for page in self._pages(selection, IDS_AN_OPERATION) for point in page]

    def count(self, selection: Selection = ALL) -> int:
        """How many prototypes are meant."""
        where = where_selected(selection)
        return self._usable.count(where) - (len(REGISTERS) if where == EVERYTHING else 0)

    def forget(self, ids: Sequence[str]) -> int:
        """Remove prototypes durably; ids that are not there are passed over.

        Returns:
            How many were removed.
        """
        return self._changes.forget(possible_ids(ids))

    def mark(self, reasons: Mapping[str, str]) -> int:
        """Mark prototypes as outliers, durably; they stay in the bank, but retrieval leaves them out.

        Args:
            reasons: why, for each id, not empty; marked ones get the new reason; ids not there are passed over.

        Returns:
            How many are marked now that were not before.

        Raises:
            InputError: a reason is empty; nothing was marked.
        """
        check_reasons(reasons)
        return self._changes.mark({identifier: reasons[identifier] for identifier in possible_ids(list(reasons))})

    def unmark(self, ids: Sequence[str]) -> int:
        """Take marks back, durably; ids that are not there or not marked are passed over.

        Returns:
            How many were marked.
        """
        return self._changes.unmark(possible_ids(ids))

    def scan(self, selection: Selection = ALL, *, at_once: int = 1000) -> Iterator[list[Prototype]]:
        """Go through prototypes with everything that is kept about them, in the order of their ids.

        What is added meanwhile may be missing.

        Args:
            selection: which of them.
            at_once: how many a list has, the last perhaps fewer; at least 1.
        """
        if at_once < 1:
            raise InputError(f"at_once is {at_once}, expected at least 1")
        size = min(at_once, self._usable.points_an_operation)
        pages = self._pages(selection, size, payload=True, vectors=EVERY_VECTOR)
        for some in batched((prototype_of(point) for page in pages for point in page), at_once):
            yield list(some)

    def nouns(self) -> dict[str, int]:
        """All nouns in alphabetical order, with the number of prototypes of each."""
        return dict(sorted(self._usable.facet("noun").items()))

    def stats(self) -> BankStats:
        """Numbers about the whole bank."""
        facet = self._usable.facet
        return BankStats(
            prototypes=self.count(),
            nouns=len(facet("noun")),
            captions=len(facet("caption_id")),
            jobs=len(facet("job").keys() - {""}),
            outliers=self.count(Selection(outlier=True)),
            origins=dict(sorted(facet("origin").items())),
            pack=self.pack,
            key_dimension=self.key_dimension,
            vector_dimension=self.vector_dimension,
            bytes_on_disk=self._usable.bytes_on_disk(),
        )

    def revision(self) -> Revision:
        """The bank's revision now; cheap enough to be asked before every use."""
        return self._changes.revision()

    def optimize(self, *, index_prototypes: bool = False) -> None:
        """Pack what many changes have scattered, so that searches are fast and files small; may take minutes.

        Args:
            index_prototypes: also build a graph of the prototypes, for `nearest_prototypes`.

        Raises:
            UnavailableError: the engine does not answer, or lacks room to work in.
        """
        with self._changes.paused():
            self._usable.optimize({PROTOTYPE: False} if index_prototypes else {})

    def pack_if_worth_it(self, changed: int) -> None:
        """Pack a bank of which much was changed at once; where that fails it works as well, and the log says so.

        Args:
            changed: how many prototypes were added, marked or unmarked.
        """
        if changed >= WORTH_PACKING:
            try:
                self.optimize()
            except UnavailableError as error:
                log.warning("the bank is not packed; `freeda bank index` does it later", reason=str(error))

    def close(self) -> None:
        """Release the bank; closing again does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _usable(self) -> Engine:
        if self._release is None:
            raise UnavailableError(f"{self._engine.place} does not answer: it is closed")
        return self._engine

    def _rows(self, ids: Sequence[str], name: str, dimension: int) -> npt.NDArray[np.float32]:
        points = self._with_vector(possible_ids(ids), name)
        found = {p.id: vector_of(p, name) for p in points if name != APPEARANCE or has_appearance(p)}
        self._check_there(ids, found)
        return _matrix([found[identifier] for identifier in ids], dimension)

    def _neighbours(self, searched: Sequence[Hits]) -> list[Neighbours]:
        """Put the prototypes to what was found, as far as they are still there."""
        distinct = list(dict.fromkeys(identifier for hits in searched for identifier in hits.ids))
        try:
            found = {
                point.id: (vector_of(point, PROTOTYPE), point.payload["noun"], point.payload["origin"])
                for point in self._with_vector(distinct, PROTOTYPE, "noun", "origin")
            }
        except KeyError as error:
            raise InputError(f"{self._engine.place} is damaged (a prototype has no {error}): {REPAIR}") from error
        neighbours = []
        for hits in searched:
            there = [position for position, identifier in enumerate(hits.ids) if identifier in found]
            ids = tuple(hits.ids[position] for position in there)
            vectors, nouns, origins = zip(*map(found.__getitem__, ids), strict=True) if ids else ((), (), ())
            rows = _matrix(vectors, self.vector_dimension)
            neighbours.append(Neighbours(ids, hits.scores[there], rows, nouns, origins))
        return neighbours

    def _with_vector(self, ids: Sequence[str], name: str, *fields: str) -> Iterator[Point]:
        for some in batched(ids, self._usable.points_an_operation):
            yield from self._usable.retrieve(some, payload=[CHECKS, *fields], vectors=[name])

    def _pages(
        self, selection: Selection, size: int, *, payload: bool = False, vectors: Sequence[str] = ()
    ) -> Iterator[list[Point]]:
        after: str | None = None
        where = where_selected(selection)
        while True:
            page, after = self._usable.scroll(where, size, after=after, payload=payload, vectors=vectors)
            yield prototypes_among(page)
            if after is None:
                return

    def _check_there(self, ids: Sequence[str], found: Mapping[str, object]) -> None:
        for identifier in ids:
            if identifier not in found:
                raise NotFoundError(f"{self._engine.place} has no prototype {identifier}: has it been removed?")


def _matrix(rows: Sequence[npt.NDArray[np.float32]], dimension: int) -> npt.NDArray[np.float32]:
    return np.stack(rows) if rows else np.empty((0, dimension), dtype=np.float32)
