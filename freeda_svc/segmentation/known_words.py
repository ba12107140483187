"""What a bank knows of the words of a request: how many prototypes each has, and the nearest nouns where it has none.

A category is compared with the K nearest prototypes, whatever their nouns are. So even a word
without prototypes of its own gets a class prototype: that of other things.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from freeda_svc.bank import PrototypeStore, Revision, Selection
from freeda_svc.parameters import Category, SegmentationParameters, fold_text
from freeda_svc.segmentation.aggregation import TextPrototypes

NEAREST_SHOWN = 5
"""How many other nouns are listed of which prototypes were retrieved."""


@dataclass(frozen=True)
class KnownWord:
    """What a bank knows of one text of a category.

    Attributes:
        text: by which prototypes are retrieved.
        prototypes: how many the bank has of that very noun that can be retrieved; letter case and white space do not
            count.
        retrieved: how many prototypes it retrieved, K or fewer.
        nearest: how many of these were made for other nouns, by noun; the nearest first, `NEAREST_SHOWN` at most.
    """

    text: str
    prototypes: int
    retrieved: int
    nearest: Mapping[str, int]


Words = tuple[tuple[KnownWord, ...], ...]
"""What a bank knows of the texts of each of several categories."""


class WordKnowledge:
    """Looks up what a bank knows of words; counts are cached while they are valid. Not thread-safe."""

    def __init__(self, store: PrototypeStore, prototypes: TextPrototypes) -> None:
        """Take a bank and its class prototypes."""
        self._store = store
        self._prototypes = prototypes
        self._revision: Revision | None = None
        self._totals: Mapping[str, int] = {}
        self._counts: dict[tuple[str, str | None], tuple[int, str, int]] = {}
        self._last: tuple[object, Words] | None = None

    def of(self, categories: Sequence[Category], parameters: SegmentationParameters, revision: Revision) -> Words:
        """Return what the bank knows of the words of categories.

        Args:
            categories: N of them.
            parameters: how many prototypes each text retrieves, and of which origins.
            revision: of the bank, as it was when the categories were compared.

        Returns:
            For each category, one entry for each of its ``retrieval_texts``.

        Raises:
            InputError: the bank is empty or nothing in it is to be retrieved.
            UnavailableError: the engine does not answer.
        """
        request = (tuple(categories), parameters.k, parameters.origins, revision)
        if self._last is None or self._last[0] != request:  # hundreds of categories retrieve thousands
            self._last = request, self.look_up(categories, parameters, revision)
        return self._last[1]

    def look_up(self, categories: Sequence[Category], parameters: SegmentationParameters, revision: Revision) -> Words:
        """Return what `of` does without caching it: for words that are no categories of a segmentation."""
        if revision != self._revision:
            self._totals, self._revision = self._store.nouns(), revision
        texts = [text for category in categories for text in category.retrieval_texts]
        nouns = self._prototypes.nouns(texts, parameters)
        words = iter([self._word(text, found, parameters.origins) for text, found in zip(texts, nouns, strict=True)])
        return tuple(tuple(next(words) for _ in category.retrieval_texts) for category in categories)

    def _word(self, text: str, nouns: Sequence[str], origins: Sequence[str]) -> KnownWord:
        own_name = fold_text(text)
        counted = Counter(nouns)  # in the order in which they come first, so the nearest first
        own = {noun for noun in counted if fold_text(noun) == own_name} | {text, own_name}
        others = [(noun, count) for noun, count in counted.items() if noun not in own and noun.strip()]
        return KnownWord(text, self._count(own, origins), len(nouns), dict(others[:NEAREST_SHOWN]))

    def _count(self, nouns: Iterable[str], origins: Sequence[str]) -> int:
        chosen = origins or (None,)
        return sum(self._count_one(noun, origin) for noun in nouns for origin in chosen if noun in self._totals)

    def _count_one(self, noun: str, origin: str | None) -> int:
        assert self._revision is not None
        total, removals = self._totals[noun], self._revision.removals
        kept = self._counts.get((noun, origin))
        if kept is None or kept[:2] != (total, removals):
            count = self._store.count(Selection(noun=noun, origin=origin, outlier=False))
            kept = self._counts[noun, origin] = (total, removals, count)
        return kept[2]
