from collections.abc import Callable

import numpy as np
import pytest

from freeda_svc.bank import PrototypeStore, class_prototypes
from freeda_svc.bank.class_prototypes import mean_of_finite
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import Prototype

MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]


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
    with pytest.raises(InputError, match=r"^the bank is empty: run `freeda ingest FILE` first$"):
        class_prototypes(make_store(), np.ones((1, 5), dtype=np.float32), 350)


def test_rows_that_are_not_finite_are_left_out() -> None:
    vectors = np.array([[1, 2], [np.nan, 100], [3, 6], [-np.inf, 0]], dtype=np.float32)
    mean = mean_of_finite(vectors)
    np.testing.assert_array_equal(mean, [2, 4])
    assert mean.dtype == np.float32


def test_nothing_finite_is_an_error() -> None:
    with pytest.raises(InputError, match="none of the retrieved prototypes is finite"):
        mean_of_finite(np.full((2, 3), np.nan, dtype=np.float32))
