"""What texts retrieved before, kept so that only what came into the bank since has to be looked at."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.records import Revision

# With 350 prototypes of 1024 values each, these take about 200 MB.
ENTRIES_KEPT = 10_000


@dataclass(frozen=True, eq=False)
class Ranking:
    """The prototypes nearest to one query, best first; equal scores stand in the order of their ids.

    Attributes:
        ids: (K,) bytes of one width, because a million Python strings would take several times the memory.
        scores: (K,) float32 cosine of query and key, falling.
        of_this_noun: (K,) bool, whether it is an exemplar of the very noun that was asked for.
        nouns: (K,) the noun of each; equal ones are one object, so that they take a pointer each.
    """

    ids: npt.NDArray[np.bytes_]
    scores: npt.NDArray[np.float32]
    of_this_noun: npt.NDArray[np.bool_]
    nouns: npt.NDArray[np.object_]

    def by_id(self) -> "Ranking":
        """The same in the order of their ids, in which a mean does not depend on the last bit of a score."""
        return self.taken(np.argsort(self.ids))

    def merged(self, newer: "Ranking", k: int) -> "Ranking":
        """The k nearest of this ranking and of a newer one, which may share prototypes.

        Returns:
            This very object where nothing of the newer one is among them.
        """
        if len(newer.ids) == 0 or (len(self.ids) >= k and newer.scores[0] < self.scores[k - 1]):
            return self
        fresh = newer.taken(~np.isin(newer.ids, self.ids))
        both = Ranking(
            np.concatenate([self.ids, fresh.ids]),
            np.concatenate([self.scores, fresh.scores]),
            np.concatenate([self.of_this_noun, fresh.of_this_noun]),
            np.concatenate([self.nouns, fresh.nouns]),
        )
        best = np.lexsort((both.ids, -both.scores))[:k]
        return both.taken(best) if (best >= len(self.ids)).any() else self

    def taken(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Ranking":
        """Some of these, in the order given."""
        return Ranking(self.ids[which], self.scores[which], self.of_this_noun[which], self.nouns[which])


@dataclass(frozen=True, eq=False)
class Retrieved:
    """What one text retrieved, and the revision of the bank for which that holds.

    Attributes:
        query: (Dt,) float32, the text's embedding.
        revision: read before the bank was asked, so that what was added meanwhile is looked at again.
        ranking: the K nearest; its last score is what a newer key must reach.
        mean: (Dv,) float32, the class prototype.
    """

    query: npt.NDArray[np.float32]
    revision: Revision
    ranking: Ranking
    mean: npt.NDArray[np.float32]


class ClassPrototypeCache:
    """Keeps what texts retrieved, a limited number of them; those written longest ago go first."""

    def __init__(self, entries: int = ENTRIES_KEPT) -> None:
        """Make an empty cache.

        Args:
            entries: how many are kept at most.
        """
        self._entries = entries
        self._kept: dict[tuple[str, str], Retrieved] = {}
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, scope: str, texts: Sequence[str]) -> list[Retrieved | None]:
        """What is kept for texts, in their order; None for those that are not.

        Args:
            scope: everything besides the text that the result depends on.
            texts: any number, some perhaps several times.
        """
        kept = self._kept
        return [kept.get((scope, text)) for text in texts]

    def keep(self, scope: str, retrieved: Mapping[str, Retrieved]) -> None:
        """Keep what texts retrieved, in place of what was kept for them."""
        with self._changing:
            for text, entry in retrieved.items():
                self._kept.pop((scope, text), None)
                self._kept[scope, text] = entry
            while len(self._kept) > self._entries:
                del self._kept[next(iter(self._kept))]
