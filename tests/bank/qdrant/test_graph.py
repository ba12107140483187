"""Searches over a graph: what they may miss is measured here on small banks, and what they must never return."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from freeda_svc.bank import Approximate, Neighbours, PrototypeStore, make_or_open_folder, open_folder, point_id
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]
Array = npt.NDArray[np.float32]
PACK = "pack-of-the-tests"
KEYS, VECTORS = 16, 12


@pytest.fixture
def prototypes(make_prototypes: MakePrototypes) -> list[Prototype]:
    generator = np.random.default_rng(0)
    keys = generator.normal(size=(400, KEYS)).astype(np.float32)
    vectors = (generator.normal(size=(400, VECTORS)) * generator.uniform(1, 9, size=(400, 1))).astype(np.float32)
    return make_prototypes(
        keys=keys, vectors=vectors, origins=("generated", "exemplar"), outliers=("", "", "", "", "odd")
    )


@pytest.fixture
def queries() -> Array:
    return np.random.default_rng(1).normal(size=(7, KEYS)).astype(np.float32)


@pytest.fixture
def regions() -> Array:
    return np.random.default_rng(2).normal(size=(7, VECTORS)).astype(np.float32)


@pytest.fixture
def bank(folder: Path, prototypes: list[Prototype]) -> Path:
    with make_or_open_folder(folder, PACK, KEYS, VECTORS) as store:
        store.add(prototypes)
    return folder


def check_close(found: list[Neighbours], exact: list[Neighbours], k: int) -> float:
    """See that what an approximate search returns is right; gives its recall."""
    for some, all_there_are in zip(found, exact, strict=True):
        assert len(set(some.ids)) == len(some.ids) == k
        rows = [all_there_are.ids.index(identifier) for identifier in some.ids]
        assert (np.diff(some.scores) <= 0).all()
        np.testing.assert_allclose(some.scores, all_there_are.scores[rows], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(some.vectors, all_there_are.vectors[rows])
        assert some.origins == tuple(all_there_are.origins[row] for row in rows)
        assert some.nouns == tuple(all_there_are.nouns[row] for row in rows)
    shared = sum(len(set(some.ids) & set(there.ids[:k])) for some, there in zip(found, exact, strict=True))
    return shared / (k * len(found))


def graphs(bank: Path) -> dict[str, int]:
    """Links of each vector's graph, as the engine has them."""
    config = json.loads((bank / "shard" / "edge_config.json").read_text())
    return {name: vector["hnsw_config"]["m"] for name, vector in config["vectors"].items()}


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("origins", [None, frozenset({"exemplar"})])
def test_a_deep_search_of_a_small_bank_finds_nearly_what_an_exact_one_finds(
    bank: Path, queries: Array, *, quantized: bool, origins: frozenset[str] | None
) -> None:
    with open_folder(bank) as store:
        exact = store.nearest(queries, 400, origins=origins)
    with open_folder(bank, Approximate(400, quantized)) as store:
        found = store.nearest(queries, 20, origins=origins)
        assert store.nearest(queries, 20, origins=origins)[0].ids == found[0].ids
    assert check_close(found, exact, 20) >= 0.8
    assert graphs(bank) == {"key": 16, "prototype": 0}


def test_what_changes_while_a_graph_is_searched_is_seen_at_once(
    bank: Path, prototypes: list[Prototype], queries: Array, make_prototypes: MakePrototypes
) -> None:
    vectors = np.zeros((len(queries), VECTORS), dtype=np.float32)
    added = make_prototypes(keys=queries, vectors=vectors, start=1000)
    with open_folder(bank, Approximate(400)) as store:
        nearest = [found.ids[0] for found in store.nearest(queries, 1)]
        store.forget(nearest[:3])
        store.mark(dict.fromkeys(nearest[3:], "odd"))
        assert not {identifier for found in store.nearest(queries, 20) for identifier in found.ids} & set(nearest)
        store.add(added)
        assert [found.ids[0] for found in store.nearest(queries, 1)] == [point_id(prototype) for prototype in added]
        # Exact where it is asked for what is new.
        version = store.revision()
        store.add(make_prototypes(keys=-queries, vectors=vectors, start=2000))
        assert [len(found.ids) for found in store.nearest(queries, 20, since=version)] == [len(queries)] * len(queries)
    with open_folder(bank) as store:
        assert store.count() == len(prototypes) - 3 + 2 * len(queries)
        assert [found.ids[0] for found in store.nearest(queries, 1)] == [point_id(prototype) for prototype in added]


