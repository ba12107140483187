"""Exact search over the keys of an embedded bank.

Keys are first compared in float16, whose error has a bound; all that may be among the best are then compared by their
float32 values in float64. Cones tell which nouns can hold any of them. Where they leave few rows, those are scored
alone; for the other queries one pass over the rows that any of them needs serves all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.bank.embedded.cones import Cones, float16_error, summing_error

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

_QUERIES_AT_ONCE = 256
_ROWS_AT_ONCE = 2048
_EXACT_ROWS_AT_ONCE = 8192
_ALONE_SHARE = 0.03
"""A query that needs no more than this share of all rows scores them alone; measured, see docs/performance.md."""
_WHOLE_SHARE = 0.7
"""Picking more than this share of all rows takes longer than going through all."""
_NEAR = 0.5
"""How far a query may be from the centre of a noun whose keys are scored more finely; unit vectors."""
_CROWD = 16
"""A noun with fewer candidates is not worth it."""
_FEW_QUERIES = 4
"""A pass for no more than these goes on one thread."""
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


@contextmanager
def _on_one_thread() -> Iterator[None]:
    """Have torch compute on this thread alone.

    With a query or a few, a block of rows takes a fraction of a millisecond; where other work keeps the processor busy,
    waiting for a second thread at each takes many times as long.
    """
    threads = torch.get_num_threads()  # of this thread
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Scratch:
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
class _Candidates:
    """Rows that were scored for one query, all of them retrievable, with (n,) float32 scores of the coarse keys."""

    rows: Rows
    scores: Scores

    def least_wanted(self, k: int, error: float) -> float:
        """A score that a coarse key must reach to be among the k best; -inf while there are fewer than k."""
        if len(self.scores) < k:
            return -np.inf
        kth = float(np.partition(self.scores, len(self.scores) - k)[len(self.scores) - k])
        return kth - 2 * error

    def best(self, k: int, error: float) -> "_Candidates":
        """Those that may be among the k best."""
        kept = self.scores >= self.least_wanted(k, error)
        return _Candidates(self.rows[kept], self.scores[kept])


def nearest_rows(
    keys: Keys, queries: npt.NDArray[np.float32], k: int, *, first_row: int = 0
) -> list[tuple[Rows, Scores]]:
    """The k nearest keys of each query, exactly.

    Args:
        keys: of the bank.
        queries: (C, Dt) float32 unit vectors.
        k: how many, at least 1.
        first_row: rows before this one are passed over.

    Returns:
        For each query rows and scores, best first, equal scores in the order of the ids; fewer than k where there
        are fewer.
    """
    answers: list[tuple[Rows, Scores]] = []
    scratch = _Scratch(queries.shape[1])
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        part = np.ascontiguousarray(queries[start : start + _QUERIES_AT_ONCE])
        found = _candidates(keys, part, k, first_row, scratch)
        answers += [_settle(keys, query, candidates, k, scratch) for query, candidates in zip(part, found, strict=True)]
    return answers


def _coarse_error(dimension: int) -> float:
    """The most by which a score of a coarse key, summed in float32, can be wrong."""
    return float16_error(dimension) + summing_error(dimension)


def _candidates(
    keys: Keys, queries: npt.NDArray[np.float32], k: int, first_row: int, scratch: _Scratch
) -> list[_Candidates]:
    error = _coarse_error(queries.shape[1])
    if first_row > 0 or keys.cones.rows == 0:
        return _pass_over(
            keys, queries, k, np.full(len(queries), -np.inf), np.arange(first_row, keys.rows), scratch=scratch
        )
    recent = np.arange(keys.cones.rows, keys.rows)
    of_recent = _pass_over(keys, queries, k, np.full(len(queries), -np.inf), recent, scratch=scratch)
    holding = _retrievable_counts(keys)
    bounds = keys.cones.bounds(queries)
    bounds[:, holding == 0] = -np.inf
    found: list[_Candidates] = []
    shared: list[int] = []
    floors: list[float] = []
    needed = np.zeros(len(holding), dtype=bool)
    for number, query in enumerate(queries):
        seeds = _likeliest(bounds[number], holding, k)
        first = _merge(_score(keys, query, keys.cones.rows_of(seeds), scratch), of_recent[number])
        floor = first.least_wanted(k, error)
        likely = bounds[number] >= floor + error
        likely[seeds] = False
        if holding[likely].sum() <= _ALONE_SHARE * keys.rows:
            rest = _score(keys, query, keys.cones.rows_of(np.flatnonzero(likely)), scratch)
            found.append(_merge(first, rest))
        else:
            found.append(of_recent[number])  # the pass comes by the seeds again
            shared.append(number)
            floors.append(floor)
            needed |= likely
            needed[seeds] = True
    if shared:
        rows = np.arange(keys.cones.rows)
        if holding[needed].sum() <= _WHOLE_SHARE * keys.rows:
            rows = np.sort(keys.cones.rows_of(np.flatnonzero(needed)))
        passed = _pass_over(keys, queries[shared], k, np.array(floors), rows, scratch=scratch)
        for number, candidates in zip(shared, passed, strict=True):
            found[number] = _merge(found[number], candidates)
    return found


def _retrievable_counts(keys: Keys) -> npt.NDArray[np.int64]:
    """(G,) how many rows of each noun may be returned."""
    cones = keys.cones
    hidden = np.flatnonzero(~keys.retrievable[: cones.rows])
    counts: npt.NDArray[np.int64] = np.diff(cones.starts)
    return counts - np.bincount(keys.nouns[hidden], minlength=len(counts))


def _likeliest(bounds: npt.NDArray[np.float32], holding: npt.NDArray[np.int64], k: int) -> Rows:
    """The nouns with the highest bounds, as many as it takes for k rows; fewer where there are not so many."""
    most = min(k, len(bounds))
    top = np.argpartition(bounds, len(bounds) - most)[len(bounds) - most :]
    top = top[np.argsort(-bounds[top], kind="stable")]
    top = top[holding[top] > 0]
    enough = int(np.searchsorted(np.cumsum(holding[top]), k)) + 1
    return top[:enough]


def _score(keys: Keys, query: npt.NDArray[np.float32], rows: Rows, scratch: _Scratch) -> _Candidates:
    """Score some rows for one query."""
    rows = rows[keys.retrievable[rows]]
    wanted = torch.from_numpy(query)
    scores = np.empty(len(rows), dtype=np.float32)
    with _on_one_thread():
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            scores[start : start + _ROWS_AT_ONCE] = torch.mv(scratch.gather(keys.coarse, part), wanted).numpy()
    return _Candidates(rows, scores)


def _pass_over(
    keys: Keys,
    queries: npt.NDArray[np.float32],
    k: int,
    floors: npt.NDArray[np.float64],
    rows: Rows,
    *,
    scratch: _Scratch,
) -> list[_Candidates]:
    """Score the same ascending rows for several queries, and keep for each what may be among its k best."""
    wanted = torch.from_numpy(queries)
    hits = _Hits(k, floors, _coarse_error(queries.shape[1]))
    whole = len(rows) > 0 and int(rows[-1]) - int(rows[0]) + 1 == len(rows)
    with _on_one_thread() if len(queries) <= _FEW_QUERIES else nullcontext():
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            wide = scratch.widen(keys.coarse[part[0] : part[-1] + 1]) if whole else scratch.gather(keys.coarse, part)
            hits.collect(part, torch.mm(wanted, wide.T).numpy(), keys.retrievable[part])
    return hits.of_each_query()


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

    def of_each_query(self) -> list[_Candidates]:
        """What was collected for each query."""
        count = len(self._floors)
        if not self._rows:
            return [_merge() for _ in range(count)]
        queries, rows, scores = (np.concatenate(parts) for parts in (self._queries, self._rows, self._scores))
        order = np.argsort(queries, kind="stable")
        ends = np.cumsum(np.bincount(queries, minlength=count))[:-1]
        pairs = zip(np.split(rows[order], ends), np.split(scores[order], ends), strict=True)
        return [_Candidates(*pair) for pair in pairs]


def _merge(*parts: _Candidates) -> _Candidates:
    if not parts:
        return _Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    return _Candidates(np.concatenate([part.rows for part in parts]), np.concatenate([part.scores for part in parts]))


def _settle(
    keys: Keys, query: npt.NDArray[np.float32], found: _Candidates, k: int, scratch: _Scratch
) -> tuple[Rows, Scores]:
    """Score the candidates of a query exactly and put the k best in order."""
    rows = _narrow(keys, query, found.best(k, _coarse_error(len(query))), k, scratch)
    wide = query.astype(np.float64)
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _EXACT_ROWS_AT_ONCE):
        part = rows[start : start + _EXACT_ROWS_AT_ONCE]
        # Row by row, so that equal keys get equal scores wherever they stand.
        scores[start : start + len(part)] = np.sum(keys.read_exact(part) * wide, axis=1)
    ids = np.ascontiguousarray(keys.ids(rows)).view(">u8")
    order = np.lexsort((ids[:, 1], ids[:, 0], -scores))[:k]
    return rows[order], scores[order]


def _narrow(keys: Keys, query: npt.NDArray[np.float32], found: _Candidates, k: int, scratch: _Scratch) -> Rows:
    """The rows that may still be among the k best when those near the centre of their noun are scored more finely.

    The keys of a noun that the query is close to crowd within the rounding of float16. Reading them all would take
    most of a search's time; what they have along their centre is known exactly, and what remains is small.
    """
    rows, scores, cones = found.rows, found.scores.astype(np.float64), keys.cones
    if len(rows) <= k:
        return rows
    errors = np.full(len(rows), _coarse_error(len(query)))
    covered = np.flatnonzero(rows < cones.rows)
    nouns, members, counts = np.unique(keys.nouns[rows[covered]], return_inverse=True, return_counts=True)
    distances = np.linalg.norm(query - cones.centres[nouns], axis=1)
    for group in np.flatnonzero((distances < _NEAR) & (counts >= _CROWD)).tolist():
        places = covered[members == group]
        difference = query - cones.centres[nouns[group]]
        fine = _score(keys, difference, rows[places], scratch)
        scores[places] = fine.scores.astype(np.float64) + cones.along[rows[places]]
        errors[places] = cones.reach(distances[group])
    surely = scores - errors
    kept: Rows = rows[scores + errors >= np.partition(surely, len(surely) - k)[len(surely) - k]]
    return kept
