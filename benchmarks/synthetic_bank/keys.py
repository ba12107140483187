"""Keys of the shape that a bank's keys have, any number of them, the same in every run.

Noun embeddings share a direction, so that the cosine of two is 0.7 in the mean, and differ by a part of their own. A
caption's embedding has a cosine of 0.3 to 0.7 with its noun's; the rest of it is a direction that all captions share
and one of its own. A key is 0.9 of the noun's embedding and 0.1 of the caption's (eq. 3), so that the keys of a noun
lie within a cosine of about 0.997 of their centre. How often a noun is mentioned follows Zipf's law.

Own parts point in any direction alike (`isotropic`: bounds prune the least), or their variance falls from direction to
direction as that of a text encoder's embeddings does (`decaying`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.checks import unit_rows
from freeda_svc.prototypes import Prototype

PACK = "synthetic"
THREADS = 2
"""What the bank and what it is compared with compute with."""
BATCH = 5_000
"""Keys of a batch; every batch has random numbers of its own, so that each can be made without those before it."""

ISOTROPIC = "isotropic"
DECAYING = "decaying"

_NOUN_COSINE = 0.7
_CAPTION_COSINES = (0.3, 0.7)
_CAPTION_OWN = 0.65
_ALPHA = 0.9
_FLATTEST_DIRECTIONS = 3.0
"""The variance of direction i is 1 / (i + 3): over 768 directions as wide as 80 equal ones."""

_EMBEDDINGS, _NOUNS, _CAPTIONS, _PROTOTYPES, _UNKNOWN = range(5)
"""What random numbers are for; each purpose has its own."""


@dataclass(frozen=True)
class Shape:
    """What the keys are like.

    Attributes:
        keys: how many there are, a multiple of `BATCH`.
        nouns: how many nouns they are drawn from.
        dimension: Dt and Dv.
        spectrum: `ISOTROPIC` or `DECAYING`, how the variance of own parts is spread over directions.
        seed: another one gives other keys of the same shape.
    """

    keys: int = 1_000_000
    nouns: int = 20_000
    dimension: int = 768
    spectrum: str = ISOTROPIC
    seed: int = 0

    def __post_init__(self) -> None:
        if self.keys < BATCH or self.keys % BATCH:
            raise ValueError(f"{self.keys} keys were asked for, expected a multiple of {BATCH}")
        if self.spectrum not in {ISOTROPIC, DECAYING}:
            raise ValueError(f"the spectrum is {self.spectrum!r}, expected {ISOTROPIC!r} or {DECAYING!r}")


def shape_of(keys: int, spectrum: str = ISOTROPIC) -> Shape:
    """The shape of a million keys of 20,000 nouns, or of fewer keys of as many fewer nouns."""
    return Shape(keys=keys, nouns=max(1, keys // 50), spectrum=spectrum)


_LOOKS_OF_NOUN, _LOOKS_OWN = 20.0, 0.7
"""Length of what prototypes of a noun share, and deviation of each value of what they do not: a cosine of about 0.5."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some keys with what they belong to.

    Attributes:
        first: number of the first of them.
        nouns: (n,) int64 numbers of their nouns.
        keys: (n, Dt) float32, eq. 3, not normalised.
        prototypes: (n, Dv) float32 that float16 holds without loss.
    """

    first: int
    nouns: npt.NDArray[np.int64]
    keys: npt.NDArray[np.float32]
    prototypes: npt.NDArray[np.float32]


class SyntheticKeys:
    """All keys of a shape, batch by batch."""

    def __init__(self, shape: Shape) -> None:
        """Draw the noun embeddings."""
        self.shape = shape
        dimension = shape.dimension
        deviations = np.ones(dimension, dtype=np.float32)
        if shape.spectrum == DECAYING:
            deviations = (1.0 / np.sqrt(np.arange(dimension) + _FLATTEST_DIRECTIONS)).astype(np.float32)
        self._deviations = deviations
        random = self._random(_EMBEDDINGS)
        self._common, self._of_captions = unit_rows(random.standard_normal((2, dimension), dtype=np.float32))
        self.embeddings = self._embed(random, shape.nouns)
        shares = 1.0 / np.arange(1, shape.nouns + 1)
        self._shares_below = np.cumsum(shares / shares.sum())

    def batches(self, first_batch: int = 0) -> Iterator[Batch]:
        """All batches from one on."""
        for number in range(first_batch, self.shape.keys // BATCH):
            nouns = self._draw_nouns(self._random(_NOUNS, number), BATCH)
            random = self._random(_PROTOTYPES, number)
            own = random.standard_normal((BATCH, self.shape.dimension), dtype=np.float32)
            prototypes = _LOOKS_OF_NOUN * self.embeddings[nouns] + _LOOKS_OWN * own
            yield Batch(
                first=number * BATCH,
                nouns=nouns,
                keys=self._make_keys(self._random(_CAPTIONS, number), self.embeddings[nouns]),
                prototypes=prototypes.astype(np.float16).astype(np.float32),
            )

    def counts(self) -> npt.NDArray[np.int64]:
        """(G,) number of keys of each noun, the most frequent nouns first."""
        counts = np.zeros(self.shape.nouns, dtype=np.int64)
        for number in range(self.shape.keys // BATCH):
            nouns = self._draw_nouns(self._random(_NOUNS, number), BATCH)
            counts += np.bincount(nouns, minlength=self.shape.nouns)
        return counts

    def unknown(self, count: int) -> npt.NDArray[np.float32]:
        """(count, Dt) float32 unit embeddings of nouns that have no keys."""
        return self._embed(self._random(_UNKNOWN), count)

    def _random(self, purpose: int, number: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.shape.seed, purpose, number])

    def _draw_nouns(self, random: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
        return np.searchsorted(self._shares_below[:-1], random.random(count), side="right").astype(np.int64)

    def _own(self, random: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
        own: npt.NDArray[np.float32] = random.standard_normal((count, self.shape.dimension), dtype=np.float32)
        return own * self._deviations

    def _embed(self, random: np.random.Generator, count: int) -> npt.NDArray[np.float32]:
        own = _across(self._own(random, count), self._common)
        return unit_rows(_NOUN_COSINE**0.5 * self._common + (1 - _NOUN_COSINE) ** 0.5 * own)

    def _make_keys(self, random: np.random.Generator, nouns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        shared = _across(np.broadcast_to(self._of_captions, nouns.shape), nouns)
        own = _across(_across(self._own(random, len(nouns)), nouns), shared)
        cosines = random.uniform(*_CAPTION_COSINES, (len(nouns), 1)).astype(np.float32)
        captions: npt.NDArray[np.float32] = cosines * nouns + _CAPTION_OWN * own
        captions += np.sqrt(1 - cosines**2 - _CAPTION_OWN**2) * shared
        keys: npt.NDArray[np.float32] = _ALPHA * nouns + (1 - _ALPHA) * captions
        return keys


def _across(rows: npt.NDArray[np.float32], others: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What of rows is at right angles to unit vectors, scaled to length 1."""
    rest: npt.NDArray[np.float32] = rows - np.sum(rows * others, axis=-1, keepdims=True) * others
    rest /= np.linalg.norm(rest, axis=-1, keepdims=True)
    return rest


