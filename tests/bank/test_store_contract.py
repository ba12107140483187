"""What every prototype store does, whichever engine keeps the points: `make_store` in conftest.py lists the engines."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeda_svc.bank import PrototypeStore, point_id
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import Prototype

MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]
Array = npt.NDArray[np.float32]

FLOAT16_RELATIVE = 2.0**-11
SCORE_TOLERANCE = 4e-6


def cosines(queries: Array, keys: Array) -> npt.NDArray[np.float64]:
    wide_queries, wide_keys = queries.astype(np.float64), keys.astype(np.float64)
    unit_queries = wide_queries / np.linalg.norm(wide_queries, axis=1, keepdims=True)
    unit_keys = wide_keys / np.linalg.norm(wide_keys, axis=1, keepdims=True)
    products: npt.NDArray[np.float64] = unit_queries @ unit_keys.T
    return products


def lay_out_keys(layout: str, number: int, dimension: int, generator: np.random.Generator) -> Array:
    keys = generator.normal(size=(number, dimension))
    if layout == "clustered":
        centres = generator.normal(size=(3, dimension))
        keys = 0.9 * centres[generator.integers(3, size=number)] + 0.01 * keys
    elif layout == "duplicated":
        keys = keys[generator.integers(max(1, number // 4), size=number)]
    elif layout == "of any length":
        keys *= 10.0 ** generator.uniform(-30, 30, size=(number, 1))
    return keys.astype(np.float32)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layout=st.sampled_from(["random", "clustered", "duplicated", "of any length"]),
    number=st.integers(1, 60),
    dimension=st.integers(2, 33),
    query_number=st.integers(1, 6),
    k=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
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
) -> None:
    generator = np.random.default_rng(seed)
    keys = lay_out_keys(layout, number, dimension, generator)
    queries = np.concatenate([keys[:1], lay_out_keys("of any length", query_number, dimension, generator)])
    prototypes = make_prototypes(keys=keys)
    store = make_store(key_dimension=dimension)
    store.add(prototypes)

    found = store.nearest(queries, k)

    row_of = {point_id(prototype): row for row, prototype in enumerate(prototypes)}
    expected = cosines(queries, keys)
    assert len(found) == len(queries)
    for neighbours, scores in zip(found, expected, strict=True):
        rows = [row_of[identifier] for identifier in neighbours.ids]
        assert len(set(rows)) == len(rows) == min(k, number)
        # The scores are the best there are, and each id has the score it is given with: ids are right up to ties.
        np.testing.assert_allclose(neighbours.scores, np.sort(scores)[::-1][: len(rows)], atol=SCORE_TOLERANCE, rtol=0)
        np.testing.assert_allclose(neighbours.scores, scores[rows], atol=SCORE_TOLERANCE, rtol=0)
        stored = np.stack([prototypes[row].vector for row in rows])
        np.testing.assert_allclose(neighbours.vectors, stored, rtol=FLOAT16_RELATIVE, atol=1e-7)
        assert [payload["caption_id"] for payload in neighbours.payloads] == [prototypes[r].caption_id for r in rows]
    store.close()


def test_neighbours_have_the_types_that_are_promised(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(4))
    (found,) = store.nearest(np.ones((1, 5), dtype=np.float32), 3)
    assert found.scores.shape == (3,)
    assert found.scores.dtype == np.float32
    assert found.vectors.shape == (3, 7)
    assert found.vectors.dtype == np.float32
    assert all(isinstance(identifier, str) for identifier in found.ids)


def test_many_queries_are_answered_in_their_order(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(150)
    store = make_store()
    store.add(prototypes)
    found = store.nearest(np.stack([prototype.key for prototype in prototypes]), 1)
    assert [neighbours.ids[0] for neighbours in found] == [point_id(prototype) for prototype in prototypes]


def test_a_raw_vector_comes_back_with_its_length(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    vector = np.array([1000.1, -60000.0, 0.001, 6e-5, 0.0, 3.14159, -1e-3], dtype=np.float32)
    (prototype,) = make_prototypes(1, vectors=vector[np.newaxis], keys=np.ones((1, 5), dtype=np.float32))
    store = make_store()
    store.add([prototype])
    found = store.search(prototype.key, 1)
    np.testing.assert_allclose(found.vectors[0], vector, rtol=FLOAT16_RELATIVE, atol=1e-7)


def test_everything_but_the_arrays_is_kept(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1, nouns=["café ☕"], job="job-1")
    store = make_store()
    store.add([prototype])
    (payload,) = store.search(prototype.key, 1).payloads
    assert payload == {
        "noun": "café ☕",
        "caption_id": "0" * 16,
        "caption": "a café ☕ seen 0 times",
        "spans": [[2, 5], [9, 12]],
        "seed": 2**63 - 1,
        "mask_area": 0.25,
        "contrast": 0.5,
        "image_text_score": 0.75,
        "pack": prototype.pack,
        "job": "job-1",
        "image": "thumbnails/a.png",
        "mask": "thumbnails/a.dog.mask.png",
        "attribution": "thumbnails/a.dog.attribution.png",
    }


def test_search_is_nearest_with_one_query(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(20))
    query = np.arange(5, dtype=np.float32) + 1
    alone, (batched,) = store.search(query, 4), store.nearest(query[np.newaxis], 4)
    assert alone.ids == batched.ids
    np.testing.assert_array_equal(alone.scores, batched.scores)


def test_adding_again_adds_nothing(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    assert store.add(make_prototypes(4)) == 4
    assert store.add(make_prototypes(4)) == 0
    assert store.add(make_prototypes(6)) == 2
    assert store.count() == 6


def test_adding_again_leaves_what_is_there(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1)
    store = make_store()
    store.add([prototype])
    store.add([replace(prototype, job="later", vector=prototype.vector + 1)])
    found = store.search(prototype.key, 1)
    assert found.payloads[0]["job"] == ""
    np.testing.assert_allclose(found.vectors[0], prototype.vector, rtol=FLOAT16_RELATIVE)


def test_a_prototype_twice_in_a_batch_is_stored_once(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(2)
    store = make_store()
    assert store.add([*prototypes, *prototypes]) == 2
    assert store.count() == 2


def test_adding_no_prototypes_adds_nothing(make_store: MakeStore) -> None:
    store = make_store()
    assert store.add([]) == 0
    assert store.count() == 0


def test_an_empty_store_has_no_neighbours(make_store: MakeStore) -> None:
    store = make_store()
    (found,) = store.nearest(np.ones((1, 5), dtype=np.float32), 350)
    assert found.ids == ()
    assert found.payloads == ()
    assert found.scores.shape == (0,)
    assert found.vectors.shape == (0, 7)
    assert store.nouns() == {}


def test_no_queries_have_no_answers(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(2))
    assert store.nearest(np.empty((0, 5), dtype=np.float32), 3) == []


def test_nouns_are_counted_in_alphabetical_order(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(5, nouns=["tree", "dog"]))
    store.add(make_prototypes(2, nouns=["zebra", "ant"], start=100))
    assert list(store.nouns().items()) == [("ant", 1), ("dog", 2), ("tree", 3), ("zebra", 1)]


def test_more_than_ten_thousand_nouns_are_all_listed(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    number = 10_300
    names = [f"noun {i}" for i in range(number)]
    store = make_store()
    assert store.add(make_prototypes(number, nouns=names)) == number
    assert store.add(make_prototypes(200, nouns=["noun 0"], start=number)) == 200
    assert store.count() == number + 200
    nouns = store.nouns()
    assert nouns == {name: 201 if name == "noun 0" else 1 for name in names}
    assert store.stats().captions == number + 200
    assert len(store.search(np.ones(5, dtype=np.float32), number + 200).ids) == number + 200


def test_stats_describe_the_store(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(3, job="a"))
    store.add(make_prototypes(2, job="b", start=10))
    store.add(make_prototypes(1, nouns=["cat"], start=20))
    (other_noun,) = make_prototypes(1, nouns=["bird"], start=20)
    store.add([other_noun])
    stats = store.stats()
    assert (stats.prototypes, stats.nouns, stats.captions, stats.jobs) == (7, 4, 6, 2)
    assert stats.pack == store.pack == other_noun.pack
    assert (stats.key_dimension, stats.vector_dimension) == (store.key_dimension, store.vector_dimension) == (5, 7)
    assert stats.bytes_on_disk > 0


def with_value(values: Array, value: float) -> Array:
    changed = values.copy()
    changed[1] = value
    return changed


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: replace(p, key=p.key[:4]), r"its key has shape \(4,\), expected \(5,\)"),
        (lambda p: replace(p, vector=p.vector[:6]), r"its vector has shape \(6,\), expected \(7,\)"),
        (lambda p: replace(p, key=with_value(p.key, np.nan)), "its key has values that are not finite"),
        (lambda p: replace(p, key=with_value(p.key, np.inf)), "its key has values that are not finite"),
        (lambda p: replace(p, key=np.zeros_like(p.key)), "its key is zero"),
        (lambda p: replace(p, vector=with_value(p.vector, np.nan)), "its vector has values that are not finite"),
        (lambda p: replace(p, vector=with_value(p.vector, -70000.0)), "beyond 65504"),
        (lambda p: replace(p, pack="another"), "made with pack another, but the bank holds pack pack-of-the-tests"),
    ],
)
def test_one_bad_prototype_refuses_its_whole_batch(
    make_store: MakeStore,
    make_prototypes: MakePrototypes,
    spoil: Callable[[Prototype], Prototype],
    message: str,
) -> None:
    first, second, third = make_prototypes(3)
    store = make_store()
    with pytest.raises(InputError, match=f"'tree'.*0001.*{message}") as caught:
        store.add([first, spoil(second), third])
    assert "\n" not in str(caught.value)
    assert store.count() == 0
    assert store.add([first, second, third]) == 3


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (np.ones((1, 4)), 1, r"shape \(1, 4\), expected \(number, 5\)"),
        (np.ones(5), 1, r"shape \(5,\), expected \(number, 5\)"),
        (np.full((1, 5), np.nan), 1, "not finite"),
        (np.array([[1.0] * 5, [0.0] * 5]), 1, "a query is zero"),
        (np.ones((1, 5)), 0, "0 neighbours were asked for"),
    ],
)
def test_unusable_queries_are_refused(
    make_store: MakeStore, queries: npt.NDArray[np.float64], k: int, message: str
) -> None:
    store = make_store()
    with pytest.raises(InputError, match=message):
        store.nearest(queries.astype(np.float32), k)


def test_a_store_is_searched_while_it_grows(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    first, query = make_prototypes(50), np.ones((1, 5), dtype=np.float32)
    store = make_store()
    store.add(first)
    best = store.nearest(query, 1)[0].scores[0]
    with ThreadPoolExecutor(1) as adding:
        added = adding.submit(lambda: [store.add(make_prototypes(50, start=start)) for start in range(50, 500, 50)])
        while not added.done():
            (found,) = store.nearest(query, 40)
            assert len(set(found.ids)) == 40
            assert found.scores[0] >= best
            best = found.scores[0]
    assert added.result() == [50] * 9
    assert store.count() == 500


def test_closing_twice_is_allowed(make_store: MakeStore) -> None:
    store = make_store()
    store.close()
    store.close()
