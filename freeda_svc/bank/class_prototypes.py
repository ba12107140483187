"""Class prototypes, eq. 4: what a category looks like, as the mean of the prototypes its text retrieves."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.class_prototype_cache import ENTRIES_KEPT, ClassPrototypeCache, Ranking, Retrieved
from freeda_svc.bank.records import Neighbours, Revision
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.parameters import fold_text
from freeda_svc.prototypes import EXEMPLAR, ORIGINS

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Maps N texts to their (N, Dt) float32 embeddings."""

# Bounds memory: the prototypes of so many categories are in memory at once (350 x 1024 float32 each).
_QUERIES_AT_ONCE = 64
EMPTY_BANK = "the bank is empty: run `freeda ingest FILE` first, with --bank NAME@VERSION where it is not current"
_LARGEST_WEIGHT = 1e6
_ATTEMPTS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Retrieval:
    """How prototypes are retrieved and averaged.

    Attributes:
        k: how many prototypes each category retrieves; all of them where the bank holds fewer. The paper uses 350.
        origins: only prototypes of these origins; of all when None.
        exemplar_weight: how many times an exemplar counts in the mean when its noun is the category's text; every
            other prototype counts once. 1 gives the plain mean of eq. 4.

    Raises:
        InputError: k below 1, no or unknown origins, or a weight that is not above 0.
    """

    k: int
    origins: frozenset[str] | None = None
    exemplar_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"the number of neighbours is {self.k}, expected at least 1")
        if self.origins is not None and not (self.origins and self.origins <= set(ORIGINS)):
            raise InputError(
                f"the origins are {', '.join(sorted(self.origins)) or 'none'}, expected some of {', '.join(ORIGINS)}"
            )
        if not 0 < self.exemplar_weight <= _LARGEST_WEIGHT:
            raise InputError(
                f"the weight of exemplars is {self.exemplar_weight}, expected above 0 and at most {_LARGEST_WEIGHT:.0f}"
            )


@dataclass(frozen=True, eq=False)
class RetrievedPrototypes:
    """The prototypes that one text retrieves, in the order of their ids; those that are not finite are left out.

    Attributes:
        ids: K of them.
        scores: (K,) float32 cosine of the text's embedding and the key.
        vectors: (K, Dv) float32, not normalised.
        weights: (K,) float64, how many times each counts in a mean, see `Retrieval.exemplar_weight`.
    """

    ids: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float64]


