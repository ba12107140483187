"""How a prototype becomes a point and comes back: its id, its vectors, its payload, and the two registers beside it."""

import base64
import binascii
import json
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import to_json

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.engine import Point
from freeda_svc.bank.records import Payload
from freeda_svc.errors import InputError
from freeda_svc.prototypes import Prototype

KEY = "key"
PROTOTYPE = "prototype"
APPEARANCE = "appearance"
"""Names of a point's vectors."""

MARKED = "marked"
ADDED = "added"
HIDDEN_KEY = "hidden_key"
ABOUT = "about"
CHECKS = "checks"
"""Payload fields of the store itself: 1 where retrieval leaves the point out, else 0; when the point was added, in
microseconds since 1970; the key of a point that is left out, which has none that is searched (base64 of float32);
what is kept about the prototype but not searched, as one text of JSON (handing a field of a payload to the engine costs
far more than a value of a vector); and a CRC-32 of each vector and of the texts, by which a changed one is found, as
one text: eight hexadecimal digits each, in the order of `_CHECKED`."""

ADDITIONS = str(uuid.UUID("0b6f6d57-55ff-4f5e-8a56-3a5a3c5b8d0e"))
REMOVALS = str(uuid.UUID("1c7f6d57-55ff-4f5e-8a56-3a5a3c5b8d0e"))
REGISTERS = (ADDITIONS, REMOVALS)
"""Two points without vectors, whose payloads hold the bank's revision; they are no prototypes."""

STAMP = "stamp"
TOTAL = "total"
LEAVING = "leaving"
"""Payload fields of the registers: half of the revision; how many prototypes there are (where one process owns the
bank); and the ids of those that are being removed."""

REPAIR = "restore the bank from a backup, or import an archive of it"


class Index(Enum):
    """Kinds of payload indexes."""

    TEXT = "keyword"
    FLAG = "integer, looked up"
    NUMBER = "integer, compared"


INDEXES = {
    "noun": Index.TEXT,
    "caption_id": Index.TEXT,
    "job": Index.TEXT,
    "origin": Index.TEXT,
    MARKED: Index.FLAG,
    ADDED: Index.NUMBER,
}

LINKS = 16
"""Qdrant's own: links of a point in a graph, where one is asked for."""

NUMBERS = ("mask_area", "contrast", "image_text_score")
"""Fields of a prototype that are floating-point numbers."""

_POINT_NAMESPACE = uuid.UUID("5f2d6c1e-6f0b-4c53-9d2e-8f5c54f3b7a1")
# The engine reads numbers of up to 15 digits back exactly, longer ones sometimes not: a bank that moves would drift.
_DECIMALS = 12
_OUTLIER = "outlier"
_ARRAYS = {"key", "vector", "appearance"}
_FIELDS = tuple(name for name in Prototype.__dataclass_fields__ if name not in _ARRAYS)
_SEARCHED = tuple(name for name, kind in INDEXES.items() if kind is Index.TEXT)
_CHECKED = (KEY, PROTOTYPE, ABOUT, APPEARANCE)
_DIGITS = 8


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
    payload = {name: getattr(prototype, name) for name in _FIELDS}
    payload["spans"] = [[int(start), int(end)] for start, end in prototype.spans]
    payload["seed"] = int(prototype.seed)
    return payload | {name: round(float(payload[name]), _DECIMALS) for name in NUMBERS}


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
    given = {name: payload[name] for name in _FIELDS if name in payload}
    given["spans"] = tuple((int(start), int(end)) for start, end in payload["spans"])
    return Prototype(key=key, vector=vector, appearance=appearance, **given)


def make_points(prototypes: Mapping[str, Prototype], stamp: int) -> list[Point]:
    """The points of prototypes.

    Keys are scaled to unit length here: engines take very short ones for zero and would store them as they are.

    Args:
        prototypes: by their ids; checked, at least one.
        stamp: when they are added, in microseconds since 1970.
    """
    keys = unit_rows(np.stack([prototype.key for prototype in prototypes.values()]))
    halves = np.stack([prototype.vector for prototype in prototypes.values()]).astype(np.float16)
    rows = zip(prototypes.items(), keys, halves, halves.astype(np.float32), strict=True)
    points = []
    for (identifier, prototype), key, half, vector in rows:
        vectors = {KEY: key, PROTOTYPE: vector}
        kept = make_payload(prototype)
        del kept[_OUTLIER]
        payload = {name: kept.pop(name) for name in _SEARCHED}
        payload |= {MARKED: 0, ADDED: stamp, ABOUT: to_json(kept).decode("utf-8")}
        checks = _check_of(KEY, key) + _check_of(PROTOTYPE, half) + _check_of_texts(payload)
        if prototype.appearance is not None:
            vectors[APPEARANCE] = halved(prototype.appearance)
            checks += _check_of(APPEARANCE, vectors[APPEARANCE])
        payload[CHECKS] = checks
        point = Point(identifier, payload, vectors)
        points.append(hide(point, prototype.outlier) if prototype.outlier else point)
    return points


