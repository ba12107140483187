"""What every prototype store offers, whichever engine keeps the points."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.loggers import logger

if TYPE_CHECKING:
    from freeda_svc.prototypes import Prototype

log = logger(__name__)

Payload = dict[str, Any]

WORTH_PACKING = 20_000
"""After so many prototypes were added, marked or unmarked at once a bank is packed, see `PrototypeStore.optimize`."""


@dataclass(frozen=True)
class Selection:
    """Which prototypes are meant: those for which everything that is given holds; all where nothing is given.

    Attributes:
        noun: of this noun.
        job: made by this job.
        caption_id: from this caption.
        origin: of this origin, see `Prototype.origin`.
        outlier: True means marked as outliers, False means not marked.
    """

    noun: str | None = None
    job: str | None = None
    caption_id: str | None = None
    origin: str | None = None
    outlier: bool | None = None


ALL = Selection()


@dataclass(frozen=True)
class Version:
    """A moment in a bank's history; what was read at one version still holds while the bank's version is equal.

    Attributes:
        additions: grows with every batch that adds prototypes; what is older can be told from what is newer by it.
        removals: another text after anything was removed, marked as an outlier, or unmarked.
    """

    additions: int
    removals: str


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The prototypes whose keys are nearest to one query, best first; equal scores stand in the order of their ids.

    Attributes:
        ids: point ids, as `point_id` makes them; k of them, fewer where the bank holds fewer.
        scores: (k,) float32 cosine of query and key, -1 to 1, falling.
        vectors: (k, Dv) float32 raw prototypes, not normalised.
        nouns: the noun of each.
        origins: the origin of each.
    """

    ids: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]
    nouns: tuple[str, ...]
    origins: tuple[str, ...]


@dataclass(frozen=True)
class BankStats:
    """How large a bank is and what it is made for.

    Attributes:
        prototypes: number of prototypes, outliers included.
        nouns: number of different nouns.
        captions: number of different captions.
        jobs: number of different jobs that added to it; prototypes made outside the service have none.
        outliers: how many are marked as outliers and left out of retrieval.
        origins: number of prototypes of each origin.
        pack: fingerprint of the pack all of them were made with.
        key_dimension: Dt.
        vector_dimension: Dv.
        bytes_on_disk: space its files take; 0 when the engine does not say.
    """

    prototypes: int
    nouns: int
    captions: int
    jobs: int
    outliers: int
    origins: Mapping[str, int]
    pack: str
    key_dimension: int
    vector_dimension: int
    bytes_on_disk: int


@dataclass(frozen=True)
class Approximate:
    """Search over a graph of the keys (HNSW), which misses some of the nearest.

    Keys of one noun crowd together, and graphs have trouble with that: measure the recall on the bank in question
    before relying on it.

    Attributes:
        depth: how many candidates a search keeps while it walks (HNSW's ``ef``), at least 1; deeper is slower and
            misses less. Less than k counts as k.
        quantized: whether candidates are compared by keys of one byte a value first and by the full keys afterwards.
    """

    depth: int
    quantized: bool = False

    def __post_init__(self) -> None:
        if self.depth < 1:
            raise InputError(f"the depth of an approximate search must be at least 1, got {self.depth}")


