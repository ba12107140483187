"""What is reported as done survives a process that dies without a chance to tidy up; what is not is whole or absent."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from freeda_svc.bank import EmbeddedStore
from freeda_svc.errors import BusyError

ROUNDS = 12
"""How often a process is killed at a random moment; more rounds find what is rarer."""
CHANGES = 40
LONGEST_SECONDS = 0.08

Reasons = dict[str, str]
StartChild = Callable[..., Any]
ReadAll = Callable[[EmbeddedStore], Reasons]
ReadPoints = Callable[[Path], dict[str, bool]]


@pytest.fixture
def bank(fast_folder: Path, changing: ModuleType) -> Path:
    """A bank with one batch."""
    folder = fast_folder / "bank"
    with EmbeddedStore.open(folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        store.add(changing.make_batch(0))
    return folder


def marked(reasons: Reasons) -> dict[str, bool]:
    return {identifier: bool(reason) for identifier, reason in reasons.items()}


@pytest.mark.end_to_end
@pytest.mark.parametrize(("kind", "undone_by"), [("add", None), ("mark", "unmark"), ("forget", "add")])
def test_killed_at_any_step_a_change_is_done_or_not_begun(
    bank: Path,
    *,
    kind: str,
    undone_by: str | None,
    changing: ModuleType,
    start_child: StartChild,
    read_all: ReadAll,
    read_points: ReadPoints,
) -> None:
    before = changing.expect({}, ("add", 0))
    outcomes = set()
    step, killed = 0, True
    while killed:
        change = (kind, 0 if undone_by else 1 + step)
        after = changing.expect(before, change)
        assert after != before
        child = start_child(bank, [change], step)
        child.read()
        reported, killed = child.finish()
        with EmbeddedStore.open_existing(bank) as store:
            found = read_all(store)
            assert found in ([after] if reported else [before, after])
            outcomes.add((bool(reported), found == after))
            again = changing.perform(store, change)
            assert (again == 0) == (found == after)
            before = after
            if undone_by:
                changing.perform(store, (undone_by, 0))
                before = changing.expect(after, (undone_by, 0))
            assert store.count() == len(before)
        # The shard agrees in the end, else a ledger that is made again from it would bring something back.
        assert read_points(bank) == marked(before)
        step += 1
    assert outcomes == {(False, False), (False, True), (True, True)}


@pytest.mark.end_to_end
def test_killed_at_random_moments_a_bank_holds_what_was_reported(
    bank: Path, changing: ModuleType, start_child: StartChild, read_all: ReadAll, read_points: ReadPoints
) -> None:
    generator = np.random.default_rng(0)
    expected = changing.expect({}, ("add", 0))
    cut_off = 0
    for _ in range(ROUNDS):
        kinds = generator.choice(["add", "add", "forget", "mark", "unmark"], size=CHANGES).tolist()
        changes = list(zip(kinds, generator.integers(12, size=CHANGES).tolist(), strict=True))
        states = [expected]
        for change in changes:
            states.append(changing.expect(states[-1], change))
        child = start_child(bank, changes)
        child.read()
        time.sleep(generator.uniform(0, LONGEST_SECONDS))
        os.kill(child.pid, signal.SIGKILL)
        reported, killed = child.finish()
        cut_off += killed
        with EmbeddedStore.open_existing(bank) as store:
            found = read_all(store)
            assert found in states[reported : reported + 2]
            for change in changes[reported:]:
                changing.perform(store, change)
            expected = states[-1]
            assert read_all(store) == expected
        assert read_points(bank) == marked(expected)
    assert cut_off >= ROUNDS / 2


def test_a_second_process_learns_who_holds_the_bank(bank: Path, changing: ModuleType, start_child: StartChild) -> None:
    child = start_child(bank, [("add", number) for number in range(10_000)])
    child.read()
    with pytest.raises(BusyError, match=f"is in use by process {child.pid}: wait") as caught:
        EmbeddedStore.open(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    assert "\n" not in str(caught.value)
    with pytest.raises(BusyError, match=f"process {child.pid}"):
        EmbeddedStore.open_existing(bank)
    os.kill(child.pid, signal.SIGKILL)
    child.finish()
    EmbeddedStore.open_existing(bank).close()
