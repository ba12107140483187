"""What a bank asks of Qdrant, the same of the engine inside the process and of a server."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.records import Approximate

Vectors = Mapping[str, npt.NDArray[np.float32]]

# Asked for beyond k, to see whether more points have the k-th score; some of a caption's pictures have the same key.
_MORE_TO_SEE_TIES = 16


@dataclass(frozen=True, eq=False)
class Point:
    """A point as it is written and read.

    Attributes:
        id: a UUID as text.
        payload: in types that JSON has; only the fields that were asked for.
        vectors: by name, float32; only those that were asked for and are there.
    """

    id: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    vectors: Vectors = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Hits:
    """What is nearest to one query, best first: (K,) ids, and (K,) float32 similarities to the query."""

    ids: Sequence[str]
    scores: npt.NDArray[np.float32]

    @classmethod
    def of(cls, points: Sequence[Any]) -> Self:
        """Hits of what an engine found: points with an id of its own kind and a score."""
        return cls([str(point.id) for point in points], np.array([point.score for point in points], dtype=np.float32))


@dataclass(frozen=True)
class Where:
    """Which points are meant: those for which all that is given holds.

    Attributes:
        equal: payload fields and the value each has.
        one_of: payload fields and the values of which each has one.
        above: integer payload fields and what each is above.
        has: names of vectors that they have.
        lacks: names of vectors that they do not have.
    """

    equal: Mapping[str, str | int] = field(default_factory=dict)
    one_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    above: Mapping[str, int] = field(default_factory=dict)
    has: Sequence[str] = ()
    lacks: Sequence[str] = ()


EVERYTHING = Where()


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched for.

    Attributes:
        vector: name of the vector that is compared; points without it are not found.
        queries: (C, D) float32.
        limit: how many points for each query.
        where: which points may be found.
        approximate: over a graph, where there is one; exactly when None.
    """

    vector: str
    queries: npt.NDArray[np.float32]
    limit: int
    where: Where = EVERYTHING
    approximate: Approximate | None = None


class Engine(Protocol):
    """One collection of points. Several threads may use it.

    All but `close` raise `UnavailableError` when the engine does not answer or cannot write.
    """

    @property
    def place(self) -> str:
        """What messages call the collection."""

    @property
    def shared(self) -> bool:
        """Whether other processes may change the collection meanwhile."""

    @property
    def points_an_operation(self) -> int:
        """So many points with all of their vectors can be written at once, and read in one answer."""

    def write(self, points: Sequence[Point], *, replaces: Sequence[str] | None = None) -> None:
        """Write points in one operation: when the process dies, all of them are there afterwards or none.

        Args:
            points: whole points, in place of those with the same ids; vectors that are not given are gone.
            replaces: ids of those that may be there already; other points that are there stay as they are. Any when
                None.
        """

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points; those that are not there are passed over."""

    def flush(self) -> None:
        """Have everything on the disk, where a power cut leaves it."""

    def retrieve(
        self, ids: Sequence[str], *, payload: bool | Sequence[str] = False, vectors: Sequence[str] = ()
    ) -> list[Point]:
        """Those of some points that are there, in any order."""

    def scroll(
        self,
        where: Where,
        limit: int,
        *,
        after: str | None = None,
        payload: bool | Sequence[str] = False,
        vectors: Sequence[str] = (),
    ) -> tuple[list[Point], str | None]:
        """Some points in the order of their ids, and where the next ones begin; None where there are no more."""

    def count(self, where: Where = EVERYTHING) -> int:
        """How many points are meant, exactly."""

    def facet(self, name: str) -> dict[str, int]:
        """The values of an indexed payload field, with the number of points of each."""

    def search(self, search: Search) -> list[Hits]:
        """The points nearest to each query, best first; of equal scores any come in."""

    def add_vector(self, name: str, dimension: int) -> None:
        """Make room for one more vector a point, half precision and not searched; there already does nothing."""

    def optimize(self, graphs: Mapping[str, bool]) -> None:
        """Pack the points for searching; may take minutes and does nothing where it is done already.

        Args:
            graphs: the vectors over which a graph is to be built, each with whether it is also to be kept in one byte a
                value; vectors that are not named stay as they are.
        """

    def bytes_on_disk(self) -> int:
        """Space taken; 0 when the engine does not say."""

    def close(self) -> None:
        """Release the collection; closing again does nothing."""


def point_of(
    identifier: object, payload: Mapping[str, Any] | None, vectors: Mapping[str, Sequence[float]] | None
) -> Point:
    """A point of what an engine gives: an id of its own kind, and lists of numbers."""
    return Point(str(identifier), payload or {}, {name: _array(values) for name, values in (vectors or {}).items()})


def _array(values: Sequence[float]) -> npt.NDArray[np.float32]:
    array = np.empty(len(values), dtype=np.float32)
    struct.pack_into(f"{len(values)}f", array.data, 0, *values)  # half the time of `np.array` of a list
    return array


def rank(engine: Engine, search: Search) -> list[Hits]:
    """Rank what is nearest to each query; of points with the last score, those with the smallest ids are in.

    Args:
        engine: the collection.
        search: what to search for.

    Raises:
        UnavailableError: the engine does not answer.
    """
    k = search.limit
    answers: dict[int, Hits] = {}
    limit = k + _MORE_TO_SEE_TIES
    left = list(range(len(search.queries)))
    while left:
        asked = replace(search, queries=search.queries[left], limit=limit)
        answers.update(zip(left, engine.search(asked), strict=True))
        # The engine chooses as it likes among equal scores; where they go on to the end, more must be seen.
        left = [number for number in left if _goes_on(answers[number], k, limit)]
        limit *= 2
    return [_ranked(answers[number], k) for number in range(len(search.queries))]


def _goes_on(hits: Hits, k: int, limit: int) -> bool:
    scores = np.sort(hits.scores)[::-1]
    return len(scores) == limit and bool(scores[k - 1] == scores[-1])


def _ranked(hits: Hits, k: int) -> Hits:
    ids = np.array(hits.ids)
    # By score, falling, and among equal ones by id.
    best = np.lexsort((ids, -hits.scores))[:k]
    return Hits(ids[best].tolist(), hits.scores[best])
