"""What is asked of a bank, and what it answers: plain records, which need no engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError

Payload = dict[str, Any]


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
class Revision:
    """A state of a bank's content: what was read at one revision is still true while the bank's revision is equal.

    Attributes:
        additions: grows with every batch that adds prototypes, so it orders what was added.
        removals: a token that changes whenever anything is removed, marked as an outlier, or unmarked.
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
