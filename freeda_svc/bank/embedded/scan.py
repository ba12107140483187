"""Exact search over the keys of an embedded bank.

Keys are first compared in float16, whose error has a bound; all that may be among the best are then compared by their
float32 values in float64. Cones tell which nouns can hold any of them. Where they leave few rows, those are scored
alone; for the other queries one pass over the rows that any of them needs serves all.
"""

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.embedded.scoring import (
    Candidates,
    Keys,
    Rows,
    Scores,
    Scratch,
    coarse_error,
    merge,
    pass_over,
    score,
)

_QUERIES_AT_ONCE = 256
_EXACT_ROWS_AT_ONCE = 8192
_ALONE_SHARE = 0.03
"""A query that needs no more than this share of all rows scores them alone; measured, see docs/performance.md."""
_WHOLE_SHARE = 0.7
"""Picking more than this share of all rows takes longer than going through all."""
_NEAR = 0.5
"""How far a query may be from the centre of a noun whose keys are scored more finely; unit vectors."""
_CROWD = 16
"""A noun with fewer candidates is not worth it."""


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
    scratch = Scratch(queries.shape[1])
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        part = np.ascontiguousarray(queries[start : start + _QUERIES_AT_ONCE])
        found = _candidates(keys, part, k, first_row, scratch)
        answers += [_settle(keys, query, candidates, k, scratch) for query, candidates in zip(part, found, strict=True)]
    return answers


def _candidates(
    keys: Keys, queries: npt.NDArray[np.float32], k: int, first_row: int, scratch: Scratch
) -> list[Candidates]:
    error = coarse_error(queries.shape[1])
    if first_row > 0 or keys.cones.rows == 0:
        return pass_over(
            keys, queries, k, np.full(len(queries), -np.inf), np.arange(first_row, keys.rows), scratch=scratch
        )
    recent = np.arange(keys.cones.rows, keys.rows)
    of_recent = pass_over(keys, queries, k, np.full(len(queries), -np.inf), recent, scratch=scratch)
    holding = _retrievable_counts(keys)
    bounds = keys.cones.bounds(queries)
    bounds[:, holding == 0] = -np.inf
    found: list[Candidates] = []
    shared: list[int] = []
    floors: list[float] = []
    needed = np.zeros(len(holding), dtype=bool)
    for number, query in enumerate(queries):
        seeds = _likeliest(bounds[number], holding, k)
        first = merge(score(keys, query, keys.cones.rows_of(seeds), scratch), of_recent[number])
        floor = first.least_wanted(k, error)
        likely = bounds[number] >= floor + error
        likely[seeds] = False
        if holding[likely].sum() <= _ALONE_SHARE * keys.rows:
            rest = score(keys, query, keys.cones.rows_of(np.flatnonzero(likely)), scratch)
            found.append(merge(first, rest))
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
        passed = pass_over(keys, queries[shared], k, np.array(floors), rows, scratch=scratch)
        for number, candidates in zip(shared, passed, strict=True):
            found[number] = merge(found[number], candidates)
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


def _settle(
    keys: Keys, query: npt.NDArray[np.float32], found: Candidates, k: int, scratch: Scratch
) -> tuple[Rows, Scores]:
    """Score the candidates of a query exactly and put the k best in order."""
    rows = _narrow(keys, query, found.best(k, coarse_error(len(query))), k, scratch)
    wide = query.astype(np.float64)
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _EXACT_ROWS_AT_ONCE):
        part = rows[start : start + _EXACT_ROWS_AT_ONCE]
        # Row by row, so that equal keys get equal scores wherever they stand.
        scores[start : start + len(part)] = np.sum(keys.read_exact(part) * wide, axis=1)
    ids = np.ascontiguousarray(keys.ids(rows)).view(">u8")
    order = np.lexsort((ids[:, 1], ids[:, 0], -scores))[:k]
    return rows[order], scores[order]


def _narrow(keys: Keys, query: npt.NDArray[np.float32], found: Candidates, k: int, scratch: Scratch) -> Rows:
    """The rows that may still be among the k best when those near the centre of their noun are scored more finely.

    The keys of a noun that the query is close to crowd within the rounding of float16. Reading them all would take
    most of a search's time; what they have along their centre is known exactly, and what remains is small.
    """
    rows, scores, cones = found.rows, found.scores.astype(np.float64), keys.cones
    if len(rows) <= k:
        return rows
    errors = np.full(len(rows), coarse_error(len(query)))
    covered = np.flatnonzero(rows < cones.rows)
    nouns, members, counts = np.unique(keys.nouns[rows[covered]], return_inverse=True, return_counts=True)
    distances = np.linalg.norm(query - cones.centres[nouns], axis=1)
    for group in np.flatnonzero((distances < _NEAR) & (counts >= _CROWD)).tolist():
        places = covered[members == group]
        difference = query - cones.centres[nouns[group]]
        fine = score(keys, difference, rows[places], scratch)
        scores[places] = fine.scores.astype(np.float64) + cones.along[rows[places]]
        errors[places] = cones.reach(distances[group])
    surely = scores - errors
    kept: Rows = rows[scores + errors >= np.partition(surely, len(surely) - k)[len(surely) - k]]
    return kept
