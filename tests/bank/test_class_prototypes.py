from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from freeda_svc.bank import ALL
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval, mean_of_finite
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import EXEMPLAR, IMPORTED, Prototype
from tests.bank.store_contract import class_prototypes
from tests.bank.watched_store import TEMPLATES, WORDS, MakePrototypes, MakeStore, Watched, embed, fetch, fresh, near


def test_a_class_prototype_is_the_mean_of_the_k_nearest_raw_vectors(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    angles = np.linspace(0, np.pi / 2, 9)
    keys = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    vectors = np.arange(9, dtype=np.float32)[:, np.newaxis] * np.array([1, 0, 8, 2, 4, 0, 1], dtype=np.float32)
    store = make_store(key_dimension=2)
    store.add(make_prototypes(keys=keys, vectors=vectors))
    queries = np.array([[1, 0], [0, 2]], dtype=np.float32)
    means = class_prototypes(store, queries, 3)
    assert means.dtype == np.float32
    np.testing.assert_allclose(means, np.stack([vectors[:3].mean(axis=0), vectors[-3:].mean(axis=0)]), rtol=1e-3)


def test_more_categories_than_are_asked_at_once_keep_their_order(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(150)
    store = make_store()
    store.add(prototypes)
    means = class_prototypes(store, np.stack([prototype.key for prototype in prototypes]), 1)
    np.testing.assert_allclose(means, np.stack([prototype.vector for prototype in prototypes]), rtol=1e-3, atol=1e-6)


def test_a_small_bank_gives_the_mean_of_all(make_store: MakeStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(3)
    store = make_store()
    store.add(prototypes)
    (mean,) = class_prototypes(store, np.ones((1, 5), dtype=np.float32), 350)
    np.testing.assert_allclose(mean, np.mean([p.vector for p in prototypes], axis=0), rtol=2e-3, atol=1e-2)


def test_an_empty_bank_says_what_to_do_first(make_store: MakeStore) -> None:
    with pytest.raises(InputError, match=r"^the bank is empty: run `freeda ingest FILE` first, with --bank NAME"):
        class_prototypes(make_store(), np.ones((1, 5), dtype=np.float32), 350)


def test_a_bank_of_outliers_alone_says_so(watched: Watched) -> None:
    watched.mark(dict.fromkeys(watched.select(ALL), "blurred"))
    with pytest.raises(
        InputError, match=r"^every prototype of the bank \(20\) is marked as an outlier: take marks back"
    ):
        fetch(ClassPrototypes(watched))


def test_a_bank_without_the_origins_asked_for_says_so(watched: Watched) -> None:
    asked = Retrieval(3, origins=frozenset({EXEMPLAR, IMPORTED}))
    with pytest.raises(InputError, match=r"^no prototype of the bank \(20\) is both of origin exemplar or imported"):
        fetch(ClassPrototypes(watched), retrieval=asked)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"k": 0}, "^the number of neighbours is 0, expected at least 1$"),
        ({"k": 1, "origins": frozenset()}, "^the origins are none, expected some of generated, exemplar, imported$"),
        ({"k": 1, "origins": frozenset({"drawn", "painted"})}, "^the origins are drawn, painted, expected some of"),
        ({"k": 1, "exemplar_weight": 0.0}, "^the weight of exemplars is 0.0, expected above 0 and at most 1000000$"),
        ({"k": 1, "exemplar_weight": float("nan")}, "^the weight of exemplars is nan, expected above 0"),
        ({"k": 1, "exemplar_weight": float("inf")}, "^the weight of exemplars is inf, expected above 0"),
    ],
)
def test_unusable_retrievals_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Retrieval(**given)


def test_rows_that_are_not_finite_are_left_out() -> None:
    vectors = np.array([[1, 2], [np.nan, 100], [3, 6], [-np.inf, 0]], dtype=np.float32)
    mean = mean_of_finite(vectors)
    np.testing.assert_array_equal(mean, [2, 4])
    assert mean.dtype == np.float32


def test_a_weighted_mean_leaves_them_out_with_their_weights() -> None:
    vectors = np.array([[1, 2], [np.nan, 100], [5, 6]], dtype=np.float32)
    mean = mean_of_finite(vectors, np.array([3.0, 100.0, 1.0]))
    np.testing.assert_array_equal(mean, [2, 3])
    assert mean.dtype == np.float32


def test_nothing_finite_is_an_error() -> None:
    with pytest.raises(InputError, match="none of the retrieved prototypes is finite"):
        mean_of_finite(np.full((2, 3), np.nan, dtype=np.float32))


def test_texts_stand_in_their_order_and_may_come_twice(watched: Watched) -> None:
    prototypes = ClassPrototypes(watched)
    texts = ["tree", "dog", "tree"]
    expected = class_prototypes(watched, embed(texts), 3)
    np.testing.assert_array_equal(fetch(prototypes, texts), expected)
    np.testing.assert_array_equal(fetch(prototypes, texts), expected)
    assert fetch(prototypes, []).shape == (0, 7)