def hide(point: Point, reason: str) -> Point:
    """A point with all of its vectors and payload, marked as an outlier: no search for keys finds it."""
    vectors = dict(point.vectors)
    payload = {**point.payload, MARKED: 1, _OUTLIER: reason}
    if KEY in vectors:
        payload[HIDDEN_KEY] = base64.b64encode(vectors.pop(KEY).astype("<f4").tobytes()).decode("ascii")
    return Point(point.id, payload, vectors)


def show(point: Point) -> Point:
    """A marked point without its mark.

    Raises:
        InputError: its key is damaged.
    """
    payload = {name: value for name, value in point.payload.items() if name not in {HIDDEN_KEY, _OUTLIER}}
    return Point(point.id, payload | {MARKED: 0}, {**point.vectors, KEY: key_of(point)})


def key_of(point: Point) -> npt.NDArray[np.float32]:
    """(Dt,) float32 of unit length: the key of a point, wherever it is kept.

    Raises:
        InputError: it is gone or damaged.
    """
    if KEY in point.vectors:
        return point.vectors[KEY]
    try:
        return np.frombuffer(base64.b64decode(point.payload[HIDDEN_KEY]), dtype="<f4").astype(np.float32)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise _damaged(point.id, KEY) from error


def vector_of(point: Point, name: str) -> npt.NDArray[np.float32]:
    """One of the vectors of a point that was read with the payload field `CHECKS`.

    Raises:
        InputError: it is gone or damaged.
    """
    values = key_of(point) if name == KEY else point.vectors.get(name)
    if values is None or _kept_check(point, name) != _check_of(name, values):
        raise _damaged(point.id, name)
    return values


def has_appearance(point: Point) -> bool:
    """Whether a point that was read with the payload field `CHECKS` was written with an appearance."""
    return _kept_check(point, APPEARANCE) != ""


def prototype_of(point: Point) -> Prototype:
    """The prototype of a point that was read with its payload and all of its vectors.

    Raises:
        InputError: something of it is gone or damaged.
    """
    appearance = vector_of(point, APPEARANCE) if has_appearance(point) else None
    key, vector = vector_of(point, KEY), vector_of(point, PROTOTYPE)
    return read_prototype(public_payload(point), key, vector, appearance)


def public_payload(point: Point) -> Payload:
    """What is kept about the prototype of a point that was read with its whole payload, as `make_payload` made it.

    Raises:
        InputError: it is gone or damaged.
    """
    payload = point.payload
    try:
        if _kept_check(point, ABOUT) != _check_of_texts(payload):
            raise _damaged(point.id, "description")
        kept: Payload = json.loads(payload[ABOUT])
        return {name: payload[name] for name in _SEARCHED} | kept | {_OUTLIER: payload.get(_OUTLIER, "")}
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(point.id, "description") from error


def prototypes_among(points: Iterable[Point]) -> list[Point]:
    """Points without the registers."""
    return [point for point in points if point.id not in REGISTERS]


def possible_ids(ids: Sequence[str]) -> list[str]:
    """Those of some ids that can be a prototype's, each once; engines refuse requests with others."""
    return [identifier for identifier in dict.fromkeys(ids) if identifier not in REGISTERS and _is_uuid(identifier)]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def halved(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values as half precision has them; rounded here, so that no engine holds other numbers than the rest."""
    return values.astype(np.float16).astype(np.float32)


def _kept_check(point: Point, name: str) -> str:
    """The checksum that was written with a point; empty where there is none."""
    checks, first = point.payload.get(CHECKS), _DIGITS * _CHECKED.index(name)
    return checks[first : first + _DIGITS] if isinstance(checks, str) else ""


def _check_of(name: str, values: npt.NDArray[np.floating]) -> str:
    content = values.astype("<f4" if name == KEY else "<f2", order="C", copy=False)
    return f"{zlib.crc32(content.data):0{_DIGITS}x}"


def _check_of_texts(payload: Mapping[str, Any]) -> str:
    texts = "\0".join([payload[name] for name in (*_SEARCHED, ABOUT)])
    return f"{zlib.crc32(texts.encode('utf-8')):0{_DIGITS}x}"


def _damaged(identifier: str, name: str) -> InputError:
    return InputError(f"the {name} of the prototype {identifier} in the bank is gone or damaged: {REPAIR}")
