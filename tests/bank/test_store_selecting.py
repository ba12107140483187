"""Choosing, forgetting, marking and scanning prototypes, whichever engine keeps the points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.bank import ALL, Selection, point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.errors import InputError, NotFoundError
from tests.bank.store_contract import (
    FLOAT16_RELATIVE,
    ONES,
    ORIGINS,
    MakePrototypes,
    MakeStore,
    everything_but_arrays,
    ids_of,
    lay_out_keys,
    property_test,
    scanned,
)

SELECTIONS = [
    ALL,
    Selection(noun="dog"),
    Selection(job="b"),
    Selection(job=""),
    Selection(caption_id=f"{3:016x}"),
    Selection(origin="exemplar"),
    Selection(outlier=True),
    Selection(outlier=False),
    Selection(noun="tree", origin="exemplar", outlier=True),
    Selection(noun="dog", job="a", caption_id=f"{0:016x}"),
    Selection(noun="nothing"),
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_a_selection_means_those_for_which_all_holds(
    make_store: MakeStore, make_prototypes: MakePrototypes, selection: Selection
) -> None:
    prototypes = [
        *make_prototypes(8, job="a", origins=ORIGINS, outliers=["", "small"]),
        *make_prototypes(7, job="b", start=100, outliers=["", "", "odd"]),
        *make_prototypes(2, nouns=["tree"], origins=["exemplar"], start=3),
    ]
    store = make_store()
    store.add(prototypes)
    expected = {
        point_id(p)
        for p in prototypes
        if all(getattr(selection, name) in (None, getattr(p, name)) for name in ("noun", "job", "caption_id", "origin"))
        and selection.outlier in (None, p.outlier != "")
    }
    assert bool(expected) == (selection.noun != "nothing")
    assert sorted(store.select(selection)) == sorted(expected)
    assert store.count(selection) == len(expected)
    assert scanned(store, selection).keys() == expected


def test_what_was_forgotten_is_gone(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(6)
    gone, left = prototypes[:2], prototypes[2:]
    store = make_store()
    store.add(prototypes)
    assert store.forget([*ids_of(gone), ids_of(gone)[0]]) == 2
    assert store.forget(ids_of(gone)) == 0
    assert store.count() == 4
    assert sorted(store.select(ALL)) == sorted(store.nearest(ONES, 10)[0].ids) == sorted(ids_of(left))
    assert store.nouns() == {"dog": 2, "tree": 2}
    with pytest.raises(NotFoundError):
        store.vectors(ids_of(gone))
    assert store.add(prototypes) == 2
    assert store.count() == 6


def test_marked_prototypes_stay_but_are_not_retrieved(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(6)
    first, second, third, *_ = ids_of(prototypes)
    store = make_store()
    store.add(prototypes)
    before = store.nearest(ONES, 10)[0].ids
    assert store.mark({first: "too small", second: "alone"}) == 2
    assert store.mark({second: "unlike its noun", third: "alone"}) == 1
    assert sorted(store.nearest(ONES, 10)[0].ids) == sorted(ids_of(prototypes[3:]))
    assert store.count() == store.stats().prototypes == 6
    assert store.count(Selection(outlier=True)) == store.stats().outliers == 3
    reasons = [payload["outlier"] for payload in store.payloads(ids_of(prototypes))]
    assert reasons == ["too small", "unlike its noun", "alone", "", "", ""]
    assert store.unmark([first, second, ids_of(prototypes)[5]]) == 2
    assert store.unmark([first]) == 0
    assert store.select(Selection(outlier=True)) == [third]
    assert store.unmark([third, third]) == 1
    assert store.nearest(ONES, 10)[0].ids == before
    assert [payload["outlier"] for payload in store.payloads(ids_of(prototypes))] == [""] * 6


def test_a_mark_needs_a_reason(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(2)
    first, second = ids_of(prototypes)
    store = make_store()
    store.add(prototypes)
    with pytest.raises(InputError, match=second):
        store.mark({first: "odd", second: ""})
    assert store.count(Selection(outlier=True)) == 0


def test_prototypes_that_come_with_a_mark_are_marked(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(4, outliers=["", "odd"])
    store = make_store()
    assert store.add(prototypes) == 4
    assert sorted(store.select(Selection(outlier=True))) == sorted(ids_of(prototypes[1::2]))
    assert sorted(store.nearest(ONES, 10)[0].ids) == sorted(ids_of(prototypes[::2]))
    assert store.unmark(ids_of(prototypes)) == 2
    assert len(store.nearest(ONES, 10)[0].ids) == 4


@property_test
@given(
    number=st.integers(0, 40),
    at_once=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_scanned_makes_the_same_store_elsewhere(
    make_store: MakeStore, make_prototypes: MakePrototypes, *, number: int, at_once: int, seed: int
) -> None:
    keys = lay_out_keys("of any length", number, 5, np.random.default_rng(seed))
    prototypes = make_prototypes(keys=keys, origins=ORIGINS, outliers=["", "", "odd"], job="a") if number else []
    store, other = make_store(), make_store()
    store.add(prototypes)
    for some in store.scan(at_once=at_once):
        assert other.add(some) == len(some)
    first, second = scanned(store), scanned(other, at_once=at_once)
    assert first.keys() == second.keys() == set(ids_of(prototypes))
    for prototype in prototypes:
        identifier = point_id(prototype)
        once, twice = first[identifier], second[identifier]
        assert everything_but_arrays(once) == everything_but_arrays(twice) == everything_but_arrays(prototype)
        assert once.key.dtype == once.vector.dtype == np.float32
        np.testing.assert_allclose(once.key, unit_rows(prototype.key[np.newaxis])[0], atol=2e-7, rtol=0)
        np.testing.assert_allclose(once.vector, prototype.vector, rtol=FLOAT16_RELATIVE, atol=1e-7)
        np.testing.assert_array_equal(once.key, twice.key)
        np.testing.assert_array_equal(once.vector, twice.vector)
    store.close()
    other.close()


def test_a_scan_has_a_stable_order_and_full_lists(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(25))
    lists = list(store.scan(at_once=10))
    assert [len(some) for some in lists] == [10, 10, 5]
    order = [point_id(prototype) for some in lists for prototype in some]
    assert [point_id(prototype) for some in store.scan(at_once=7) for prototype in some] == order
