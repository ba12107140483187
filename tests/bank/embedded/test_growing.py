"""A bank that grows, shrinks and is marked, in every order, holds what a plain model of it holds."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from freeda_svc.bank import EmbeddedStore, Version, point_id
from freeda_svc.bank.embedded import directory, opened, rows, scoring, shard
from freeda_svc.bank.embedded.cones import CONES_NAME

Reasons = dict[str, str]
ReadAll = Callable[[EmbeddedStore], Reasons]

CHANGES = 60


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, cones, indexes and operations are so small that a few batches need several of each."""
    monkeypatch.setattr(rows, "_ROWS_A_GROWTH", 16)
    monkeypatch.setattr(opened, "_RECENT_ROWS", 10)
    monkeypatch.setattr(directory, "_RECENT_ROWS", 12)
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 8)
    monkeypatch.setattr(shard, "_POINTS_AN_OPERATION", 3)


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_changes_is_followed(
    fast_folder: Path,
    seed: int,
    changing: ModuleType,
    read_all: ReadAll,
    read_points: Callable[[Path], dict[str, bool]],
) -> None:
    generator = np.random.default_rng(seed)
    store = EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    expected: Reasons = {}
    versions: list[Version] = [store.version()]
    for _ in range(CHANGES):
        kind = str(generator.choice(["add", "add", "add", "forget", "mark", "unmark", "take away", "open again"]))
        if kind == "open again":
            store.close()
            store = EmbeddedStore.open_existing(fast_folder)
            assert store.version() == versions[-1]
            continue
        change = (kind, int(generator.integers(25)))
        after = changing.expect(expected, change)
        assert (changing.perform(store, change) > 0) == (after.keys() != expected.keys() or marked(after, expected))
        expected = after
        assert read_all(store) == expected
        versions.append(store.version())
    assert (fast_folder / CONES_NAME).exists()
    store.close()
    assert read_points(fast_folder) == {identifier: bool(reason) for identifier, reason in expected.items()}


def marked(after: Reasons, before: Reasons) -> bool:
    """Whether a mark came or went."""
    return any(bool(reason) != bool(before[identifier]) for identifier, reason in after.items())


def test_what_came_since_a_version_is_found_and_nothing_else(fast_folder: Path, changing: ModuleType) -> None:
    queries = np.eye(2, changing.KEY_DIMENSION, dtype=np.float32)
    store = EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    versions = [store.version()]
    for number in range(8):
        changing.perform(store, ("add", number))
        versions.append(store.version())
        if number == 5:
            changing.perform(store, ("forget", 5))
            changing.perform(store, ("mark", 4))
            store.close()
            store = EmbeddedStore.open_existing(fast_folder)
    for first, version in enumerate(versions):
        newer = [prototype for number in range(first, 8) for prototype in changing.make_batch(number)]
        gone = {point_id(prototype) for prototype in (*changing.make_batch(5)[:2], *changing.make_batch(4)[-2:])}
        expected = {point_id(prototype) for prototype in newer if not prototype.outlier} - gone
        for found in store.nearest(queries, 100, since=version):
            assert set(found.ids) == expected
            assert (np.diff(found.scores) <= 0).all()
    store.close()


def test_cones_that_cannot_be_kept_cost_time_only(
    fast_folder: Path, changing: ModuleType, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(opened, "save_cones", full)
    expected: Reasons = {}
    with EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        for number in range(6):
            changing.perform(store, ("add", number))
            expected = changing.expect(expected, ("add", number))
        assert read_all(store) == expected
    assert not (fast_folder / CONES_NAME).exists()
    with EmbeddedStore.open_existing(fast_folder) as store:
        assert read_all(store) == expected


def test_all_is_on_the_disk_before_the_ledger_says_so(fast_folder: Path, changing: ModuleType) -> None:
    with EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        changing.perform(store, ("add", 0))
        calls = {
            kind: changing.calls_of(lambda kind=kind: changing.perform(store, (kind, int(kind == "add"))))
            for kind in ("add", "mark", "unmark", "forget")
        }
    for kind, names in calls.items():
        last = names[names.index("update") :]
        rows_written = ["pwrite", "fdatasync"] * 3
        expected = ["update", "update", "flush", *rows_written] if kind == "add" else ["update", "flush"]
        assert last[: last.index("execute")] == expected
        assert set(last[last.index("execute") :]) <= {"execute", "executemany"}