class PrototypeStore(Protocol):
    """Keeps prototypes under their keys and finds the nearest, exactly unless asked otherwise."""

    @property
    def pack(self) -> str:
        """Fingerprint of the pack whose prototypes the store takes."""

    @property
    def key_dimension(self) -> int:
        """Dt, the number of values in a key."""

    @property
    def vector_dimension(self) -> int:
        """Dv, the number of values in a prototype."""

    def add(self, prototypes: Sequence["Prototype"]) -> int:
        """Store a batch durably and as a whole; those already there (same `point_id`) stay as they are.

        A process that dies meanwhile leaves none of the batch to be seen; adding the batch again stores it. Several
        hundred and more are more than one batch, of which some may be there then.

        Args:
            prototypes: any number of them; all are checked before the first is written.

        Returns:
            How many were new.

        Raises:
            InputError: a wrong dimension, a value that is not finite, a zero key, another pack; nothing is written.
            UnavailableError: the engine could not write; nothing of the batch is visible.
        """

    def nearest(
        self,
        queries: npt.NDArray[np.float32],
        k: int,
        *,
        origins: frozenset[str] | None = None,
        since: Version | None = None,
    ) -> list[Neighbours]:
        """The k nearest keys of each query by cosine, found exactly; outliers are left out.

        Args:
            queries: (C, Dt) float, finite, no row zero; of any length, since only the direction counts.
            k: how many for each query, at least 1.
            origins: only prototypes of these origins; of all when None.
            since: only prototypes added after this version; an engine may return some older ones, too.

        Returns:
            C neighbours, in the order of the queries.

        Raises:
            InputError: queries of another shape or with unusable values, or k below 1.
            UnavailableError: the engine does not answer.
        """

    def nearest_prototypes(
        self, vectors: npt.NDArray[np.float32], k: int, *, approximate: Approximate | None = None
    ) -> list[Neighbours]:
        """The k prototypes that have the largest inner product with each vector; outliers are left out.

        The scores are cosine times the prototype's length, since banks keep prototypes raw.

        Args:
            vectors: (R, Dv) float, finite, no row zero; only the direction counts.
            k: how many for each vector, at least 1.
            approximate: over the graph that `optimize` builds; exactly where there is none, and when None.

        Returns:
            R neighbours, in the order of the vectors.

        Raises:
            InputError: vectors of another shape or with unusable values, or k below 1.
            UnavailableError: the engine does not answer.
        """

    def vectors(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The raw prototypes of some ids, (N, Dv) float32, in their order.

        Raises:
            NotFoundError: one of them is not there.
        """

    def appearances(self, ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The appearances of some ids (see `Prototype.appearance`), (N, Dt) float32 of unit length, in their order.

        Raises:
            NotFoundError: one of them is not there, or has none.
        """

    def payloads(self, ids: Sequence[str]) -> list[Payload]:
        """Everything but key and vector of some ids, in their order, under the names of `Prototype`'s fields.

        Raises:
            NotFoundError: one of them is not there.
        """

    def select(self, selection: Selection) -> list[str]:
        """The ids of all prototypes that are meant, in any order."""

    def count(self, selection: Selection = ALL) -> int:
        """How many prototypes are meant."""

    def forget(self, ids: Sequence[str]) -> int:
        """Remove prototypes durably; ids that are not there are passed over.

        Returns:
            How many were removed.
        """

    def mark(self, reasons: Mapping[str, str]) -> int:
        """Mark prototypes as outliers, durably; they stay in the bank, but retrieval leaves them out.

        Args:
            reasons: why, for each id, not empty; marked ones get the new reason; ids not there are passed over.

        Returns:
            How many are marked now that were not before.

        Raises:
            InputError: a reason is empty; nothing was marked.
        """

    def unmark(self, ids: Sequence[str]) -> int:
        """Take marks back, durably; ids that are not there or not marked are passed over.

        Returns:
            How many were marked.
        """

    def scan(self, selection: Selection = ALL, *, at_once: int = 1000) -> Iterator[list["Prototype"]]:
        """Go through prototypes with everything that is kept about them, in a stable order, in lists of ``at_once``.

        What is added meanwhile may be missing.
        """

    def nouns(self) -> dict[str, int]:
        """All nouns in alphabetical order, with the number of prototypes of each."""

    def stats(self) -> BankStats:
        """Numbers about the whole store."""

    def version(self) -> Version:
        """The bank's version now; cheap enough to be asked before every use."""

    def optimize(self, *, index_prototypes: bool = False) -> None:
        """Pack what many changes have scattered, so that searches are fast and files small; may take minutes.

        Args:
            index_prototypes: also build a graph of the prototypes, for `nearest_prototypes`.

        Raises:
            UnavailableError: the engine does not answer, or lacks room to work in.
        """

    def close(self) -> None:
        """Release the store; closing again does nothing."""


def pack_if_worth_it(store: PrototypeStore, changed: int) -> None:
    """Pack a bank of which much was changed at once; where it cannot be packed it works as well, and that is told.

    Args:
        store: the bank.
        changed: how many prototypes were added, marked or unmarked.
    """
    if changed >= WORTH_PACKING:
        try:
            store.optimize()
        except UnavailableError as error:
            log.warning("the bank is not packed; `freeda bank index` does it later", reason=str(error))
