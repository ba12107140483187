"""What a bank of synthetic keys is asked for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.synthetic_bank.keys import SyntheticKeys

K = 350
DRAWN = 101
OF_EACH_KIND = 50
"""Categories of a mixed list that are in the vocabulary, rare and unknown."""

_SEED = 1

Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Categories:
    """What is asked for, each (C, Dt) float32 unit embeddings.

    Attributes:
        in_vocabulary: nouns of which the bank has K keys or more, drawn by how frequent they are.
        of_the_bank: nouns of which it has any keys, drawn alike; four in ten are rare.
        rare: nouns with fewer than K keys, each as likely.
        unknown: nouns without keys.
    """

    in_vocabulary: Embeddings
    of_the_bank: Embeddings
    rare: Embeddings
    unknown: Embeddings

    @property
    def mixed(self) -> Embeddings:
        """As many in the vocabulary, rare and unknown, in turns."""
        kinds = [self.in_vocabulary[:OF_EACH_KIND], self.rare, self.unknown]
        return np.stack(kinds, axis=1).reshape(-1, self.unknown.shape[1])


def draw_categories(synthetic: SyntheticKeys) -> Categories:
    """Draw categories, the same in every run."""
    counts = synthetic.counts()
    random = np.random.default_rng(_SEED)
    nouns = synthetic.embeddings
    rare = np.flatnonzero((counts > 0) & (counts < K))
    return Categories(
        in_vocabulary=nouns[_by_frequency(random, np.where(counts >= K, counts, 0))],
        of_the_bank=nouns[_by_frequency(random, counts)],
        rare=nouns[random.choice(rare, OF_EACH_KIND)],
        unknown=synthetic.unknown(OF_EACH_KIND),
    )


def _by_frequency(random: np.random.Generator, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Draw evenly along the keys, so that a median depends little on chance; in random order."""
    positions = (np.arange(DRAWN) + 0.5) * counts.sum() / DRAWN
    return random.permutation(np.searchsorted(np.cumsum(counts), positions, side="right"))
