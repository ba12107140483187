"""The K nearest keys, whichever engine keeps the points."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.errors import InputError
from tests.bank.store_contract import (
    FLOAT16_RELATIVE,
    ONES,
    ORIGINS,
    SCORE_TOLERANCE,
    MakePrototypes,
    MakeStore,
    cosines,
    ids_of,
    lay_out_keys,
    property_test,
)


@property_test
@given(
    layout=st.sampled_from(["random", "clustered", "duplicated", "of any length"]),
    number=st.integers(1, 60),
    dimension=st.integers(2, 33),
    query_number=st.integers(1, 6),
    k=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
    origins=st.none() | st.sets(st.sampled_from(ORIGINS), min_size=1).map(frozenset),
    marked=st.booleans(),
)
def test_nearest_agrees_with_a_brute_force_scan(
    make_store: MakeStore,
    make_prototypes: MakePrototypes,
    *,
    layout: str,
    number: int,
    dimension: int,
    query_number: int,
    k: int,
    seed: int,
    origins: frozenset[str] | None,
    marked: bool,
) -> None:
    generator = np.random.default_rng(seed)
    keys = lay_out_keys(layout, number, dimension, generator)
    queries = np.concatenate([keys[:1], lay_out_keys("of any length", query_number, dimension, generator)])
    prototypes = make_prototypes(
        keys=keys, nouns=("dog", "tree", "car"), origins=ORIGINS, outliers=("", "", "odd", "") if marked else ("",)
    )
    store = make_store(key_dimension=dimension)
    store.add(prototypes)

    found = store.nearest(queries, k, origins=origins)

    row_of = {identifier: row for row, identifier in enumerate(ids_of(prototypes))}
    meant = [
        row
        for row, prototype in enumerate(prototypes)
        if not prototype.outlier and (origins is None or prototype.origin in origins)
    ]
    expected = cosines(queries, keys)
    assert len(found) == len(queries)
    for neighbours, scores in zip(found, expected, strict=True):
        rows = [row_of[identifier] for identifier in neighbours.ids]
        assert len(set(rows)) == len(rows) == min(k, len(meant))
        assert set(rows) <= set(meant)
        # The scores are the best there are, and each id has the score it is given with: ids are right up to ties.
        best = np.sort(scores[meant])[::-1][: len(rows)]
        np.testing.assert_allclose(neighbours.scores, best, atol=SCORE_TOLERANCE, rtol=0)
        np.testing.assert_allclose(neighbours.scores, scores[rows], atol=SCORE_TOLERANCE, rtol=0)
        listed = list(zip(-neighbours.scores, neighbours.ids, strict=True))
        assert listed == sorted(listed)
        assert list(neighbours.nouns) == [prototypes[row].noun for row in rows]
        assert list(neighbours.origins) == [prototypes[row].origin for row in rows]
        stored = np.stack([prototypes[row].vector for row in rows]) if rows else np.empty((0, 7))
        np.testing.assert_allclose(neighbours.vectors, stored, rtol=FLOAT16_RELATIVE, atol=1e-7)
    store.close()


@property_test
@given(copies=st.integers(2, 60), others=st.integers(0, 5), k=st.integers(1, 70), seed=st.integers(0, 2**32 - 1))
def test_of_equal_keys_those_with_the_smallest_ids_are_nearest(
    make_store: MakeStore, make_prototypes: MakePrototypes, *, copies: int, others: int, k: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    query = generator.normal(size=(1, 5))
    keys = np.concatenate([np.repeat(query, copies, axis=0), -generator.uniform(1, 2, size=(others, 1)) * query])
    prototypes = make_prototypes(keys=keys.astype(np.float32))
    store = make_store()
    store.add(prototypes)
    (found,) = store.nearest(query.astype(np.float32), k)
    equal = sorted(ids_of(prototypes[:copies]))
    assert list(found.ids[:copies]) == equal[:k]
    store.close()


def test_neighbours_have_the_types_that_are_promised(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(4))
    (found,) = store.nearest(ONES, 3)
    assert found.scores.shape == (3,)
    assert found.scores.dtype == np.float32
    assert found.vectors.shape == (3, 7)
    assert found.vectors.dtype == np.float32
    for texts in (found.ids, found.nouns, found.origins):
        assert isinstance(texts, tuple)
        assert all(isinstance(text, str) for text in texts)


def test_many_queries_are_answered_in_their_order(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(150)
    store = make_store()
    store.add(prototypes)
    found = store.nearest(np.stack([prototype.key for prototype in prototypes]), 1)
    assert [neighbours.ids[0] for neighbours in found] == ids_of(prototypes)


def test_a_query_alone_is_answered_as_among_others(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(20))
    queries = np.arange(1, 16, dtype=np.float32).reshape(3, 5)
    for query, among in zip(queries, store.nearest(queries, 4), strict=True):
        (alone,) = store.nearest(query[np.newaxis], 4)
        assert alone.ids == among.ids
        np.testing.assert_array_equal(alone.scores, among.scores)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (np.ones((1, 4)), 1, r"shape \(1, 4\), expected \(number, 5\)"),
        (np.ones(5), 1, r"shape \(5,\), expected \(number, 5\)"),
        (np.full((1, 5), np.nan), 1, "not finite"),
        (np.array([[1.0] * 5, [0.0] * 5]), 1, "a query is zero"),
        (np.ones((1, 5)), 0, "the number of neighbours is 0"),
    ],
)
def test_unusable_queries_are_refused(
    make_store: MakeStore, queries: npt.NDArray[np.float64], k: int, message: str
) -> None:
    store = make_store()
    with pytest.raises(InputError, match=message):
        store.nearest(queries.astype(np.float32), k)


def test_a_store_is_searched_while_it_grows(
    engine: str, make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    first = make_prototypes(50)
    store = make_store()
    store.add(first)
    best = store.nearest(ONES, 1)[0].scores[0]
    with ThreadPoolExecutor(1) as adding:
        added = adding.submit(lambda: [store.add(make_prototypes(50, start=start)) for start in range(50, 500, 50)])
        while not added.done():
            (found,) = store.nearest(ONES, 40)
            assert len(set(found.ids)) == 40
            assert found.scores[0] >= best
            best = found.scores[0]
            # A server shows a batch within one operation, but not within one moment.
            assert engine == "running server" or store.count() % 50 == 0
    assert added.result() == [50] * 9
    assert store.count() == 500
