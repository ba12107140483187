"""How a prototype becomes a point of the database and comes back: its id and its payload."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.store import Payload
from freeda_svc.prototypes import Prototype

KEY = "key"
PROTOTYPE = "prototype"
APPEARANCE = "appearance"
"""Names of a point's vectors."""

# The engine reads numbers of up to 15 digits back exactly, longer ones sometimes not: a bank that moves would drift.
_DECIMALS = 12

_POINT_NAMESPACE = uuid.UUID("5f2d6c1e-6f0b-4c53-9d2e-8f5c54f3b7a1")


def point_id(prototype: Prototype) -> str:
    """The id a prototype is stored under: a UUID that follows from its caption, noun, seed and pack alone.

    The same work done twice therefore gives the same points, on any machine.
    """
    identity = json.dumps([prototype.caption_id, prototype.noun, prototype.seed, prototype.pack], ensure_ascii=True)
    return str(uuid.uuid5(_POINT_NAMESPACE, identity))


def distinct_points(prototypes: Sequence[Prototype]) -> dict[str, Prototype]:
    """The prototypes by their ids; of several with the same id the first."""
    by_id: dict[str, Prototype] = {}
    for prototype in prototypes:
        by_id.setdefault(point_id(prototype), prototype)
    return by_id


def make_payload(prototype: Prototype) -> Payload:
    """All of a prototype but its vectors, in types that JSON has (spans become lists of two)."""
    return {
        "noun": prototype.noun,
        "caption_id": prototype.caption_id,
        "caption": prototype.caption,
        "spans": [[int(start), int(end)] for start, end in prototype.spans],
        "seed": int(prototype.seed),
        "mask_area": round(float(prototype.mask_area), _DECIMALS),
        "contrast": round(float(prototype.contrast), _DECIMALS),
        "image_text_score": round(float(prototype.image_text_score), _DECIMALS),
        "pack": prototype.pack,
        "encoders": prototype.encoders,
        "generator": prototype.generator,
        "job": prototype.job,
        "origin": prototype.origin,
        "outlier": prototype.outlier,
        "image": prototype.image,
        "mask": prototype.mask,
        "attribution": prototype.attribution,
    }


def read_prototype(
    payload: Mapping[str, Any],
    key: npt.NDArray[np.float32],
    vector: npt.NDArray[np.float32],
    appearance: npt.NDArray[np.float32] | None = None,
) -> Prototype:
    """Put a prototype together again; fields that an older bank does not have get their defaults.

    Args:
        payload: as `make_payload` made it.
        key: (Dt,) float32.
        vector: (Dv,) float32.
        appearance: (Dt,) float32; None where there is none.
    """
    given = {name: payload[name] for name in _PAYLOAD_FIELDS if name in payload}
    given["spans"] = tuple((int(start), int(end)) for start, end in payload["spans"])
    return Prototype(key=key, vector=vector, appearance=appearance, **given)


_VECTORS = {"key", "vector", "appearance"}
_PAYLOAD_FIELDS = tuple(name for name in Prototype.__dataclass_fields__ if name not in _VECTORS)