def test_the_graph_of_an_empty_bank_finds_nothing(folder: Path) -> None:
    with make_or_open_folder(folder, PACK, 3, 4, Approximate(10)) as store:
        (found,) = store.nearest(np.eye(1, 3, dtype=np.float32), 5)
        assert found.ids == ()
        assert found.vectors.shape == (0, 4)
        store.optimize(index_prototypes=True)
        (found,) = store.nearest_prototypes(np.eye(1, 4, dtype=np.float32), 5, approximate=Approximate(10))
        assert found.ids == ()


def exact_prototypes(prototypes: list[Prototype], regions: Array, k: int) -> list[list[str]]:
    """By numpy: largest inner product with the raw prototypes, in half precision, outliers left out."""
    visible = [prototype for prototype in prototypes if not prototype.outlier]
    rows = np.stack([prototype.vector for prototype in visible]).astype(np.float16).astype(np.float64)
    units = (regions / np.linalg.norm(regions, axis=1, keepdims=True)).astype(np.float16).astype(np.float64)
    return [[point_id(visible[row]) for row in np.argsort(-scores)[:k]] for scores in units @ rows.T]


def test_the_nearest_prototypes_are_those_with_the_largest_inner_products(
    bank: Path, prototypes: list[Prototype], regions: Array
) -> None:
    by_id = {point_id(prototype): prototype for prototype in prototypes}
    with open_folder(bank) as store:
        found = store.nearest_prototypes(1000 * regions, 30)
        assert [list(some.ids) for some in found] == exact_prototypes(prototypes, regions, 30)
        for some in found:
            assert list(some.nouns) == [by_id[identifier].noun for identifier in some.ids]
            wanted = np.stack([by_id[identifier].vector for identifier in some.ids]).astype(np.float16)
            np.testing.assert_array_equal(some.vectors, wanted)
        # Without outliers there is nothing to be filtered.
        store.unmark(list(by_id))
        (all_there_are,) = store.nearest_prototypes(regions[:1], 500)
        assert len(all_there_are.ids) == 400


def test_a_graph_of_prototypes_is_built_when_it_is_asked_for(
    bank: Path, prototypes: list[Prototype], regions: Array
) -> None:
    with open_folder(bank) as store:
        exact = store.nearest_prototypes(regions, 400)
        assert store.nearest_prototypes(regions, 20, approximate=Approximate(50))[0].ids == exact[0].ids[:20]
        for _ in range(2):
            store.optimize(index_prototypes=True)
            assert check_close(store.nearest_prototypes(regions, 20, approximate=Approximate(400)), exact, 20) >= 0.8
            again = store.nearest_prototypes(regions, 400)  # without being asked for, it is exact
            assert [some.ids for some in again] == [some.ids for some in exact]
        keys = store.nearest(np.eye(3, KEYS, dtype=np.float32), 5)
        store.optimize()
    assert graphs(bank) == {"key": 0, "prototype": 16}
    with open_folder(bank, Approximate(400)) as store:  # which builds the other graph, and keeps this one
        assert check_close(keys, store.nearest(np.eye(3, KEYS, dtype=np.float32), 320), 5) >= 0.8
        assert graphs(bank) == {"key": 16, "prototype": 16}
        assert check_close(store.nearest_prototypes(regions, 20, approximate=Approximate(400)), exact, 20) >= 0.8


def test_packing_again_changes_no_file(bank: Path) -> None:
    def segments() -> set[str]:
        return {path.name for path in (bank / "shard" / "segments").iterdir()}

    with open_folder(bank) as store:
        store.optimize(index_prototypes=True)
        before = segments()
        for index in (False, True):
            store.optimize(index_prototypes=index)
            assert segments() == before


def test_a_packing_that_fails_is_one_line_and_the_bank_goes_on(
    bank: Path, queries: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(store: PrototypeStore, reason: str) -> None:
        with pytest.raises(UnavailableError, match=f"^the bank {bank} could not be packed: {reason}") as caught:
            store.optimize()
        assert "\n" not in str(caught.value)
        assert len(store.nearest(queries, 5)[0].ids) == 5

    with open_folder(bank) as store:
        with monkeypatch.context() as patch:
            patch.setattr("sys.executable", "/no/such/python")
            check(store, ".*No such file")
        with monkeypatch.context() as patch:
            patch.setattr("freeda_svc.bank.qdrant.packing.__name__", "freeda_svc.bank.no_such_module")
            check(store, ".*No module named")
        store.optimize()
    open_folder(bank).close()
