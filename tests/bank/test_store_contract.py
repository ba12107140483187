"""What every prototype store does, whichever engine keeps the points: `make_store` in conftest.py lists the engines."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from freeda_svc.bank import ALL, point_id
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.prototypes.record import Prototype
from tests.bank.store_contract import (
    FLOAT16_RELATIVE,
    NOWHERE,
    ONES,
    ORIGINS,
    Array,
    MakePrototypes,
    MakeStore,
    ids_of,
    scanned,
)


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
        "encoders": "",
        "generator": "",
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
    version = store.revision()
    assert store.add(make_prototypes(4)) == 0
    assert store.revision() == version
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


def test_the_version_tells_what_changed(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(6)
    identifier = point_id(prototypes[0])
    store = make_store()
    versions = [store.revision()]
    changes: list[Callable[[], int]] = [
        lambda: store.add(prototypes[:3]),
        lambda: store.add(prototypes),
        lambda: store.mark({identifier: "odd"}),
        lambda: store.unmark([identifier]),
        lambda: store.forget([identifier]),
    ]
    for change in changes:
        assert change() > 0
        versions.append(store.revision())
        store.nearest(ONES, 3)
        assert store.revision() == versions[-1]
    assert len(set(versions)) == len(versions)
    assert versions[0].additions < versions[1].additions < versions[2].additions
    assert versions[0].removals == versions[1].removals == versions[2].removals
    assert len({version.removals for version in versions[2:]}) == 4


def test_what_came_since_a_version_is_found(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    store = make_store()
    versions, batches = [store.revision()], []
    for start in (0, 100, 200):
        batches.append(make_prototypes(10, start=start, origins=ORIGINS))
        store.add(batches[-1])
        versions.append(store.revision())
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
