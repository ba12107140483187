"""The appearances of the prototypes nearest to features: what the words say that look like a region."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.conditions import where_appearing
from freeda_svc.bank.engine import EVERYTHING, Engine, Hits, Search, Where, rank
from freeda_svc.bank.points import APPEARANCE, CHECKS, PROTOTYPE, REGISTERS, has_appearance, vector_of
from freeda_svc.bank.records import Approximate, Revision
from freeda_svc.batching import batched

VALUES_KEPT = 32_000_000
"""How many values of appearances are cached, 64 MB in half precision: 41,000 prototypes in the paper's size."""
NEIGHBOURS_AT_ONCE = 4096
"""How many neighbours are averaged at once, over all features; each takes as many values as an appearance."""

GRAPH_DEPTH = 64
"""How many candidates a search over a graph keeps; the depth that banks are opened with is for hundreds of keys."""

_NONE = 0  # a row of zeros, for what is not there


class Appearances:
    """Averages the appearances of the prototypes that are nearest to features. For several threads.

    Appearances are cached, a limited number of them, until anything is removed from the bank or marked.
    """

    def __init__(self, engine: Callable[[], Engine], revision: Callable[[], Revision], dimension: int) -> None:
        """Cache nothing yet.

        Args:
            engine: returns the bank's collection, or raises when it is closed.
            revision: returns the bank's revision now.
            dimension: Dt, the number of values in an appearance.
        """
        self._engine = engine
        self._revision = revision
        self._room = max(VALUES_KEPT // dimension, NEIGHBOURS_AT_ONCE) + 1
        self._changing = threading.Lock()
        self._rows: dict[str, int] = {}
        self._table = np.zeros((1, dimension), dtype=np.float16)
        self._removals: str | None = None
        self._counted: tuple[Revision, dict[frozenset[str] | None, tuple[int, Where]]] | None = None

    def count(self, origins: frozenset[str] | None) -> int:
        """How many prototypes can be found: with an appearance, of these origins, and not marked as outliers."""
        return self._usable(origins)[0]

    def means(
        self,
        vectors: npt.NDArray[np.float32],
        k: int,
        origins: frozenset[str] | None,
        *,
        graph: bool,
    ) -> npt.NDArray[np.float32]:
        """Average the appearances of the k prototypes with the largest inner product with each vector.

        Args:
            vectors: (R, Dv) float32, rounded to half precision; checked.
            k: how many prototypes for each, at least 1.
            origins: only prototypes of these origins; of all when None.
            graph: search over the graph of the prototypes, where there is one, rather than exactly.

        Returns:
            (R, Dt) float32 of unit length; zero where nothing was found.
        """
        engine, where = self._engine(), self._usable(origins)[1]
        search = Search(PROTOTYPE, vectors, k, where=where, approximate=Approximate(GRAPH_DEPTH) if graph else None)
        at_once = max(1, NEIGHBOURS_AT_ONCE // k)
        means = np.zeros((len(vectors), self._table.shape[1]), dtype=np.float32)
        for start in range(0, len(vectors), at_once):
            hits = rank(engine, replace(search, queries=vectors[start : start + at_once]))
            totals = self._totals(engine, hits)
            lengths = np.linalg.norm(totals, axis=1, keepdims=True)
            np.divide(totals, lengths, out=means[start : start + len(hits)], where=lengths > 0)
        return means

    def _usable(self, origins: frozenset[str] | None) -> tuple[int, Where]:
        """How many prototypes can be found, and which these are."""
        revision = self._revision()
        with self._changing:
            if self._counted is None or self._counted[0] != revision:
                self._counted = revision, {}
            counts = self._counted[1]
        if origins not in counts:
            engine = self._engine()
            there = where_appearing(origins)
            found = engine.count(there)
            # A filter costs several times the search, so there is none where it would hide nothing.
            counts[origins] = found, EVERYTHING if found == engine.count() - len(REGISTERS) else there
        return counts[origins]

    def _totals(self, engine: Engine, hits: Sequence[Hits]) -> npt.NDArray[np.float32]:
        """Return the (R, Dt) sums of the appearances of what was found; prototypes that are gone by now add nothing."""
        widest = max((len(one.ids) for one in hits), default=0)
        rows = np.full((len(hits), widest), _NONE)
        with self._changing:
            self._read(engine, list(dict.fromkeys(identifier for one in hits for identifier in one.ids)))
            for number, one in enumerate(hits):
                rows[number, : len(one.ids)] = [self._rows.get(identifier, _NONE) for identifier in one.ids]
            found = self._table[rows]
        return np.asarray(found.sum(axis=1, dtype=np.float32))

    def _read(self, engine: Engine, ids: Sequence[str]) -> None:
        """See that the appearances of some ids are cached, as far as they are there."""
        removals = self._revision().removals
        missing = [identifier for identifier in ids if identifier not in self._rows]
        room = max(self._room, 1 + len(ids))
        if removals != self._removals or 1 + len(self._rows) + len(missing) > room:
            self._rows, self._removals, missing = {}, removals, list(ids)
        for some in batched(missing, engine.points_an_operation):
            for point in engine.retrieve(some, payload=[CHECKS], vectors=[APPEARANCE]):
                if has_appearance(point):
                    self._keep(point.id, vector_of(point, APPEARANCE), room)

    def _keep(self, identifier: str, appearance: npt.NDArray[np.float32], room: int) -> None:
        row = 1 + len(self._rows)
        if row == len(self._table):
            more = np.zeros((min(2 * row, room), appearance.size), dtype=np.float16)
            more[:row] = self._table
            self._table = more
        self._table[row] = appearance
        self._rows[identifier] = row