class ClassPrototypes:
    """Gives the class prototypes of texts, and keeps them up to date with a bank that grows.

    What a text retrieved is cached together with the ids and scores of its K prototypes, and reused while the bank
    does not change. After an addition only the new prototypes are searched, and the mean is recomputed where one of
    them is nearer than the K-th. After a removal, a mark or its removal, everything is retrieved again. The result is
    always that of an empty cache. Several threads may share one.
    """

    def __init__(self, store: PrototypeStore, entries: int = ENTRIES_KEPT) -> None:
        """Take a bank.

        Args:
            store: the bank.
            entries: for how many texts what they retrieved is kept.
        """
        self._store = store
        self._cache = ClassPrototypeCache(entries)
        self._revision: Revision | None = None

    def fetch(
        self, texts: Sequence[str], embed: Embed, retrieval: Retrieval, *, templates: Sequence[str]
    ) -> npt.NDArray[np.float32]:
        """Class prototypes of some texts (eq. 4).

        Args:
            texts: C names of categories.
            embed: embeds texts; called only for those never asked for before, or forgotten since.
            retrieval: how many prototypes, of which origins, and what exemplars count.
            templates: the sentences by which ``embed`` embeds; another choice of them is kept apart.

        Returns:
            (C, Dv) float32, not normalised.

        Raises:
            InputError: the bank is empty, nothing in it is to be retrieved, or an embedding is not usable.
            UnavailableError: the engine does not answer.
        """
        if not texts:
            return np.empty((0, self._store.vector_dimension), dtype=np.float32)
        entries = self._retrieved(texts, embed, retrieval, templates)
        return np.concatenate([entry.mean for entry in entries]).reshape(len(texts), -1)

    def fetch_all(
        self, texts: Sequence[str], embed: Embed, retrieval: Retrieval, *, templates: Sequence[str]
    ) -> Iterator[RetrievedPrototypes]:
        """The prototypes themselves of which class prototypes are the mean, text by text.

        Vectors are read from the bank each time, those of a few texts at once. Arguments and errors are
        those of `fetch`.

        Raises:
            NotFoundError: prototypes are removed faster than they can be read.
        """
        for start in range(0, len(texts), _QUERIES_AT_ONCE):
            part = texts[start : start + _QUERIES_AT_ONCE]
            rankings, vectors = self._with_vectors(part, embed, retrieval, templates)
            first = 0
            for ranking in rankings:
                rows = vectors[first : first + len(ranking.ids)]
                first += len(ranking.ids)
                finite = np.flatnonzero(np.isfinite(rows).all(axis=1))
                usable = ranking.taken(finite)
                weights = np.where(usable.of_this_noun, retrieval.exemplar_weight, 1.0)
                ids = tuple(name.decode() for name in usable.ids)
                yield RetrievedPrototypes(ids, usable.scores, rows[finite], weights)

    def nouns(
        self, texts: Sequence[str], embed: Embed, retrieval: Retrieval, *, templates: Sequence[str]
    ) -> list[tuple[str, ...]]:
        """The nouns of the prototypes that texts retrieve, one a prototype, those of the nearest keys first.

        Arguments and errors are those of `fetch`.
        """
        return [tuple(entry.ranking.nouns) for entry in self._retrieved(texts, embed, retrieval, templates)]

    def _with_vectors(
        self, texts: Sequence[str], embed: Embed, retrieval: Retrieval, templates: Sequence[str]
    ) -> tuple[list[Ranking], npt.NDArray[np.float32]]:
        for attempt in range(_ATTEMPTS):
            rankings = [entry.ranking.by_id() for entry in self._retrieved(texts, embed, retrieval, templates)]
            try:
                vectors = self._store.vectors([name.decode() for ranking in rankings for name in ranking.ids])
            except NotFoundError:  # removed while we looked, so that the revision is another one now
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                break
        return rankings, vectors

    def _retrieved(
        self, texts: Sequence[str], embed: Embed, retrieval: Retrieval, templates: Sequence[str]
    ) -> list[Retrieved]:
        scope = self._scope(retrieval, templates)
        revision = self._current_revision()
        kept = self._cache.find(scope, texts)
        entries = [entry for entry in kept if entry is not None and entry.revision is revision]
        if len(entries) < len(texts):
            known = dict(zip(texts, kept, strict=True))
            brought = self._brought_up_to_date(known, embed, retrieval, revision)
            self._cache.keep(scope, {text: entry for text, entry in brought.items() if entry is not known[text]})
            entries = [brought[text] for text in texts]
        return entries

    def _scope(self, retrieval: Retrieval, templates: Sequence[str]) -> str:
        origins = None if retrieval.origins is None else sorted(retrieval.origins)
        return json.dumps([self._store.pack, list(templates), retrieval.k, origins, retrieval.exemplar_weight])

    def _current_revision(self) -> Revision:
        """The bank's revision, as one and the same object while it stays equal: comparing many then costs nothing."""
        revision, last = self._store.revision(), self._revision
        if last == revision:
            return last
        self._revision = revision
        return revision

    def _brought_up_to_date(
        self, known: Mapping[str, Retrieved | None], embed: Embed, retrieval: Retrieval, revision: Revision
    ) -> dict[str, Retrieved]:
        """What each text retrieves at a revision, given what was kept for it."""
        current: dict[str, Retrieved] = {}
        grown: dict[Revision, dict[str, Retrieved]] = {}
        queries: dict[str, npt.NDArray[np.float32]] = {}
        for text, entry in known.items():
            if entry is None:
                continue
            if entry.revision == revision:
                current[text] = entry
            elif entry.revision.removals == revision.removals:
                grown.setdefault(entry.revision, {})[text] = entry
            else:
                queries[text] = entry.query
        new = [text for text, entry in known.items() if entry is None]
        if new:
            queries.update(zip(new, embed(new), strict=True))
        for then, entries in grown.items():
            for part in _parts(entries):
                current.update(self._after_growth(part, retrieval, then, revision))
        for fresh in _parts(queries):
            current.update(self._retrieved_again(fresh, retrieval, revision))
        return current

    def _retrieved_again(
        self, queries: Mapping[str, npt.NDArray[np.float32]], retrieval: Retrieval, revision: Revision
    ) -> dict[str, Retrieved]:
        found = self._store.nearest(np.stack(list(queries.values())), retrieval.k, origins=retrieval.origins)
        answers: dict[str, Retrieved] = {}
        for (text, query), neighbours in zip(queries.items(), found, strict=True):
            if not neighbours.ids:
                raise _nothing_found(self._store, retrieval)
            ranking = _rank(neighbours, text)
            mean = _mean(neighbours.vectors[np.argsort(ranking.ids)], ranking.by_id(), retrieval)
            answers[text] = Retrieved(query.copy(), revision, ranking, mean)
        return answers

    def _after_growth(
        self, entries: Mapping[str, Retrieved], retrieval: Retrieval, then: Revision, revision: Revision
    ) -> dict[str, Retrieved]:
        """Update what was retrieved at ``then`` to ``revision``, between which prototypes were only added."""
        queries = {text: entry.query for text, entry in entries.items()}
        found = self._store.nearest(
            np.stack(list(queries.values())), retrieval.k, origins=retrieval.origins, since=then
        )
        rankings = {
            text: entry.ranking.merged(_rank(neighbours, text), retrieval.k)
            for (text, entry), neighbours in zip(entries.items(), found, strict=True)
        }
        changed = {text: ranking.by_id() for text, ranking in rankings.items() if ranking is not entries[text].ranking}
        try:
            vectors = self._store.vectors([name.decode() for ranking in changed.values() for name in ranking.ids])
        except NotFoundError:  # removed while we looked
            return self._retrieved_again(queries, retrieval, revision)
        means = {text: entry.mean for text, entry in entries.items()}
        start = 0
        for text, ranking in changed.items():
            means[text] = _mean(vectors[start : start + len(ranking.ids)], ranking, retrieval)
            start += len(ranking.ids)
        return {text: Retrieved(queries[text], revision, rankings[text], means[text]) for text in entries}


