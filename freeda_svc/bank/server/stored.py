"""How prototypes travel to the server and back, in requests and answers of moderate size."""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from qdrant_client import models

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.points import KEY, PROTOTYPE, make_payload
from freeda_svc.bank.server.collection import ADDED, MARKED, VISIBLE
from freeda_svc.bank.store import Payload
from freeda_svc.prototypes.record import Prototype

IDS_A_REQUEST = 10_000

# A server takes 32 MiB of JSON in one request unless told otherwise.
_BYTES_A_REQUEST = 16_000_000
BYTES_AN_ANSWER = 32_000_000
"""How large one answer may be, so that neither side holds much more than what is asked for."""
# The longest float32 as JSON has it, with its comma; in an answer the shortest digits that tell it apart.
_BYTES_A_VALUE_SENT = 25
_BYTES_A_VALUE_ANSWERED = 14
# Id, names, brackets; in an answer with everything else about a prototype the captions, too.
_BYTES_AROUND = 250
_BYTES_A_PAYLOAD = 1_500
_OWN_FIELDS = frozenset({VISIBLE, MARKED, ADDED})

T = TypeVar("T")


def make_points(prototypes: Mapping[str, Prototype]) -> Iterator[models.PointStruct]:
    """Points that no reader sees yet.

    Keys are of unit length, so the server leaves them as they are. Prototypes are rounded to half precision here,
    because the client's local mode would keep them in full, and no engine should hold other numbers than the rest.

    Args:
        prototypes: by their ids.
    """
    for identifier, prototype in prototypes.items():
        yield models.PointStruct(
            id=identifier,
            vector={
                KEY: unit_rows(prototype.key[np.newaxis])[0].tolist(),
                PROTOTYPE: prototype.vector.astype(np.float16).tolist(),
            },
            payload=make_payload(prototype) | {VISIBLE: False, MARKED: prototype.outlier != "", ADDED: 0},
        )


def in_requests(points: Iterable[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    """Points in lists, each of which a server takes as one request."""
    batch: list[models.PointStruct] = []
    size = 0
    for point in points:
        more = _bytes_sent(point)
        if batch and size + more > _BYTES_A_REQUEST:
            yield batch
            batch, size = [], 0
        batch.append(point)
        size += more
    if batch:
        yield batch


def _bytes_sent(point: models.PointStruct) -> int:
    values = sum(len(vector) for vector in cast("dict[str, list[float]]", point.vector).values())
    return _BYTES_AROUND + _BYTES_A_VALUE_SENT * values + len(json.dumps(point.payload))


def points_an_answer(values: int) -> int:
    """How many points fit into one answer.

    Args:
        values: how many values of vectors are asked for with each point.
    """
    return max(1, BYTES_AN_ANSWER // (_BYTES_AROUND + _BYTES_A_PAYLOAD + _BYTES_A_VALUE_ANSWERED * values))


def parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in their order, ``size`` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def possible_ids(ids: Iterable[str]) -> list[str]:
    """Those of some ids that can be a point's, each once; the server refuses requests with others."""
    return [identifier for identifier in dict.fromkeys(ids) if _is_point_id(identifier)]


def _is_point_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def public_payload(payload: Mapping[str, Any] | None) -> Payload:
    """A point's payload without the fields of the store itself."""
    return {name: value for name, value in (payload or {}).items() if name not in _OWN_FIELDS}


def vector_of(record: models.Record, name: str) -> npt.NDArray[np.float32]:
    """One of the named vectors that came with a point, float32."""
    return np.array(cast("dict[str, list[float]]", record.vector)[name], dtype=np.float32)
