"""A bank that grows, shrinks and is marked, in every order, holds what a plain model of it holds."""

from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import Revision, changes, open_folder, point_id
from freeda_svc.bank import store as store_module
from freeda_svc.bank.qdrant.edge import EdgeEngine
from freeda_svc.errors import NotFoundError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import Reasons, read_all

CHANGES = 60


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations and answers are so small that a few batches need several of each."""
    monkeypatch.setattr(EdgeEngine, "points_an_operation", 3)
    monkeypatch.setattr(changes, "IDS_AN_OPERATION", 4)
    monkeypatch.setattr(store_module, "IDS_AN_OPERATION", 4)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_changes_is_followed(folder: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    store = changing.open_bank(folder)
    expected: Reasons = {}
    versions: list[Revision] = [store.revision()]
    for _ in range(CHANGES):
        kind = str(generator.choice(["add", "add", "add", "forget", "mark", "unmark", "take away", "open again"]))
        if kind == "open again":
            store.close()
            store = open_folder(folder)
            assert store.revision() == versions[-1]
            assert read_all(store) == expected
            continue
        change = (kind, int(generator.integers(25)))
        after = changing.expect(expected, change)
        assert (changing.perform(store, change) > 0) == (after.keys() != expected.keys() or marked(after, expected))
        expected = after
        assert read_all(store) == expected
        versions.append(store.revision())
    store.close()


def marked(after: Reasons, before: Reasons) -> bool:
    """Whether a mark came or went."""
    return any(bool(reason) != bool(before[identifier]) for identifier, reason in after.items())


def test_what_came_since_a_version_is_found_and_nothing_else(folder: Path) -> None:
    queries = np.eye(2, changing.KEY_DIMENSION, dtype=np.float32)
    store = changing.open_bank(folder)
    versions = [store.revision()]
    for number in range(8):
        changing.perform(store, ("add", number))
        versions.append(store.revision())
        if number == 5:
            changing.perform(store, ("forget", 5))
            changing.perform(store, ("mark", 4))
            store.close()
            store = open_folder(folder)
    for first, version in enumerate(versions):
        newer = [prototype for number in range(first, 8) for prototype in changing.make_batch(number)]
        gone = {point_id(prototype) for prototype in (*changing.make_batch(5)[:2], *changing.make_batch(4)[-2:])}
        expected = {point_id(prototype) for prototype in newer if not prototype.outlier} - gone
        for found in store.nearest(queries, 100, since=version):
            assert set(found.ids) == expected
            assert (np.diff(found.scores) <= 0).all()
    store.close()


def test_stamps_grow_when_a_clock_goes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with changing.open_bank(folder) as store:
        changing.perform(store, ("add", 0))
        version = store.revision()
        monkeypatch.setattr(changes.time, "time_ns", lambda: 5_000)
        changing.perform(store, ("add", 1))
        assert version.additions < store.revision().additions < version.additions + 10
        (found,) = store.nearest(np.ones((1, changing.KEY_DIMENSION), dtype=np.float32), 100, since=version)
        assert set(found.ids) == {point_id(prototype) for prototype in changing.make_batch(1)[1:]}


def test_a_bank_that_gets_its_first_appearances_late_keeps_those_without(folder: Path) -> None:
    """Batches 2, 5 and so on have appearances, the others none."""
    with changing.open_bank(folder) as store:
        for number in (0, 1):
            changing.perform(store, ("add", number))
        before = read_all(store)
        without = [point_id(prototype) for prototype in changing.make_batch(0)]
        with pytest.raises(NotFoundError, match=without[0]):
            store.appearances(without)
        changing.perform(store, ("add", 2))
        after = changing.expect(before, ("add", 2))
        assert read_all(store) == after
    with open_folder(folder) as store:
        for graph in (False, True):
            store.optimize(index_prototypes=graph)
            assert read_all(store) == after
        changing.perform(store, ("add", 5))
        changing.perform(store, ("mark", 5))  # which writes whole points anew
        for number in (2, 5):
            batch = changing.make_batch(number)
            rows = np.stack([prototype.appearance for prototype in batch])
            found = store.appearances([point_id(prototype) for prototype in batch])
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, rows.astype(np.float16))
        with pytest.raises(NotFoundError, match=without[1]):
            store.appearances([point_id(changing.make_batch(2)[0]), without[1]])
