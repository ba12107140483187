"""Which points are nearest, with ties at the last place decided by the ids."""

from dataclasses import replace

import numpy as np

from freeda_svc.bank.qdrant.engine import Engine, Hits, Search

# Asked for beyond k, to see whether more points have the k-th score; some of a caption's pictures have the same key.
_MORE_TO_SEE_TIES = 16


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