def make_prototypes(batch: Batch) -> list[Prototype]:
    """A batch as prototypes of captions of usual length, with thumbnails, made by a job."""
    return [
        _make_prototype(batch.first + number, noun, key, vector)
        for number, (noun, key, vector) in enumerate(
            zip(batch.nouns.tolist(), batch.keys, batch.prototypes, strict=True)
        )
    ]


def _make_prototype(number: int, noun: int, key: npt.NDArray[np.float32], vector: npt.NDArray[np.float32]) -> Prototype:
    name = f"noun {noun:05d}"
    caption = f"a photo numbered {number:07d} of a {name} in a place"
    caption_id = hashlib.sha256(caption.encode()).hexdigest()[:16]
    start = caption.index(name)
    return Prototype(
        noun=name,
        caption_id=caption_id,
        caption=caption,
        spans=((start, start + len(name)),),
        seed=number,
        key=key,
        vector=vector,
        mask_area=0.2,
        contrast=0.4,
        image_text_score=0.25,
        pack=PACK,
        job="0123456789abcdef",
        image=f"thumbnails/{caption_id}.png",
        mask=f"thumbnails/{caption_id}.noun-{noun:05d}.mask.png",
        attribution=f"thumbnails/{caption_id}.noun-{noun:05d}.attribution.png",
    )
