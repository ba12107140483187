"""The mean appearance of the nearest prototypes, whichever engine keeps the points."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.bank import Approximate, PrototypeStore, appearances, make_or_open_folder, open_folder, point_id
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.prototypes.record import Prototype
from tests.bank.store_contract import ORIGINS, Array, MakePrototypes, MakeStore, ids_of, property_test

DIRECTIONS = np.eye(3, 7, dtype=np.float32)


def with_appearances(prototypes: list[Prototype], every: int = 1, seed: int = 0) -> list[Prototype]:
    """Every so-manieth has an appearance, the others none."""
    drawn = np.random.default_rng(seed).normal(size=(len(prototypes), prototypes[0].key.size))
    unit = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    return [
        replace(prototype, appearance=None if number % every else unit[number])
        for number, prototype in enumerate(prototypes)
    ]


def restated(
    prototypes: list[Prototype], vectors: Array, k: int, origins: frozenset[str] | None = None
) -> npt.NDArray[np.float64]:
    """One vector and one prototype after the other, in double precision."""
    usable = [
        one
        for one in prototypes
        if one.appearance is not None and not one.outlier and (origins is None or one.origin in origins)
    ]
    means = []
    for vector in vectors.astype(np.float64):
        direction = (vector / np.linalg.norm(vector)).astype(np.float16).astype(np.float64)
        products = [float(direction @ one.vector.astype(np.float16).astype(np.float64)) for one in usable]
        nearest = np.argsort(products)[::-1][:k]
        total = sum((usable[place].appearance.astype(np.float16).astype(np.float64) for place in nearest), np.zeros(5))
        means.append(total / (np.linalg.norm(total) or 1.0))
    return np.array(means)


@property_test
@given(
    number=st.integers(1, 40),
    rows=st.integers(1, 9),
    k=st.integers(1, 50),
    every=st.integers(1, 3),
    marked=st.booleans(),
    origins=st.none() | st.sets(st.sampled_from(ORIGINS), min_size=1).map(frozenset),
    at_once=st.sampled_from([1, 20, 10_000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_mean_is_that_of_the_nearest_prototypes_that_have_an_appearance(
    make_store: MakeStore,
    make_prototypes: MakePrototypes,
    *,
    number: int,
    rows: int,
    k: int,
    every: int,
    marked: bool,
    origins: frozenset[str] | None,
    at_once: int,
    seed: int,
) -> None:
    given = make_prototypes(number, origins=ORIGINS, outliers=("", "odd") if marked else ("",))
    prototypes = with_appearances(given, every, seed)
    vectors = np.random.default_rng(seed).normal(size=(rows, 7)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(appearances, "NEIGHBOURS_AT_ONCE", at_once)
        patch.setattr(appearances, "VALUES_KEPT", 5 * 12)  # fewer than there are
        store = make_store()
        store.add(prototypes)
        for _ in range(2):  # what is cached is the same
            found = store.mean_appearances(100 * vectors, k, origins=origins)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, restated(prototypes, vectors, k, origins), atol=1e-5)
    usable = [one for one in prototypes if one.appearance is not None and not one.outlier]
    assert store.count_appearances(origins) == sum(origins is None or one.origin in origins for one in usable)


def test_the_mean_follows_the_bank(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store, prototypes = make_store(), with_appearances(make_prototypes(12))
    store.add(prototypes[:6])
    ids = ids_of(prototypes)

    def check(present: list[Prototype]) -> None:
        np.testing.assert_allclose(store.mean_appearances(DIRECTIONS, 4), restated(present, DIRECTIONS, 4), atol=1e-5)
        assert store.count_appearances() == len(present)

    check(prototypes[:6])
    store.add(prototypes[6:])
    check(prototypes)
    store.mark({ids[0]: "odd", ids[7]: "odd"})
    check([*prototypes[1:7], *prototypes[8:]])
    store.unmark([ids[7]])
    store.forget(ids[8:10])
    check([*prototypes[1:8], *prototypes[10:]])
    changed = replace(prototypes[8], appearance=prototypes[0].appearance)  # the same work done with other weights
    store.add([changed])
    check([*prototypes[1:8], *prototypes[10:], changed])


def test_a_bank_without_appearances_has_no_mean(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    assert store.count_appearances() == 0
    store.add(make_prototypes(5))
    assert store.count_appearances() == 0
    assert not store.mean_appearances(DIRECTIONS, 3).any()
    assert store.mean_appearances(DIRECTIONS[:0], 3).shape == (0, 5)


def test_what_is_removed_between_search_and_reading_adds_nothing(
    make_store: MakeStore, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, prototypes = make_store(), with_appearances(make_prototypes(6))
    store.add(prototypes)
    search = appearances.rank
    gone = prototypes[2]

    def removing(*given: object) -> object:
        found = search(*given)  # type: ignore[arg-type]
        store.forget([point_id(gone)])
        return found

    monkeypatch.setattr(appearances, "rank", removing)
    left = [one for one in prototypes if one is not gone]
    np.testing.assert_allclose(store.mean_appearances(DIRECTIONS, 6), restated(left, DIRECTIONS, 6), atol=1e-5)


@pytest.mark.parametrize("graph", [False, True])
def test_the_search_is_exact_unless_the_bank_is_opened_for_graphs(
    graph: bool,
    folder: Path,
    make_prototypes: MakePrototypes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prototypes = with_appearances(make_prototypes(40))
    with make_or_open_folder(folder, prototypes[0].pack, 5, 7) as store:
        store.add(prototypes)
    rank, seen = appearances.rank, []
    monkeypatch.setattr(appearances, "rank", lambda engine, search: seen.append(search) or rank(engine, search))
    with open_folder(folder, Approximate(1000) if graph else None) as store:
        found = store.mean_appearances(DIRECTIONS, 4)  # without a graph it is exact
        np.testing.assert_allclose(found, restated(prototypes, DIRECTIONS, 4), atol=1e-5)
    assert [search.approximate for search in seen] == [Approximate(appearances.GRAPH_DEPTH) if graph else None]


@pytest.mark.parametrize(
    ("vectors", "k", "message"),
    [
        (DIRECTIONS, 0, "the number of neighbours is 0, expected at least 1"),
        (DIRECTIONS[:, :5], 3, r"the vector rows are an array of shape \(3, 5\), expected \(number, 7\)"),
        (0 * DIRECTIONS, 3, "a vector is zero"),
        (np.inf * np.ones((1, 7), np.float32), 3, "a vector has values that are not finite"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(
    make_store: MakeStore, vectors: Array, k: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        make_store().mean_appearances(vectors, k)


def test_a_closed_bank_gives_no_mean(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store: PrototypeStore = make_store()
    store.add(with_appearances(make_prototypes(3)))
    store.close()
    with pytest.raises(UnavailableError, match="it is closed"):
        store.mean_appearances(DIRECTIONS, 2)
