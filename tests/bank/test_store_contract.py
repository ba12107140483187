"""What every prototype store does, whichever engine keeps the points: `make_store` in conftest.py lists the engines."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freeda_svc.bank import ALL, PrototypeStore, Selection, point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.prototypes.record import Prototype

MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]
Array = npt.NDArray[np.float32]

FLOAT16_RELATIVE = 2.0**-11
SCORE_TOLERANCE = 4e-6
ORIGINS = ("generated", "exemplar", "imported")
NOWHERE = "00000000-0000-5000-8000-000000000000"
ONES = np.ones((1, 5), dtype=np.float32)

property_test = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


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


def ids_of(prototypes: list[Prototype]) -> list[str]:
    return [point_id(prototype) for prototype in prototypes]


def scanned(store: PrototypeStore, selection: Selection = ALL, at_once: int = 1000) -> dict[str, Prototype]:
    found = [prototype for some in store.scan(selection, at_once=at_once) for prototype in some]
    by_id = {point_id(prototype): prototype for prototype in found}
    assert len(by_id) == len(found)
    return by_id


def everything_but_arrays(prototype: Prototype) -> dict[str, object]:
    return {f.name: getattr(prototype, f.name) for f in fields(Prototype) if f.name not in {"key", "vector"}}


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


def test_a_raw_vector_comes_back_with_its_length(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    vector = np.array([1000.1, -60000.0, 0.001, 6e-5, 0.0, 3.14159, -1e-3], dtype=np.float32)
    (prototype,) = make_prototypes(1, vectors=vector[np.newaxis], keys=ONES)
    store = make_store()
    store.add([prototype])
    (found,) = store.nearest(prototype.key[np.newaxis], 1)
    np.testing.assert_allclose(found.vectors[0], vector, rtol=FLOAT16_RELATIVE, atol=1e-7)


def test_vectors_and_payloads_come_in_the_order_of_the_ids(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(30)
    store = make_store()
    store.add(prototypes)
    wanted = [prototypes[row] for row in (17, 3, 29, 3)]
    vectors = store.vectors(ids_of(wanted))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, np.stack([p.vector for p in wanted]), rtol=FLOAT16_RELATIVE, atol=1e-7)
    assert [payload["caption_id"] for payload in store.payloads(ids_of(wanted))] == [p.caption_id for p in wanted]


def test_everything_but_the_arrays_is_kept(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1, nouns=["café ☕"], job="job-1", origins=["exemplar"])
    store = make_store()
    store.add([prototype])
    (payload,) = store.payloads([point_id(prototype)])
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
        "origin": "exemplar",
        "outlier": "",
        "image": "thumbnails/a.png",
        "mask": "thumbnails/a.dog.mask.png",
        "attribution": "thumbnails/a.dog.attribution.png",
    }


@pytest.mark.parametrize("unknown", [NOWHERE, "no id"])
def test_unknown_ids_are_told_or_passed_over(
    make_store: MakeStore, make_prototypes: MakePrototypes, unknown: str
) -> None:
    (prototype,) = make_prototypes(1)
    store = make_store()
    store.add([prototype])
    ids = [point_id(prototype), unknown]
    with pytest.raises(NotFoundError, match=unknown) as caught:
        store.vectors(ids)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotFoundError, match=unknown):
        store.payloads(ids)
    assert store.mark(dict.fromkeys(ids, "odd")) == 1
    assert store.unmark(ids) == 1
    assert store.forget(ids) == 1
    assert store.forget([unknown]) == store.mark({unknown: "odd"}) == store.unmark([unknown]) == 0


def test_nothing_asked_for_is_nothing_done(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(2))
    assert store.vectors([]).shape == (0, 7)
    assert store.payloads([]) == []
    assert store.forget([]) == store.mark({}) == store.unmark([]) == 0
    assert store.nearest(np.empty((0, 5), dtype=np.float32), 3) == []
    assert store.add([]) == 0
    assert store.count() == 2


def test_an_empty_store_has_nothing(make_store: MakeStore) -> None:
    store = make_store()
    (found,) = store.nearest(ONES, 350)
    assert found.ids == found.nouns == found.origins == ()
    assert found.scores.shape == (0,)
    assert found.vectors.shape == (0, 7)
    assert store.nouns() == {}
    assert store.select(ALL) == []
    assert store.count() == 0
    assert scanned(store) == {}
    assert (store.stats().prototypes, dict(store.stats().origins)) == (0, {})


def test_adding_again_adds_nothing(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    assert store.add(make_prototypes(4)) == 4
    version = store.version()
    assert store.add(make_prototypes(4)) == 0
    assert store.version() == version
    assert store.add(make_prototypes(6)) == 2
    assert store.count() == 6


def test_adding_again_leaves_what_is_there(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1)
    store = make_store()
    store.add([prototype])
    store.add([replace(prototype, job="later", vector=prototype.vector + 1)])
    (payload,) = store.payloads([point_id(prototype)])
    assert payload["job"] == ""
    np.testing.assert_allclose(store.vectors([point_id(prototype)])[0], prototype.vector, rtol=FLOAT16_RELATIVE)


def test_a_prototype_twice_in_a_batch_is_stored_once(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(2)
    store = make_store()
    assert store.add([*prototypes, *prototypes]) == 2
    assert store.count() == 2


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


def test_the_version_tells_what_changed(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(6)
    identifier = point_id(prototypes[0])
    store = make_store()
    versions = [store.version()]
    changes: list[Callable[[], int]] = [
        lambda: store.add(prototypes[:3]),
        lambda: store.add(prototypes),
        lambda: store.mark({identifier: "odd"}),
        lambda: store.unmark([identifier]),
        lambda: store.forget([identifier]),
    ]
    for change in changes:
        assert change() > 0
        versions.append(store.version())
        store.nearest(ONES, 3)
        assert store.version() == versions[-1]
    assert len(set(versions)) == len(versions)
    assert versions[0].additions < versions[1].additions < versions[2].additions
    assert versions[0].removals == versions[1].removals == versions[2].removals
    assert len({version.removals for version in versions[2:]}) == 4


def test_what_came_since_a_version_is_found(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    versions, batches = [store.version()], []
    for start in (0, 100, 200):
        batches.append(make_prototypes(10, start=start, origins=ORIGINS))
        store.add(batches[-1])
        versions.append(store.version())
    for number, version in enumerate(versions):
        newer = {point_id(prototype) for batch in batches[number:] for prototype in batch}
        (found,) = store.nearest(ONES, 30, since=version)
        assert newer <= set(found.ids)
        (exemplars,) = store.nearest(ONES, 30, since=version, origins=frozenset({"exemplar"}))
        assert set(exemplars.origins) <= {"exemplar"}
        assert Counter(found.origins)["exemplar"] == len(exemplars.ids)


def test_nouns_are_counted_in_alphabetical_order(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(5, nouns=["tree", "dog"]))
    store.add(make_prototypes(2, nouns=["zebra", "ant"], start=100))
    assert list(store.nouns().items()) == [("ant", 1), ("dog", 2), ("tree", 3), ("zebra", 1)]


def test_thousands_of_nouns_are_all_listed(engine: str, make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    # Local mode goes through all points in Python for every request, and has no limit that many could exceed.
    number = 1_300 if engine == "server" else 10_300
    names = [f"noun {i}" for i in range(number)]
    store = make_store()
    assert store.add(make_prototypes(number, nouns=names)) == number
    assert store.add(make_prototypes(200, nouns=["noun 0"], start=number)) == 200
    assert store.count() == number + 200
    nouns = store.nouns()
    assert nouns == {name: 201 if name == "noun 0" else 1 for name in names}
    assert store.stats().captions == number + 200
    assert len(set(store.select(ALL))) == number + 200
    assert len(set(store.nearest(ONES, number + 200)[0].ids)) == number + 200


def test_stats_describe_the_store(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    store.add(make_prototypes(3, job="a", outliers=["", "odd", ""]))
    store.add(make_prototypes(2, job="b", start=10, origins=["exemplar"]))
    store.add(make_prototypes(1, nouns=["cat"], start=20))
    (other_noun,) = make_prototypes(1, nouns=["bird"], start=20)
    store.add([other_noun])
    stats = store.stats()
    assert (stats.prototypes, stats.nouns, stats.captions, stats.jobs, stats.outliers) == (7, 4, 6, 2, 1)
    assert dict(stats.origins) == {"generated": 5, "exemplar": 2}
    assert stats.pack == store.pack == other_noun.pack
    assert (stats.key_dimension, stats.vector_dimension) == (store.key_dimension, store.vector_dimension) == (5, 7)
    assert stats.bytes_on_disk >= 0


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


def test_several_threads_add_the_same(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(60)
    store = make_store()
    with ThreadPoolExecutor(3) as adding:
        list(adding.map(store.add, [prototypes[:40], prototypes[20:], prototypes]))
    assert store.count() == 60
    assert scanned(store).keys() == set(ids_of(prototypes))


def test_closing_twice_is_allowed(make_store: MakeStore) -> None:
    store = make_store()
    store.close()
    store.close()
