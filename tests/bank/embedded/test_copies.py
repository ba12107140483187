"""A copy of a bank's folder that is taken between two changes is a bank, whatever became of the engine's log in it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from freeda_svc.bank import EmbeddedStore

Reasons = dict[str, str]


def leave(_: Path) -> None:
    pass


def remove(log: Path) -> None:
    shutil.rmtree(log)


def cut_off(log: Path) -> None:
    for file in log.glob("open-*"):
        with file.open("r+b") as opened:
            opened.truncate(2000)


def spoil(log: Path) -> None:
    for file in log.glob("open-*"):
        with file.open("r+b") as opened:
            opened.seek(1000)
            opened.write(np.random.default_rng(0).bytes(50_000))


@pytest.mark.parametrize("damage", [leave, remove, cut_off, spoil])
def test_what_is_done_is_in_the_segments_and_not_only_in_the_log(
    fast_folder: Path,
    *,
    damage: Callable[[Path], None],
    changing: ModuleType,
    read_all: Callable[[EmbeddedStore], Reasons],
    read_points: Callable[[Path], dict[str, bool]],
) -> None:
    # A killed process leaves both; a power cut may leave only what was flushed.
    bank, copy = fast_folder / "bank", fast_folder / "copy"
    done: list[tuple[str, int]] = [("add", 0), ("add", 1), ("mark", 1), ("unmark", 1), ("forget", 0), ("add", 0)]
    with EmbeddedStore.open(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        for change in done:
            changing.perform(store, change)
        expected = read_all(store)
        shutil.copytree(bank, copy)
    damage(copy / "shard" / "wal")
    assert list(read_points(copy)) == sorted(expected)
    with EmbeddedStore.open_existing(copy) as store:
        assert read_all(store) == expected
        assert changing.perform(store, ("add", 2)) == changing.BATCH
        expected = changing.expect(expected, ("add", 2))
        assert read_all(store) == expected
    assert list(read_points(copy)) == sorted(expected)
