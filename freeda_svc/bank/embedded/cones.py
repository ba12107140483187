"""Cones around the keys of each noun: how near to a query any key of a noun can be, told from the noun's centre.

The keys of a noun differ by a tenth of a caption's embedding, so they lie within a few degrees of their centre. If a
query is at angle a from the centre and all keys are within angle b of it, no key is nearer than a - b.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.whole_files import write_whole

CONES_NAME = "cones.npz"

_ROWS_AT_ONCE = 4096
_THREAD_NOUNS = 4096
"""Fewer nouns are not worth a thread."""
_GROWTH = 2
_BOUND_ROUNDING = 2.0**-20
"""More than the float32 arithmetic of a bound can lose."""
_ALONG_ROUNDING = 2.0**-22
"""More than rounding to float32 takes from a product of two unit vectors."""

ReadExact = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Cones:
    """The cones of G nouns over the first ``rows`` rows of a bank.

    Attributes:
        rows: how many rows they cover.
        centres: (G, Dt) float32 unit vectors; zero for a noun without rows.
        narrowest: (G,) float32, no more than the least cosine of a key to its centre.
        centred: (G,) int64 number of keys the centre was last computed from.
        along: (rows,) float32 product of each row's exact key and the centre of its noun; 0 for removed rows.
        order: (rows,) int64 rows sorted by noun, those that were removed included.
        starts: (G + 1,) int64; the rows of noun g are ``order[starts[g]:starts[g + 1]]``.
    """

    rows: int
    centres: npt.NDArray[np.float32]
    narrowest: npt.NDArray[np.float32]
    centred: npt.NDArray[np.int64]
    along: npt.NDArray[np.float32]
    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def bounds(self, queries: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """An upper bound of the cosine of each query and any key of each noun.

        Args:
            queries: (C, Dt) float32 unit vectors.

        Returns:
            (C, G) float32.
        """
        cosines = _products(queries, self.centres)
        # Raised by their error first: sines of angles near 0 and 180 degrees would make much more of it.
        cosines += summing_error(queries.shape[1])
        np.clip(cosines, -1.0, 1.0, out=cosines)
        bound = _sine(cosines)
        bound *= _sine(self.narrowest)
        bound += cosines * self.narrowest
        bound[cosines >= self.narrowest] = 1.0
        bound += _BOUND_ROUNDING
        return bound

    def reach(self, distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The most by which `along` plus (query - centre) · float16 key, in float32, misses query · key.

        Only the part of the query that points away from the centre meets the rounded key.

        Args:
            distances: (n,) of queries and centres.
        """
        dimension = self.centres.shape[1]
        error: npt.NDArray[np.float64] = 1.001 * distances * (float16_error(dimension) + summing_error(dimension))
        return error + 2 * _ALONG_ROUNDING

    def rows_of(self, nouns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """All rows of some nouns, noun after noun."""
        starts, ends = self.starts[nouns], self.starts[nouns + 1]
        lengths = ends - starts
        offsets = np.repeat(starts - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        rows: npt.NDArray[np.int64] = self.order[np.arange(lengths.sum()) + offsets]
        return rows


def no_cones(dimension: int) -> Cones:
    """The cones of an empty bank."""
    empty = np.empty(0, dtype=np.int64)
    return Cones(
        rows=0,
        centres=np.empty((0, dimension), dtype=np.float32),
        narrowest=np.empty(0, dtype=np.float32),
        centred=empty,
        along=np.empty(0, dtype=np.float32),
        order=empty,
        starts=np.zeros(1, dtype=np.int64),
    )


def _products(queries: npt.NDArray[np.float32], centres: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(C, G) float32 of (C, Dt) and (G, Dt)."""
    # Brings torch, which takes a second; a bank is opened for much that needs no search.
    import torch  # noqa: PLC0415

    from freeda_svc.bank.embedded.threads import on_threads, thread_count  # noqa: PLC0415 - as above

    wanted = torch.from_numpy(queries)
    parts = np.array_split(centres, thread_count(len(centres), _THREAD_NOUNS))
    found = on_threads(lambda part: torch.mm(wanted, torch.from_numpy(part).T).numpy(), parts)
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)


def _sine(cosines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    sines: npt.NDArray[np.float32] = 1.0 - cosines
    sines *= 1.0 + cosines  # 1 - x² would lose the small ones
    np.sqrt(sines, out=sines)
    return sines


def grow_cones(
    cones: Cones,
    keys: npt.NDArray[np.float16],
    read_exact: ReadExact,
    nouns: npt.NDArray[np.uint32],
    alive: npt.NDArray[np.bool_],
) -> Cones:
    """Cover rows that came since; a noun whose keys have doubled gets a new centre, for others the cone is widened.

    Args:
        cones: of the first rows.
        keys: (N, Dt) float16 keys of all rows to cover; unit vectors, except for those of removed rows.
        read_exact: gives (n, Dt) float32 keys of rows.
        nouns: (N,) the noun of each.
        alive: (N,) bool, False for removed rows: they never come back, and their keys may be lost.
    """
    groups = int(nouns.max()) + 1 if len(nouns) else 0
    groups = max(groups, len(cones.centres))
    added = groups - len(cones.centres)
    order, starts = _by_noun(nouns, groups)
    counts = np.bincount(nouns[alive], minlength=groups)
    centres = np.concatenate([cones.centres, np.zeros((added, keys.shape[1]), dtype=np.float32)])
    narrowest = np.concatenate([cones.narrowest, np.ones(added, dtype=np.float32)])
    centred = np.concatenate([cones.centred, np.zeros(added, dtype=np.int64)])
    along = np.concatenate([cones.along, np.zeros(len(nouns) - cones.rows, dtype=np.float32)])

    stale = (counts >= _GROWTH * centred) & (counts > 0)
    for noun in np.flatnonzero(stale).tolist():
        rows = order[starts[noun] : starts[noun + 1]]
        rows = rows[alive[rows]]
        centres[noun], narrowest[noun] = _centre(keys, rows), 1.0
        centred[noun] = len(rows)
    unknown = stale[nouns]
    unknown[cones.rows :] = True
    rows = np.flatnonzero(unknown & alive)  # ascending, so that most are read with their neighbours
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        those = nouns[part]
        along[part] = np.einsum("nd,nd->n", read_exact(part), centres[those], dtype=np.float64)
        np.minimum.at(narrowest, those, along[part] - _ALONG_ROUNDING)
    np.clip(narrowest, -1.0, 1.0, out=narrowest)
    return Cones(len(nouns), centres, narrowest, centred, along, order, starts)


def _by_noun(nouns: npt.NDArray[np.uint32], groups: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows sorted by noun, and where each noun starts among them."""
    counts = np.bincount(nouns, minlength=groups)
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])
    return np.argsort(nouns, kind="stable").astype(np.int64), starts


def _centre(keys: npt.NDArray[np.float16], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    parts = [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)]
    total = np.sum([keys[part].astype(np.float32).sum(axis=0) for part in parts], axis=0)
    if not total.any():  # keys that cancel each other have no direction in common: any will do
        total = keys[rows[0]].astype(np.float32)
    wide = total.astype(np.float64)  # so that the centre's length is 1 within the rounding of float32
    centre: npt.NDArray[np.float32] = (wide / np.linalg.norm(wide)).astype(np.float32)
    return centre


def float16_error(dimension: int) -> float:
    """The most by which a cosine changes when a unit key is rounded to float16: the length of what rounding takes.

    Half a unit in the last place is 2^-11 of a normal value, and 2^-25 where values are too small to be normal.
    """
    return float(2.0**-11 + 2.0**-25 * np.sqrt(dimension))


def summing_error(dimension: int) -> float:
    """The most that float32 loses in a dot product of unit vectors, in whatever order it is summed.

    This is twice what summing can lose, and more: lengths, scores and thresholds are rounded to float32, too.
    """
    return float((dimension + 2) * 2.0**-23)


def save_cones(folder: Path, cones: Cones) -> None:
    """Keep what takes long to compute; the file appears whole.

    Raises:
        OSError: it cannot be written.
    """
    file = io.BytesIO()
    np.savez(
        file,
        rows=cones.rows,
        centres=cones.centres,
        narrowest=cones.narrowest,
        centred=cones.centred,
        along=cones.along,
    )
    write_whole(folder / CONES_NAME, file.getvalue())


def load_cones(folder: Path, dimension: int, nouns: npt.NDArray[np.uint32]) -> Cones:
    """Read what `save_cones` kept; no cones where there is nothing that can be used.

    Args:
        folder: of the bank.
        dimension: Dt.
        nouns: (N,) the noun of each row of the bank.
    """
    try:
        with (folder / CONES_NAME).open("rb") as file, np.load(file, allow_pickle=False) as kept:
            rows = int(kept["rows"])
            centres, narrowest, centred, along = (kept[name] for name in ("centres", "narrowest", "centred", "along"))
    except Exception:  # noqa: BLE001 - on broken files, the readers of archives and arrays raise all kinds of errors
        return no_cones(dimension)
    groups = len(centres)
    usable = (
        rows <= len(nouns)
        and centres.shape == (groups, dimension)
        and narrowest.shape == centred.shape == (groups,)
        and along.shape == (rows,)
        and (rows == 0 or int(nouns[:rows].max()) < groups)
    )
    if not usable:
        return no_cones(dimension)
    order, starts = _by_noun(nouns[:rows], groups)
    return Cones(
        rows=rows,
        centres=centres.astype(np.float32),
        narrowest=narrowest.astype(np.float32),
        centred=centred.astype(np.int64),
        along=along.astype(np.float32),
        order=order,
        starts=starts,
    )
