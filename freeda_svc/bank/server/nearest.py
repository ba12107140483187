"""Retrieval: which keys are nearest, with ties decided by the ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from qdrant_client import QdrantClient, models

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.points import KEY
from freeda_svc.bank.server.stored import BYTES_AN_ANSWER
from freeda_svc.bank.store import Neighbours

# Asked for beyond k, to see whether more keys have the k-th score; some of a caption's pictures have the same key.
_MORE_TO_SEE_TIES = 16
# Id, score, noun and origin as JSON.
_BYTES_A_NEIGHBOUR = 300


@dataclass(frozen=True, eq=False)
class Ranking:
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


def find_nearest(
    client: QdrantClient,
    name: str,
    queries: npt.NDArray[np.float32],
    k: int,
    *,
    condition: models.Filter,
    params: models.SearchParams,
) -> list[Ranking]:
    """Rank the k nearest keys of each query; of keys with the k-th score, those with the smallest ids are in.

    As many queries as their answer allows go to the server at once, which searches them together.

    Args:
        client: of the server.
        name: the collection.
        queries: (C, Dt) float, checked.
        k: how many for each query.
        condition: which points may be found.
        params: how to search.
    """
    rows = unit_rows(queries)
    answers: dict[int, list[models.ScoredPoint]] = {}
    limit = k + _MORE_TO_SEE_TIES
    left = list(range(len(rows)))
    while left:
        at_once = max(1, BYTES_AN_ANSWER // (_BYTES_A_NEIGHBOUR * limit))
        for start in range(0, len(left), at_once):
            some = left[start : start + at_once]
            requests = [_request(rows[number], limit, condition, params) for number in some]
            found = client.query_batch_points(name, requests)
            answers.update((number, answer.points) for number, answer in zip(some, found, strict=True))
        # The server chooses as it likes among equal scores; where they go on to the end, more must be seen.
        left = [number for number in left if _goes_on(answers[number], k, limit)]
        limit *= 2
    return [_ranked(answers[number], k) for number in range(len(rows))]


def _request(
    query: npt.NDArray[np.float32], limit: int, condition: models.Filter, params: models.SearchParams
) -> models.QueryRequest:
    return models.QueryRequest(
        query=query.tolist(),
        using=KEY,
        filter=condition,
        params=params,
        limit=limit,
        with_payload=["noun", "origin"],
    )


def _goes_on(points: Sequence[models.ScoredPoint], k: int, limit: int) -> bool:
    scores = np.sort(_scores(points))[::-1]
    return len(scores) == limit and bool(scores[k - 1] == scores[-1])


def _ranked(points: Sequence[models.ScoredPoint], k: int) -> Ranking:
    ids = np.array([str(point.id) for point in points])
    scores = _scores(points)
    # By score, falling, and among equal ones by id.
    best = np.lexsort((ids, -scores))[:k]
    payloads = [cast("dict[str, str]", points[position].payload) for position in best]
    return Ranking(
        ids=tuple(ids[best].tolist()),
        scores=scores[best],
        nouns=tuple(payload["noun"] for payload in payloads),
        origins=tuple(payload["origin"] for payload in payloads),
    )


def _scores(points: Sequence[models.ScoredPoint]) -> npt.NDArray[np.float32]:
    return np.array([point.score for point in points], dtype=np.float32)
