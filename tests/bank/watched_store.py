"""A store that tells what it was asked, and words whose keys are known."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from freeda_svc.bank import Neighbours, PrototypeStore, Revision
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval
from freeda_svc.prototypes.record import Prototype

Array = npt.NDArray[np.float32]
MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]
TEMPLATES = ("a {}.", "the {}.")
DIRECTIONS = {"dog": [1, 0, 0, 0, 0], "cat": [0, 1, 0, 0, 0], "tree": [1, 1, 0, 0, 0], "Tree  Frog": [0, 0, 1, 1, 0]}
WORDS = list(DIRECTIONS)


def embed(texts: Sequence[str]) -> Array:
    return np.array([DIRECTIONS[text] for text in texts], dtype=np.float32)


def fetch(
    prototypes: ClassPrototypes, texts: Sequence[str] = tuple(WORDS), retrieval: Retrieval | None = None
) -> Array:
    return prototypes.fetch(texts, embed, retrieval or Retrieval(3), templates=TEMPLATES)


def fresh(store: PrototypeStore, texts: Sequence[str] = tuple(WORDS), retrieval: Retrieval | None = None) -> Array:
    return fetch(ClassPrototypes(store), texts, retrieval)


class Watched:
    """A store that tells what it was asked, and lets something happen just before or after it answers."""

    def __init__(self, store: PrototypeStore) -> None:
        self.store = store
        self.asked: list[tuple[int, Revision | None]] = []
        self.vectors_given = 0
        self.before_nearest: Callable[[], object] = lambda: None
        self.after_nearest: Callable[[], object] = lambda: None
        self.before_vectors: Callable[[], object] = lambda: None

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def nearest(
        self, queries: Array, k: int, *, origins: frozenset[str] | None = None, since: Revision | None = None
    ) -> list[Neighbours]:
        self.before_nearest()
        self.asked.append((len(queries), since))
        answers = self.store.nearest(queries, k, origins=origins, since=since)
        self.after_nearest()
        return answers

    def vectors(self, ids: Sequence[str]) -> Array:
        self.before_vectors()
        self.vectors_given += len(ids)
        return self.store.vectors(ids)


def near(word: str, make_prototypes: MakePrototypes, start: int, number: int = 1) -> list[Prototype]:
    """Prototypes whose keys are those of a word."""
    return make_prototypes(keys=np.repeat(embed([word]), number, axis=0), start=start)
