"""How a prototype lies in a collection, and that what changed there is found when it is read."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from freeda_svc.bank import point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.engine import Point
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.points import (
    ABOUT,
    APPEARANCE,
    CHECKS,
    HIDDEN_KEY,
    KEY,
    MARKED,
    PROTOTYPE,
    REGISTERS,
    hide,
    key_of,
    make_points,
    possible_ids,
    prototype_of,
    prototypes_among,
    public_payload,
    show,
    vector_of,
)
from freeda_svc.bank.qdrant.connection import Connection
from freeda_svc.bank.qdrant.server import ServerEngine
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import Prototype
from tests.bank.store_contract import everything_but_arrays

MakePrototypes = Callable[..., list[Prototype]]

property_test = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VECTORS = st.floats(-60000, 60000, width=32)


def make_point(identifier: str, prototype: Prototype, stamp: int) -> Point:
    [point] = make_points({identifier: prototype}, stamp)
    return point


@pytest.fixture
def prototype(make_prototypes: MakePrototypes) -> Prototype:
    (made,) = make_prototypes(1)
    appearance = np.array([0.6, 0, 0.8, 0, 0], dtype=np.float32)
    return replace(made, appearance=appearance)


@property_test
@given(
    key=arrays.arrays(np.float32, 5, elements=st.floats(-(2.0**99), 2.0**99, width=32)).filter(np.any),
    vector=arrays.arrays(np.float32, 7, elements=VECTORS),
    reason=st.sampled_from(["", "odd"]),
    changes=st.lists(st.sampled_from(["hide", "show"]), max_size=4),
)
def test_a_prototype_comes_back_whatever_was_marked_meanwhile(
    prototype: Prototype, *, key: np.ndarray, vector: np.ndarray, reason: str, changes: list[str]
) -> None:
    made = replace(prototype, key=key, vector=vector, outlier=reason)
    point = make_point(point_id(made), made, 7)
    for change in changes:
        point = hide(point, "because") if change == "hide" else show(point)
        reason = "because" if change == "hide" else ""
    assert (point.payload[MARKED], KEY in point.vectors, HIDDEN_KEY in point.payload) == (
        int(bool(reason)),
        not reason,
        bool(reason),
    )
    found = prototype_of(point)
    assert everything_but_arrays(found) == everything_but_arrays(replace(made, outlier=reason))
    np.testing.assert_array_equal(found.key, unit_rows(key[np.newaxis])[0])
    np.testing.assert_array_equal(found.vector, vector.astype(np.float16))
    assert found.appearance is not None
    assert made.appearance is not None
    np.testing.assert_array_equal(found.appearance, made.appearance.astype(np.float16))
    json.dumps(point.payload)


def test_without_an_appearance_there_is_none(prototype: Prototype) -> None:
    point = make_point("x", replace(prototype, appearance=None), 7)
    assert set(point.vectors) == {KEY, PROTOTYPE}
    assert prototype_of(point).appearance is None


def test_fields_of_the_store_itself_are_not_shown(prototype: Prototype) -> None:
    for point in (make_point("x", prototype, 7), hide(make_point("x", prototype, 7), "odd")):
        assert not {MARKED, CHECKS, HIDDEN_KEY, "added"} & public_payload(point).keys()
        assert public_payload(point)["noun"] == prototype.noun


@pytest.mark.parametrize("name", [KEY, PROTOTYPE, APPEARANCE])
@pytest.mark.parametrize("damage", ["changed", "gone", "no check", "checks are none"])
def test_a_vector_that_changed_or_is_gone_is_damaged(prototype: Prototype, name: str, damage: str) -> None:
    point = make_point("an-id", prototype, 7)
    vectors, checks = dict(point.vectors), point.payload[CHECKS]
    if damage == "changed":
        vectors[name] = vectors[name].copy()
        vectors[name][3] += 1
    elif damage == "gone":
        del vectors[name]
    elif damage == "no check":
        checks = checks[: 8 * [KEY, PROTOTYPE, ABOUT, APPEARANCE].index(name)]
    changed = Point("an-id", {**point.payload, CHECKS: checks if damage != "checks are none" else None}, vectors)
    with pytest.raises(InputError, match=f"the {name} of the prototype an-id in the bank is gone or damaged: restore"):
        vector_of(changed, name)
    if (name, damage) != (APPEARANCE, "no check"):  # which is that of a point without one
        with pytest.raises(InputError, match="damaged"):
            prototype_of(changed)


@pytest.mark.parametrize("hidden", ["", "AAAA", "*", None, 7])
def test_a_hidden_key_that_is_damaged_is_told(prototype: Prototype, hidden: object) -> None:
    point = hide(make_point("an-id", prototype, 7), "odd")
    changed = Point(point.id, {**point.payload, HIDDEN_KEY: hidden}, point.vectors)
    with pytest.raises(InputError, match="the key of the prototype an-id in the bank is gone or damaged"):
        vector_of(changed, KEY)
    without = Point(point.id, {k: v for k, v in point.payload.items() if k != HIDDEN_KEY}, point.vectors)
    with pytest.raises(InputError, match="gone or damaged"):
        key_of(without)
    with pytest.raises(InputError, match="gone or damaged"):
        show(without)


@pytest.mark.parametrize(
    "damage",
    [
        {"noun": None},
        {"noun": "cat"},
        {ABOUT: None},
        {ABOUT: "{}"},
        {CHECKS: {}},
        {CHECKS: "00000000" * 3},
    ],
)
def test_texts_that_are_damaged_are_told(prototype: Prototype, damage: dict[str, object]) -> None:
    point = make_point("an-id", prototype, 7)
    payload = {name: value for name, value in (point.payload | damage).items() if value is not None}
    with pytest.raises(
        InputError, match="the description of the prototype an-id in the bank is gone or damaged: restore"
    ):
        public_payload(Point(point.id, payload, point.vectors))


def test_a_changed_letter_of_a_caption_is_found(prototype: Prototype) -> None:
    point = make_point("an-id", prototype, 7)
    about = point.payload[ABOUT].replace("seen", "seem")
    assert about != point.payload[ABOUT]
    with pytest.raises(InputError, match="the description of the prototype an-id"):
        prototype_of(Point(point.id, point.payload | {ABOUT: about}, point.vectors))


def test_registers_are_no_prototypes(prototype: Prototype) -> None:
    point = make_point("an-id", prototype, 7)
    assert prototypes_among([Point(REGISTERS[0]), point, Point(REGISTERS[1])]) == [point]


def test_only_canonical_identifiers_can_be_ids_of_points() -> None:
    good = "5f2d6c1e-6f0b-5c53-9d2e-8f5c54f3b7a1"
    bad = [good.upper(), good.replace("-", ""), f"{{{good}}}", "x", "", "7", *REGISTERS]
    assert possible_ids([good, *bad, good]) == [good]


@property_test
@given(
    keys=arrays.arrays(np.float32, (5, 40), elements=st.floats(-1, 1, width=32)).filter(lambda k: k.any(axis=1).all()),
    vectors=arrays.arrays(np.float32, (5, 60), elements=VECTORS),
    noun=st.text(max_size=100),
)
def test_as_many_points_as_are_written_at_once_fit_into_a_request(
    make_prototypes: MakePrototypes, keys: np.ndarray, vectors: np.ndarray, noun: str
) -> None:
    allowed = 30_000
    connection = Connection("http://127.0.0.1", request_bytes=allowed)
    at_once = ServerEngine(connection.client(), connection, "x", new_manifest("p", 40, 60)).points_an_operation
    assert at_once > 1
    prototypes = [
        replace(p, appearance=unit_rows(p.key[np.newaxis])[0])
        for p in make_prototypes(keys=keys, vectors=vectors, nouns=[noun])[:at_once]
    ]
    points = make_points({point_id(p): p for p in prototypes}, 2**50)
    content = [
        {"id": p.id, "payload": p.payload, "vector": {k: v.tolist() for k, v in p.vectors.items()}} for p in points
    ]
    assert len(json.dumps(content, ensure_ascii=False).encode()) <= allowed


def test_the_id_never_changes(make_prototypes: MakePrototypes) -> None:
    # Banks on disk depend on it: another value here makes every stored prototype a stranger.
    (prototype,) = make_prototypes(1, nouns=["café"])
    assert point_id(prototype) == "bb325cb4-b244-540a-aea2-c21adb073fe5"


@pytest.mark.parametrize("change", [{"noun": "cat"}, {"caption_id": "f" * 16}, {"seed": 7}, {"pack": "other"}])
def test_the_id_follows_what_was_made(make_prototypes: MakePrototypes, change: dict[str, Any]) -> None:
    (prototype,) = make_prototypes(1)
    assert point_id(replace(prototype, **change)) != point_id(prototype)


def test_the_id_follows_nothing_else(make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1)
    moved = replace(prototype, job="later", key=prototype.key * 2, vector=prototype.vector + 1, caption="", image="")
    assert point_id(moved) == point_id(prototype)
