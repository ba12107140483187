"""Noun centres: the mean prototype of each noun of a bank, cached until the bank changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.bank import PrototypeStore, Revision, Selection
from freeda_svc.bank.class_prototypes import EMPTY_BANK
from freeda_svc.errors import InputError, NotFoundError

PROTOTYPES_A_NOUN = 512
"""A noun with more prototypes is represented by this many of them, so that the time is bounded by the nouns."""

READ_AT_ONCE = 4096
_ATTEMPTS = 3

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class NounCentres:
    """The nouns of a bank at one revision; those of which nothing is retrieved are left out.

    Attributes:
        nouns: N of them, in alphabetical order.
        counts: (N,) int64, how many prototypes each has that are not marked as outliers.
        vectors: (N, Dv) float32, the mean of each noun's prototypes, not normalised.
    """

    nouns: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    vectors: Vector


class KeptNounCentres:
    """Computes the noun centres of a bank and updates them as it grows. Not thread-safe.

    The first time goes through the whole bank, noun by noun. When prototypes were added, only their nouns are read
    again; when any were removed, marked or unmarked, all are.
    """

    def __init__(self, store: PrototypeStore) -> None:
        self._store = store
        self._revision: Revision | None = None
        self._totals: Mapping[str, int] = {}
        self._kept: dict[str, tuple[int, Vector]] = {}
        self._centres: NounCentres | None = None

    def current(self) -> NounCentres:
        """Return the centres of all nouns now.

        Raises:
            InputError: the bank is empty, or its prototypes have no nouns.
            NotFoundError: prototypes are removed faster than they can be read.
            UnavailableError: the engine does not answer.
        """
        revision = self._store.revision()
        if self._centres is None or revision != self._revision:
            totals = self._store.nouns()
            usable = self._revision is not None and revision.removals == self._revision.removals
            known = {
                noun: kept for noun, kept in self._kept.items() if usable and totals.get(noun) == self._totals[noun]
            }
            read = self._read([noun for noun in totals if noun.strip() and noun not in known])
            self._kept = {noun: (known.get(noun) or read[noun]) for noun in totals if noun in known or noun in read}
            self._totals, self._revision = totals, revision
            self._centres = self._gather(totals)
        return self._centres

    def _gather(self, totals: Mapping[str, int]) -> NounCentres:
        if not totals:
            raise InputError(EMPTY_BANK)
        found = {noun: kept for noun, kept in self._kept.items() if kept[0]}
        if not found:
            raise InputError(
                "no prototype of the bank that is to be retrieved has a noun, so none can be proposed: name categories"
            )
        return NounCentres(
            tuple(found),
            np.array([count for count, _ in found.values()], dtype=np.int64),
            np.stack([vector for _, vector in found.values()]),
        )

    def _read(self, nouns: Sequence[str]) -> dict[str, tuple[int, Vector]]:
        for attempt in range(_ATTEMPTS):
            try:
                return dict(self._means(nouns))
            except NotFoundError:  # removed between being selected and being read
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def _means(self, nouns: Sequence[str]) -> Iterator[tuple[str, tuple[int, Vector]]]:
        """Yield count and mean of each noun; the vectors of a few thousand prototypes are read at once."""
        waiting: dict[str, tuple[int, list[str]]] = {}
        for noun in nouns:
            ids = self._store.select(Selection(noun=noun, outlier=False))
            # Ids follow from hashes, so that the first in their order are an arbitrary sample, and always the same.
            waiting[noun] = len(ids), sorted(ids)[:PROTOTYPES_A_NOUN]
            if sum(len(some) for _, some in waiting.values()) >= READ_AT_ONCE:
                yield from self._read_means(waiting)
                waiting = {}
        yield from self._read_means(waiting)

    def _read_means(self, waiting: Mapping[str, tuple[int, list[str]]]) -> Iterator[tuple[str, tuple[int, Vector]]]:
        vectors = self._store.vectors([name for _, ids in waiting.values() for name in ids])
        start = 0
        for noun, (count, ids) in waiting.items():
            rows = vectors[start : start + len(ids)]
            start += len(ids)
            finite = rows[np.isfinite(rows).all(axis=1)]
            empty = np.zeros(vectors.shape[1], dtype=np.float32)
            yield noun, (count if len(finite) else 0, finite.mean(axis=0, dtype=np.float32) if len(finite) else empty)
