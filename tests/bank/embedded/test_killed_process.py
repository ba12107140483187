"""What is reported as done survives a process that dies without a chance to tidy up; what is not is whole or absent."""

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
LONGEST_SECONDS = 0.08
CHANGES = 1000
"""More than a process can do in this time."""

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
@pytest.mark.parametrize(("kind", "then"), [("add", "unmark"), ("mark", "unmark"), ("forget", "add")])
def test_killed_at_any_step_a_change_is_done_or_not_begun(
    bank: Path,
    *,
    kind: str,
    then: str,
    changing: ModuleType,
    start_child: StartChild,
    read_all: ReadAll,
    read_points: ReadPoints,
) -> None:
    before = changing.expect({}, ("add", 0))
    outcomes = set()
    step, killed = 0, True
    while killed:
        change = (kind, 1 + step if kind == "add" else 0)
        after = changing.expect(before, change)
        assert after != before
        child = start_child(bank, [change], step)
        child.read()
        reported, killed = child.finish()
        with EmbeddedStore.open_existing(bank) as store:
            found = read_all(store)
            assert found in ([after] if reported else [before, after])
            outcomes.add((bool(reported), found == after))
            if step % 2:  # it can be done again; and if it is not, the next change clears up
                again = changing.perform(store, change)
                assert (again == 0) == (found == after)
                found = after
            changing.perform(store, (then, 0))
            before = changing.expect(found, (then, 0))
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
    for number in range(ROUNDS):
        kinds = generator.choice(["add", "add", "forget", "mark", "unmark", "take away"], size=CHANGES).tolist()
        numbers = 6 * number + generator.integers(12, size=CHANGES)
        changes = list(zip(kinds, numbers.tolist(), strict=True))
        states = [expected]
        for change in changes:
            states.append(changing.expect(states[-1], change))
        child = start_child(bank, changes)
        child.read()
        time.sleep(generator.uniform(0, LONGEST_SECONDS))
        child.kill()
        reported, killed = child.finish()
        assert killed
        with EmbeddedStore.open_existing(bank) as store:
            assert read_all(store) in states[reported : reported + 2]
            changing.perform(store, changes[reported])
            expected = states[reported + 1]
            assert read_all(store) == expected
        assert read_points(bank) == marked(expected)


def test_a_second_process_learns_who_holds_the_bank(bank: Path, changing: ModuleType, start_child: StartChild) -> None:
    child = start_child(bank, [("add", number) for number in range(10_000)])
    child.read()
    with pytest.raises(BusyError, match=f"is in use by process {child.pid}: wait") as caught:
        EmbeddedStore.open(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    assert "\n" not in str(caught.value)
    with pytest.raises(BusyError, match=f"process {child.pid}"):
        EmbeddedStore.open_existing(bank)
    child.kill()
    child.finish()
    EmbeddedStore.open_existing(bank).close()
