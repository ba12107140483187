"""Which points are nearest, with ties at the last place decided by the ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.qdrant.engine import Engine, Hit, Search
from freeda_svc.bank.qdrant.layout import REPAIR
from freeda_svc.bank.store import Neighbours
from freeda_svc.errors import InputError

# Asked for beyond k, to see whether more points have the k-th score; some of a caption's pictures have the same key.
_MORE_TO_SEE_TIES = 16


@dataclass(frozen=True, eq=False)
class RankedKeys:
    """What is nearest to one query, without the prototypes themselves; fields as in `Neighbours`."""

    ids: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    nouns: tuple[str, ...]
    origins: tuple[str, ...]

    def with_vectors(self, vectors: Mapping[str, npt.NDArray[np.float32]], dimension: int) -> Neighbours:
        """Put the prototypes to it, as far as there are any.

        Args:
            vectors: (Dv,) float32 by id.
            dimension: Dv.
        """
        there = [position for position, identifier in enumerate(self.ids) if identifier in vectors]
        rows = np.empty((len(there), dimension), dtype=np.float32)
        for row, position in zip(rows, there, strict=True):
            row[:] = vectors[self.ids[position]]
        return Neighbours(
            ids=tuple(self.ids[position] for position in there),
            scores=self.scores[there],
            vectors=rows,
            nouns=tuple(self.nouns[position] for position in there),
            origins=tuple(self.origins[position] for position in there),
        )


def rank(engine: Engine, search: Search) -> list[RankedKeys]:
    """Rank what is nearest to each query; of points with the last score, those with the smallest ids are in.

    Args:
        engine: the collection.
        search: what to search for; payload fields that it names are of no account.

    Raises:
        InputError: the collection is damaged.
        UnavailableError: the engine does not answer.
    """
    k = search.limit
    answers: dict[int, list[Hit]] = {}
    limit = k + _MORE_TO_SEE_TIES
    left = list(range(len(search.queries)))
    while left:
        asked = replace(search, queries=search.queries[left], limit=limit, payload=("noun", "origin"))
        answers.update(zip(left, engine.search(asked), strict=True))
        # The engine chooses as it likes among equal scores; where they go on to the end, more must be seen.
        left = [number for number in left if _goes_on(answers[number], k, limit)]
        limit *= 2
    return [_ranked(answers[number], k, engine.place) for number in range(len(search.queries))]


def _goes_on(hits: Sequence[Hit], k: int, limit: int) -> bool:
    scores = np.sort(_scores(hits))[::-1]
    return len(scores) == limit and bool(scores[k - 1] == scores[-1])


def _ranked(hits: Sequence[Hit], k: int, place: str) -> RankedKeys:
    ids = np.array([hit.id for hit in hits])
    scores = _scores(hits)
    # By score, falling, and among equal ones by id.
    best = np.lexsort((ids, -scores))[:k]
    try:
        nouns = tuple(hits[position].payload["noun"] for position in best)
        origins = tuple(hits[position].payload["origin"] for position in best)
    except KeyError as error:  # such as a register, which has no vector to be found by
        raise InputError(f"{place} is damaged (a search finds what has no {error}): {REPAIR}") from error
    return RankedKeys(ids=tuple(ids[best].tolist()), scores=scores[best], nouns=nouns, origins=origins)


def _scores(hits: Sequence[Hit]) -> npt.NDArray[np.float32]:
    return np.array([hit.score for hit in hits], dtype=np.float32)
