"""Approximate search: what it may miss is measured elsewhere; here it is what it must never return."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from freeda_svc.bank import EmbeddedStore, Selection, point_id
from freeda_svc.bank.embedded.shard import Shard
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]
PACK = "pack-of-the-tests"
DIMENSION = 16


@pytest.fixture
def prototypes(make_prototypes: MakePrototypes) -> list[Prototype]:
    keys = np.random.default_rng(0).normal(size=(400, DIMENSION)).astype(np.float32)
    return make_prototypes(keys=keys, origins=("generated", "exemplar"), outliers=("", "", "", "", "odd"))


@pytest.fixture
def queries() -> npt.NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(7, DIMENSION)).astype(np.float32)


@pytest.fixture
def bank(fast_folder: Path, prototypes: list[Prototype]) -> Path:
    with EmbeddedStore.open(fast_folder, PACK, DIMENSION, 7) as store:
        store.add(prototypes)
    return fast_folder


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("origins", [None, frozenset({"exemplar"})])
def test_a_deep_search_of_a_small_bank_finds_nearly_what_an_exact_one_finds(
    bank: Path, queries: npt.NDArray[np.float32], *, quantized: bool, origins: frozenset[str] | None
) -> None:
    with EmbeddedStore.open_existing(bank) as store:
        exact = store.nearest(queries, 400, origins=origins)
    with EmbeddedStore.open_existing(bank, Approximate(400, quantized)) as store:
        found = store.nearest(queries, 20, origins=origins)
    shared = sum(
        len(set(some.ids) & set(all_there_are.ids[:20])) for some, all_there_are in zip(found, exact, strict=True)
    )
    assert shared >= 0.8 * 20 * len(queries)
    for some, all_there_are in zip(found, exact, strict=True):
        assert len(set(some.ids)) == len(some.ids) == 20
        rows = [all_there_are.ids.index(identifier) for identifier in some.ids]
        assert (np.diff(some.scores) <= 0).all()
        np.testing.assert_allclose(some.scores, all_there_are.scores[rows], atol=1e-6)
        np.testing.assert_array_equal(some.vectors, all_there_are.vectors[rows])
        assert some.origins == tuple(all_there_are.origins[row] for row in rows)


def test_what_changes_while_a_graph_is_searched_is_seen_at_once(
    bank: Path, prototypes: list[Prototype], queries: npt.NDArray[np.float32], make_prototypes: MakePrototypes
) -> None:
    added = make_prototypes(keys=queries, start=1000)
    with EmbeddedStore.open_existing(bank, Approximate(400)) as store:
        nearest = [found.ids[0] for found in store.nearest(queries, 1)]
        store.forget(nearest[:3])
        store.mark(dict.fromkeys(nearest[3:], "odd"))
        assert not {identifier for found in store.nearest(queries, 20) for identifier in found.ids} & set(nearest)
        store.add(added)
        assert [found.ids[0] for found in store.nearest(queries, 1)] == [point_id(prototype) for prototype in added]
        # Exact where it is asked for what is new.
        version = store.version()
        store.add(make_prototypes(keys=-queries, start=2000))
        assert [len(found.ids) for found in store.nearest(queries, 20, since=version)] == [len(queries)] * len(queries)
    with EmbeddedStore.open_existing(bank) as store:
        assert store.count() == len(prototypes) - 3 + 2 * len(queries)
        assert [found.ids[0] for found in store.nearest(queries, 1)] == [point_id(prototype) for prototype in added]


def test_a_mark_that_the_engine_could_not_take_over_counts(
    bank: Path, queries: npt.NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnavailableError("the engine does not answer")

    with EmbeddedStore.open_existing(bank, Approximate(400)) as store:
        nearest = [found.ids[0] for found in store.nearest(queries, 1)]
        monkeypatch.setattr(Shard, "mark", fail)
        with pytest.raises(UnavailableError):
            store.mark(dict.fromkeys(nearest, "odd"))
        assert store.count(Selection(outlier=True)) == 80 + len(nearest)
        assert not {identifier for found in store.nearest(queries, 20) for identifier in found.ids} & set(nearest)


def test_the_graph_of_an_empty_bank_finds_nothing(fast_folder: Path) -> None:
    with EmbeddedStore.open(fast_folder, PACK, 3, 4, Approximate(10)) as store:
        (found,) = store.nearest(np.eye(1, 3, dtype=np.float32), 5)
        assert found.ids == ()
        assert found.vectors.shape == (0, 4)
