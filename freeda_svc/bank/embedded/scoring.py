"""Scoring the keys of an embedded bank in float16, whose error has a bound.

Rows are gone through in blocks that stay in the processor's cache, and what may be among a query's k best is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.bank.embedded.cones import Cones, float16_error, summing_error
from freeda_svc.bank.embedded.threads import on_one_thread, on_threads, thread_count

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

_ROWS_AT_ONCE = 2048
_THREAD_ROWS = 16_384
"""Fewer rows are not worth a thread."""
_HITS_KEPT = 4
"""A pass tightens a query's floor when it has collected this many times what is wanted."""


@dataclass(frozen=True, eq=False)
class Keys:
    """The keys of a bank at one moment.

    Attributes:
        rows: N, how many rows there are.
        coarse: (M, Dt) float16 with M at least N; row by row the keys rounded.
        read_exact: gives (n, Dt) float32 keys of rows.
        retrievable: (N,) bool, which rows may be returned.
        nouns: (N,) the noun of each row, as the cones count them.
        cones: of the first rows.
        ids: gives (n, 16) uint8 ids of rows, by which equal scores are put in order.
    """

    rows: int
    coarse: npt.NDArray[np.float16]
    read_exact: Callable[[Rows], npt.NDArray[np.float32]]
    retrievable: npt.NDArray[np.bool_]
    nouns: npt.NDArray[np.uint32]
    cones: Cones
    ids: Callable[[Rows], npt.NDArray[np.uint8]]


def coarse_error(dimension: int) -> float:
    """The most by which a score of a coarse key, summed in float32, can be wrong."""
    return float16_error(dimension) + summing_error(dimension)