def mean_of_finite(
    vectors: npt.NDArray[np.float32], weights: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float32]:
    """Float32 mean over the rows of (K, Dv) whose values are all finite.

    Args:
        vectors: (K, Dv) float32.
        weights: (K,) float64, above 0, how many times each row counts; once when None.

    Raises:
        InputError: there is no such row.
    """
    usable = np.isfinite(vectors).all(axis=1)
    finite = vectors if usable.all() else vectors[usable]
    if len(finite) == 0:
        raise InputError("none of the retrieved prototypes is finite: the bank is damaged, make it again")
    mean: npt.NDArray[np.float32]
    if weights is None:
        mean = finite.mean(axis=0, dtype=np.float32)
    else:
        shares = weights[usable] / weights[usable].sum()
        mean = (finite * shares.astype(np.float32)[:, np.newaxis]).sum(axis=0, dtype=np.float32)
    return mean


def _parts(items: Mapping[str, T]) -> Iterator[dict[str, T]]:
    listed = list(items.items())
    for start in range(0, len(listed), _QUERIES_AT_ONCE):
        yield dict(listed[start : start + _QUERIES_AT_ONCE])


def _rank(found: Neighbours, text: str) -> Ranking:
    noun = fold_text(text)
    return Ranking(
        np.array(found.ids, dtype=np.bytes_),
        found.scores,
        np.array(
            [
                origin == EXEMPLAR and fold_text(name) == noun
                for origin, name in zip(found.origins, found.nouns, strict=True)
            ],
            dtype=np.bool_,
        ),
        np.array([sys.intern(name) for name in found.nouns], dtype=np.object_),
    )


def _mean(vectors: npt.NDArray[np.float32], ranking: Ranking, retrieval: Retrieval) -> npt.NDArray[np.float32]:
    if retrieval.exemplar_weight == 1 or not ranking.of_this_noun.any():
        return mean_of_finite(vectors)
    return mean_of_finite(vectors, np.where(ranking.of_this_noun, retrieval.exemplar_weight, 1.0))


def _nothing_found(store: PrototypeStore, retrieval: Retrieval) -> InputError:
    count = store.count()
    if count == 0:
        return InputError(EMPTY_BANK)
    if retrieval.origins is None:
        return InputError(
            f"every prototype of the bank ({count:,}) is marked as an outlier: take marks back or add others"
        )
    origins = " or ".join(sorted(retrieval.origins))
    return InputError(
        f"no prototype of the bank ({count:,}) is both of origin {origins} and not "
        "marked as an outlier: ask for other origins, take marks back or add such prototypes"
    )
