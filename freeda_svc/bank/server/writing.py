"""Changes of a bank: each happens as a whole, and is followed by another version of the bank."""

import time
import uuid
from collections.abc import Mapping, Sequence

from qdrant_client import QdrantClient, models

from freeda_svc.bank.server.collection import (
    ADDED,
    ADDITIONS,
    MARKED,
    REGISTER,
    REMOVALS,
    VISIBLE,
    field_is,
)
from freeda_svc.bank.server.stored import IDS_A_REQUEST, in_requests, make_points, parts
from freeda_svc.bank.store import Version
from freeda_svc.prototypes.record import Prototype

# Each reason for marking is an operation of its own.
_OPERATIONS_A_REQUEST = 1_000


def add(client: QdrantClient, name: str, prototypes: Mapping[str, Prototype]) -> int:
    """Store what is not there yet, unseen at first, and show it with one operation.

    Args:
        client: of the server.
        name: the collection.
        prototypes: by their ids; checked.

    Returns:
        How many were new.
    """
    stamps = _stamps_of_visible(client, name, list(prototypes))
    fresh = {identifier: prototype for identifier, prototype in prototypes.items() if identifier not in stamps}
    for points in in_requests(make_points(fresh)):
        # What another process has shown meanwhile stays as it is; what an add that failed left behind is replaced.
        client.upsert(name, points, wait=True, update_filter=models.Filter(must=[field_is(VISIBLE, False)]))
    last = read_version(client, name).additions
    if fresh:
        _show(client, name, list(fresh), max(_now(), last + 1))
    elif stamps and max(stamps.values()) > last:
        # An earlier add of these was cut off between its two last operations.
        client.batch_update_points(name, [_noted(ADDITIONS, max(_now(), last + 1))], wait=True)
    return len(fresh)


def _stamps_of_visible(client: QdrantClient, name: str, ids: Sequence[str]) -> dict[str, int]:
    stamps: dict[str, int] = {}
    for some in parts(ids, IDS_A_REQUEST):
        for record in client.retrieve(name, list(some), with_payload=[VISIBLE, ADDED]):
            payload = record.payload or {}
            if payload.get(VISIBLE):
                stamps[str(record.id)] = int(payload[ADDED])
    return stamps


def _show(client: QdrantClient, name: str, ids: list[str], stamp: int) -> None:
    # The server applies an operation point by point: a reader may meet a part of the batch. Therefore the version
    # changes after it, so that nothing is kept under the new version that was read before the batch was complete.
    show = models.SetPayloadOperation(
        set_payload=models.SetPayload(
            payload={VISIBLE: True, ADDED: stamp},
            filter=models.Filter(must=[models.HasIdCondition(has_id=list(ids)), field_is(VISIBLE, False)]),
        )
    )
    client.batch_update_points(name, [show, _noted(ADDITIONS, stamp)], wait=True)


def forget(client: QdrantClient, name: str, ids: Sequence[str]) -> int:
    """Remove points; returns how many there were."""
    removed = 0
    for some in parts(ids, IDS_A_REQUEST):
        there = visible(some)
        removed += client.count(name, there, exact=True).count
        _change(client, name, [models.DeleteOperation(delete=models.FilterSelector(filter=there))])
    return removed


def mark(client: QdrantClient, name: str, reasons: Mapping[str, str]) -> int:
    """Mark points as outliers; returns how many were not marked before."""
    marked = 0
    for some in parts(list(reasons), IDS_A_REQUEST):
        marked += client.count(name, visible(some, field_is(MARKED, False)), exact=True).count
        by_reason: dict[str, list[str]] = {}
        for identifier in some:
            by_reason.setdefault(reasons[identifier], []).append(identifier)
        operations = [
            _set({MARKED: True, "outlier": reason}, visible(ids)) for reason, ids in sorted(by_reason.items())
        ]
        for part in parts(operations, _OPERATIONS_A_REQUEST):
            _change(client, name, part)
    return marked


def unmark(client: QdrantClient, name: str, ids: Sequence[str]) -> int:
    """Take marks back; returns how many there were."""
    unmarked = 0
    for some in parts(ids, IDS_A_REQUEST):
        marked = visible(some, field_is(MARKED, True))
        unmarked += client.count(name, marked, exact=True).count
        _change(client, name, [_set({MARKED: False, "outlier": ""}, marked)])
    return unmarked


def read_version(client: QdrantClient, name: str) -> Version:
    """The bank's version as the register has it; one request for one point."""
    records = client.retrieve(name, [REGISTER], with_payload=True)
    payload = (records[0].payload or {}) if records else {}
    return Version(additions=int(payload.get(ADDITIONS, 0)), removals=str(payload.get(REMOVALS, "")))


def visible(ids: Sequence[str], *conditions: models.FieldCondition) -> models.Filter:
    """Those of some points that readers see and that meet some conditions."""
    return models.Filter(must=[models.HasIdCondition(has_id=list(ids)), field_is(VISIBLE, True), *conditions])


def _change(client: QdrantClient, name: str, operations: Sequence[models.UpdateOperation]) -> None:
    # The version changes afterwards, for readers that came meanwhile, and already before, should this be cut off.
    before, after = _noted(REMOVALS, uuid.uuid4().hex), _noted(REMOVALS, uuid.uuid4().hex)
    client.batch_update_points(name, [before, *operations, after], wait=True)


def _set(payload: dict[str, str | bool], points: models.Filter) -> models.SetPayloadOperation:
    return models.SetPayloadOperation(set_payload=models.SetPayload(payload=payload, filter=points))


def _noted(field: str, value: str | int) -> models.SetPayloadOperation:
    return models.SetPayloadOperation(set_payload=models.SetPayload(payload={field: value}, points=[REGISTER]))


def _now() -> int:
    return time.time_ns() // 1000