class Scratch:
    """Room for the keys of some rows, filled over and over: fresh memory would take longer than the arithmetic."""

    def __init__(self, dimension: int) -> None:
        self._rounded = np.empty((_ROWS_AT_ONCE, dimension), dtype=np.float16)
        self._wide = torch.empty(_ROWS_AT_ONCE, dimension)

    def gather(self, coarse: npt.NDArray[np.float16], rows: Rows) -> torch.Tensor:
        """(n, Dt) float32 of rows; the next call writes over it."""
        rounded = np.take(coarse, rows, axis=0, out=self._rounded[: len(rows)], mode="clip")
        return self.widen(rounded)

    def widen(self, rounded: npt.NDArray[np.float16]) -> torch.Tensor:
        """(n, Dt) float32 of (n, Dt) float16; the next call writes over it."""
        return self._wide[: len(rounded)].copy_(torch.from_numpy(rounded))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Rows that were scored for one query, all of them retrievable, with (n,) float32 scores of the coarse keys."""

    rows: Rows
    scores: Scores

    def least_wanted(self, k: int, error: float) -> float:
        """A score that a coarse key must reach to be among the k best; -inf while there are fewer than k."""
        if len(self.scores) < k:
            return -np.inf
        kth = float(np.partition(self.scores, len(self.scores) - k)[len(self.scores) - k])
        return kth - 2 * error

    def best(self, k: int, error: float) -> "Candidates":
        """Those that may be among the k best."""
        kept = self.scores >= self.least_wanted(k, error)
        return Candidates(self.rows[kept], self.scores[kept])


def merge(*parts: Candidates) -> Candidates:
    """The candidates of one query from several sets of rows, in the order given."""
    if not parts:
        return Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    return Candidates(np.concatenate([part.rows for part in parts]), np.concatenate([part.scores for part in parts]))


def score(keys: Keys, query: npt.NDArray[np.float32], rows: Rows, scratch: Scratch) -> Candidates:
    """Score some rows for one query."""
    rows = rows[keys.retrievable[rows]]
    wanted = torch.from_numpy(query)
    scores = np.empty(len(rows), dtype=np.float32)
    with on_one_thread():
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            scores[start : start + _ROWS_AT_ONCE] = torch.mv(scratch.gather(keys.coarse, part), wanted).numpy()
    return Candidates(rows, scores)


def pass_over(
    keys: Keys,
    queries: npt.NDArray[np.float32],
    k: int,
    floors: npt.NDArray[np.float64],
    rows: Rows,
    *,
    scratch: Scratch,
) -> list[Candidates]:
    """Score the same ascending rows for several queries, and keep for each what may be among its k best.

    Args:
        keys: of the bank.
        queries: (C, Dt) float32 unit vectors.
        k: how many are wanted.
        floors: (C,) scores of coarse keys below which a row is certainly not among them.
        rows: (n,) which rows.
        scratch: of the calling thread.
    """
    wanted, error = torch.from_numpy(queries), coarse_error(queries.shape[1])

    def pass_over_part(given: tuple[Rows, Scratch]) -> list[Candidates]:
        part, room = given
        hits = _Hits(k, floors, error)
        whole = len(part) > 0 and int(part[-1]) - int(part[0]) + 1 == len(part)
        for start in range(0, len(part), _ROWS_AT_ONCE):
            block = part[start : start + _ROWS_AT_ONCE]
            wide = room.widen(keys.coarse[block[0] : block[-1] + 1]) if whole else room.gather(keys.coarse, block)
            hits.collect(block, torch.mm(wanted, wide.T).numpy(), keys.retrievable[block])
        return hits.of_each_query()

    parts = np.array_split(rows, thread_count(len(rows), _THREAD_ROWS))
    rooms = [scratch, *(Scratch(queries.shape[1]) for _ in parts[1:])]
    found = on_threads(pass_over_part, list(zip(parts, rooms, strict=True)))
    return [merge(*of_query) for of_query in zip(*found, strict=True)]


class _Hits:
    """What reaches the floors of several queries; the floors rise as better rows are found."""

    def __init__(self, k: int, floors: npt.NDArray[np.float64], error: float) -> None:
        self._k, self._error = k, error
        self._floors = floors.astype(np.float32)[:, np.newaxis]
        self._queries: list[npt.NDArray[np.int64]] = []
        self._rows: list[Rows] = []
        self._scores: list[Scores] = []
        self._kept = 0
        self._most = len(floors) * (_HITS_KEPT * k + _ROWS_AT_ONCE)

    def collect(self, rows: Rows, scores: Scores, retrievable: npt.NDArray[np.bool_]) -> None:
        """Take (C, n) scores of n rows."""
        reached = scores >= self._floors
        if not retrievable.all():
            reached &= retrievable
        queries, columns = np.nonzero(reached)
        self._queries.append(queries)
        self._rows.append(rows[columns])
        self._scores.append(scores[queries, columns])
        self._kept += len(queries)
        if self._kept > self._most:
            best = [candidates.best(self._k, self._error) for candidates in self.of_each_query()]
            floors = [candidates.least_wanted(self._k, self._error) for candidates in best]
            self._floors = np.maximum(self._floors, np.array(floors, dtype=np.float32)[:, np.newaxis])
            self._queries = [np.repeat(np.arange(len(best)), [len(candidates.rows) for candidates in best])]
            self._rows = [candidates.rows for candidates in best]
            self._scores = [candidates.scores for candidates in best]
            self._kept = len(self._queries[0])
            self._most = max(self._most, 2 * self._kept)  # where many score the same, little goes

    def of_each_query(self) -> list[Candidates]:
        """What was collected for each query."""
        count = len(self._floors)
        if not self._rows:
            return [merge() for _ in range(count)]
        queries, rows, scores = (np.concatenate(parts) for parts in (self._queries, self._rows, self._scores))
        order = np.argsort(queries, kind="stable")
        ends = np.cumsum(np.bincount(queries, minlength=count))[:-1]
        pairs = zip(np.split(rows[order], ends), np.split(scores[order], ends), strict=True)
        return [Candidates(*pair) for pair in pairs]
