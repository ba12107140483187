"""What every prototype store offers, whichever engine keeps the points."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from freeda_svc.prototypes.record import Prototype

Payload = dict[str, Any]

_POINT_NAMESPACE = uuid.UUID("5f2d6c1e-6f0b-4c53-9d2e-8f5c54f3b7a1")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The prototypes whose keys are nearest to one query, best first.

    Attributes:
        ids: point ids, as `point_id` makes them; k of them, fewer where the bank holds fewer.
        scores: (k,) float32 cosine of query and key, -1 to 1, falling.
        vectors: (k, Dv) float32 raw prototypes, not normalised.
        payloads: everything else that is kept about each prototype, under the names of `Prototype`'s fields.
    """

    ids: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]
    payloads: tuple[Payload, ...]


@dataclass(frozen=True)
class BankStats:
    """How large a bank is and what it is made for.

    Attributes:
        prototypes: number of prototypes.
        nouns: number of different nouns.
        captions: number of different captions.
        jobs: number of different jobs that added to it; prototypes made outside the service have none.
        pack: fingerprint of the pack all of them were made with; None when the store does not say.
        key_dimension: Dt.
        vector_dimension: Dv.
        bytes_on_disk: space its files take.
    """

    prototypes: int
    nouns: int
    captions: int
    jobs: int
    pack: str | None
    key_dimension: int
    vector_dimension: int
    bytes_on_disk: int


class PrototypeStore(Protocol):
    """Keeps prototypes under their keys and finds the nearest, exactly."""

    @property
    def pack(self) -> str | None:
        """Fingerprint of the pack whose prototypes the store takes; None when it takes any."""

    @property
    def key_dimension(self) -> int:
        """Dt, the number of values in a key."""

    @property
    def vector_dimension(self) -> int:
        """Dv, the number of values in a prototype."""

    def add(self, prototypes: Sequence["Prototype"]) -> int:
        """Store prototypes durably; those already there (same `point_id`) stay as they are.

        Args:
            prototypes: any number of them; all are checked before the first is written.

        Returns:
            How many were new.

        Raises:
            InputError: a wrong dimension, a value that is not finite, a zero key, another pack; nothing is written.
            UnavailableError: the engine could not write.
        """

    def nearest(self, queries: npt.NDArray[np.float32], k: int) -> list[Neighbours]:
        """The k nearest keys of each query by cosine, found exactly.

        Args:
            queries: (C, Dt) float, finite, no row zero; of any length, since only the direction counts.
            k: how many for each query, at least 1.

        Returns:
            C neighbours, in the order of the queries.

        Raises:
            InputError: queries of another shape or with unusable values, or k below 1.
        """

    def search(self, query: npt.NDArray[np.float32], limit: int) -> Neighbours:
        """`nearest` for one query of shape (Dt,)."""

    def count(self) -> int:
        """Number of prototypes."""

    def nouns(self) -> dict[str, int]:
        """All nouns in alphabetical order, with the number of prototypes of each."""

    def stats(self) -> BankStats:
        """Numbers about the whole store."""

    def close(self) -> None:
        """Release the store; closing again does nothing."""


def point_id(prototype: "Prototype") -> str:
    """The id a prototype is stored under: a UUID that follows from its caption, noun, seed and pack alone.

    The same work done twice therefore gives the same points, on any machine.
    """
    identity = json.dumps([prototype.caption_id, prototype.noun, prototype.seed, prototype.pack], ensure_ascii=True)
    return str(uuid.uuid5(_POINT_NAMESPACE, identity))


def make_payload(prototype: "Prototype") -> Payload:
    """All of a prototype but key and vector, in types that JSON has (spans become lists of two)."""
    return {
        "noun": prototype.noun,
        "caption_id": prototype.caption_id,
        "caption": prototype.caption,
        "spans": [[int(start), int(end)] for start, end in prototype.spans],
        "seed": int(prototype.seed),
        "mask_area": float(prototype.mask_area),
        "contrast": float(prototype.contrast),
        "image_text_score": float(prototype.image_text_score),
        "pack": prototype.pack,
        "job": prototype.job,
        "image": prototype.image,
        "mask": prototype.mask,
        "attribution": prototype.attribution,
    }