def exemplars(noun: str, make_prototypes: MakePrototypes, start: int) -> list[Prototype]:
    return [replace(prototype, noun=noun, origin=EXEMPLAR) for prototype in near("Tree  Frog", make_prototypes, start)]


def test_exemplars_of_the_very_noun_count_as_often_as_they_are_told(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    store = make_store()
    (own,), (other,) = exemplars("tree frog", make_prototypes, 100), exemplars("frog", make_prototypes, 200)
    generated = [replace(p, noun="tree frog") for p in near("Tree  Frog", make_prototypes, 300, number=2)]
    store.add([own, other, *generated])
    vectors = [prototype.vector for prototype in (own, other, *generated)]
    for weight in (1.0, 3.0, 0.5):
        (mean,) = fetch(ClassPrototypes(store), ["Tree  Frog"], Retrieval(4, exemplar_weight=weight))
        expected = np.average(vectors, axis=0, weights=[weight, 1, 1, 1])
        np.testing.assert_allclose(mean, expected, rtol=2e-3, atol=1e-2)
    (plain,) = fetch(ClassPrototypes(store), ["Tree  Frog"], Retrieval(4))
    np.testing.assert_array_equal(plain, class_prototypes(store, embed(["Tree  Frog"]), 4)[0])


def test_exemplars_keep_their_weight_when_the_bank_grows(
    make_store: MakeStore, make_prototypes: MakePrototypes
) -> None:
    store = make_store()
    store.add([*make_prototypes(10), *exemplars("tree frog", make_prototypes, 100)])
    prototypes, asked = ClassPrototypes(store), Retrieval(4, exemplar_weight=5.0)
    fetch(prototypes, retrieval=asked)
    store.add(exemplars("Tree Frog", make_prototypes, 200))
    np.testing.assert_array_equal(fetch(prototypes, retrieval=asked), fresh(store, retrieval=asked))


def test_only_the_origins_asked_for_are_averaged(watched: Watched, make_prototypes: MakePrototypes) -> None:
    (own,) = exemplars("frog", make_prototypes, 100)
    asked = Retrieval(3, origins=frozenset({EXEMPLAR}))
    prototypes = ClassPrototypes(watched)
    watched.add([own])
    np.testing.assert_allclose(fetch(prototypes, retrieval=asked), [own.vector] * 4, rtol=1e-3)
    watched.add(near("Tree  Frog", make_prototypes, start=200))
    np.testing.assert_allclose(fetch(prototypes, retrieval=asked), [own.vector] * 4, rtol=1e-3)


def fetch_all(prototypes: ClassPrototypes, retrieval: Retrieval, texts: Sequence[str] = tuple(WORDS)) -> list:
    return list(prototypes.fetch_all(texts, embed, retrieval, templates=TEMPLATES))


def test_the_prototypes_themselves_have_the_class_prototype_as_their_mean(
    watched: Watched, make_prototypes: MakePrototypes
) -> None:
    watched.add(make_prototypes(12, nouns=("tree",), origins=(EXEMPLAR,), start=40))
    retrieval = Retrieval(5, exemplar_weight=3.0)
    prototypes = ClassPrototypes(watched)
    found = fetch_all(prototypes, retrieval)
    assert {len(one.ids) for one in found} == {5}
    assert {weight for one in found for weight in one.weights} == {1.0, 3.0}
    for one, mean in zip(found, fetch(prototypes, retrieval=retrieval), strict=True):
        assert list(one.ids) == sorted(one.ids)
        np.testing.assert_array_equal(one.vectors, watched.vectors(one.ids))
        np.testing.assert_allclose(np.average(one.vectors, axis=0, weights=one.weights), mean, rtol=1e-5)
    assert len(watched.asked) == 1  # what was retrieved is kept


def test_what_is_removed_while_the_prototypes_are_read_takes_no_part(watched: Watched) -> None:
    prototypes = ClassPrototypes(watched)
    first = fetch_all(prototypes, Retrieval(3))[0]
    gone = first.ids[0]

    def forget() -> None:
        watched.before_vectors = lambda: None
        watched.forget([gone])

    watched.before_vectors = forget
    again = fetch_all(prototypes, Retrieval(3))[0]
    assert gone not in again.ids
    assert len(again.ids) == 3


def test_many_texts_keep_their_prototypes_apart(watched: Watched) -> None:
    texts = [WORDS[number % len(WORDS)] for number in range(150)]
    found = fetch_all(ClassPrototypes(watched), Retrieval(2), texts)
    expected = {
        word: one.ids for word, one in zip(WORDS, fetch_all(ClassPrototypes(watched), Retrieval(2)), strict=True)
    }
    assert [one.ids for one in found] == [expected[text] for text in texts]
