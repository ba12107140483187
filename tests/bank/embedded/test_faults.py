"""Whatever fails in the middle of a change leaves it undone or done as a whole, in memory and on the disk."""

import errno
import os
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from freeda_svc.bank import EmbeddedStore
from freeda_svc.bank.embedded import directory as directory_module
from freeda_svc.bank.embedded import opened, rows, shard
from freeda_svc.bank.embedded.directory import Directory
from freeda_svc.errors import UnavailableError

Reasons = dict[str, str]
ReadAll = Callable[[EmbeddedStore], Reasons]
Attempt = Callable[[Callable[[], int], int], bool]
"""Does a change with a fault at a step of it; says whether it came to the fault."""

each_change = pytest.mark.parametrize(
    ("kind", "undone_by"), [("add", "take away"), ("mark", "unmark"), ("unmark", "mark"), ("forget", "add")]
)


@pytest.fixture
def try_all_steps(
    fast_folder: Path, changing: ModuleType, read_all: ReadAll, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., int]:
    """Attempts a change, with a fault at its first step, its second and so on, until it has no further step.

    After each fault the change must be done or not begun, and must then be possible.
    """
    # Every batch needs several operations of the engine, longer files and new cones.
    monkeypatch.setattr(shard, "_POINTS_AN_OPERATION", 3)
    monkeypatch.setattr(rows, "_ROWS_A_GROWTH", 4)
    monkeypatch.setattr(opened, "_RECENT_ROWS", 4)

    def try_all(kind: str, undone_by: str, attempt: Attempt, *, opened_again_every: int) -> int:
        store = EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
        changing.perform(store, ("add", 1))
        if kind != "add":
            changing.perform(store, ("add", 0))
            changing.perform(store, (undone_by, 0))
        before = read_all(store)
        step, faulty = 0, True
        while faulty:
            change = (kind, 100 + step if kind == "add" else 0)  # new batches bring new nouns
            after = changing.expect(before, change)
            assert after != before
            faulty = attempt(partial(changing.perform, store, change), step)
            found = read_all(store)
            assert found in ([before, after] if faulty else [after])
            changing.perform(store, change)
            assert read_all(store) == after
            if step % opened_again_every == 0 or not faulty:
                store.close()
                store = EmbeddedStore.open_existing(fast_folder)
                assert read_all(store) == after
            changing.perform(store, (undone_by, change[1]))
            before = changing.expect(after, (undone_by, change[1]))
            step += 1
        store.close()
        return step

    return try_all


def fail(called: object) -> None:
    """Raise what such a call raises when the disk is full."""
    owner = getattr(called, "__self__", None)
    if isinstance(owner, sqlite3.Connection):
        raise sqlite3.OperationalError("database or disk is full")
    if owner is sys.modules["posix"]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise Exception("Service internal error:\n  No space left on device")  # noqa: TRY002 - what the engine raises


@each_change
@pytest.mark.parametrize("moment", ["c_call", "c_return"])
def test_a_change_is_done_or_not_begun_when_a_call_fails(
    kind: str, undone_by: str, moment: str, changing: ModuleType, try_all_steps: Callable[..., int]
) -> None:
    def attempt(change: Callable[[], int], step: int) -> bool:
        changing.at_step(step, moment, fail)
        try:
            change()
        except UnavailableError as error:
            return "\n" not in str(error)
        finally:
            sys.setprofile(None)
        return False

    assert try_all_steps(kind, undone_by, attempt, opened_again_every=1) > 15


@each_change
@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_the_ledger_has_is_seen_when_taking_it_over_is_interrupted(
    fast_folder: Path, *, kind: str, undone_by: str, moment: str, changing: ModuleType, read_all: ReadAll
) -> None:
    name = {"add": "append", "forget": "remove"}.get(kind, kind)
    taking_over = getattr(Directory, name)

    def interrupted(directory: Directory, *arguments: object) -> None:
        if moment == "after":
            taking_over(directory, *arguments)
        raise KeyboardInterrupt

    with EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        for change in [("add", 1), ("add", 0), (undone_by, 0)]:
            changing.perform(store, change)
        expected = changing.expect(read_all(store), (kind, 0))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Directory, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                changing.perform(store, (kind, 0))
        assert read_all(store) == expected
        assert changing.perform(store, (kind, 0)) == 0
        assert changing.perform(store, ("add", 2)) == changing.BATCH
    with EmbeddedStore.open_existing(fast_folder) as store:
        assert read_all(store) == changing.expect(expected, ("add", 2))


def test_names_of_a_batch_that_was_interrupted_are_not_taken_for_known(
    fast_folder: Path, monkeypatch: pytest.MonkeyPatch, changing: ModuleType, read_all: ReadAll
) -> None:
    def interrupted(caption_id: str) -> None:
        raise KeyboardInterrupt

    with EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        with monkeypatch.context() as patch:
            patch.setattr(directory_module, "hash_caption", interrupted)
            with pytest.raises(KeyboardInterrupt):
                changing.perform(store, ("add", 0))
        assert read_all(store) == {}
        for number in (1, 0):
            changing.perform(store, ("add", number))
        expected = read_all(store)
    with EmbeddedStore.open_existing(fast_folder) as store:
        assert read_all(store) == expected
