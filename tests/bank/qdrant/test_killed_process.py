"""What is reported as done survives a process that dies without a chance to tidy up; what is not is whole or absent."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import open_folder
from freeda_svc.errors import BusyError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import expect_all, read_all
from tests.bank.qdrant.conftest import StartChild

ROUNDS = 12
"""How often a process is killed at a random moment; more rounds find what is rarer."""
LONGEST_SECONDS = 0.08
CHANGES = 1000
"""More than a process can do in this time."""
PACKINGS = 100
PATIENCE_SECONDS = 60


@pytest.fixture
def bank(folder: Path) -> Path:
    """A bank with one batch."""
    with changing.open_bank(folder) as store:
        changing.perform(store, ("add", 0))
    return folder


@pytest.mark.end_to_end
@pytest.mark.parametrize(("kind", "then"), [("add", "unmark"), ("mark", "unmark"), ("forget", "add")])
def test_killed_at_any_step_a_change_is_done_or_not_begun(
    bank: Path, *, kind: str, then: str, start_child: StartChild
) -> None:
    before = expect_all(("add", 0))
    outcomes = set()
    step, killed = 0, True
    while killed:
        change = (kind, 1 + step if kind == "add" else 0)
        after = changing.expect(before, change)
        assert after != before
        child = start_child(bank, [change], step)
        child.read()
        reported, killed = child.finish()
        with open_folder(bank) as store:
            found = read_all(store)
            assert found in ([after] if reported else [before, after])
            outcomes.add((bool(reported), found == after))
            if step % 2:  # it can be done again; and if it is not, the next change goes on from there
                again = changing.perform(store, change)
                assert (again == 0) == (found == after)
                found = after
            changing.perform(store, (then, 0))
            before = changing.expect(found, (then, 0))
            assert read_all(store) == before
        step += 1
    assert outcomes == {(False, False), (False, True), (True, True)}


@pytest.mark.end_to_end
def test_killed_at_random_moments_a_bank_holds_what_was_reported(bank: Path, start_child: StartChild) -> None:
    generator = np.random.default_rng(0)
    expected = expect_all(("add", 0))
    for number in range(ROUNDS):
        kinds = generator.choice(["add", "add", "forget", "mark", "unmark", "take away"], size=CHANGES).tolist()
        numbers = 6 * number + generator.integers(12, size=CHANGES)
        changes = list(zip(kinds, numbers.tolist(), strict=True))
        states = [expected]
        for change in changes:
            states.append(changing.expect(states[-1], change))
        child = start_child(bank, changes, None)
        child.read()
        time.sleep(generator.uniform(0, LONGEST_SECONDS))
        child.kill()
        reported, killed = child.finish()
        assert killed
        with open_folder(bank) as store:
            assert read_all(store) in states[reported : reported + 2]
            changing.perform(store, changes[reported])
            expected = states[reported + 1]
            assert read_all(store) == expected


def packing_processes() -> list[int]:
    """The processes that pack a bank's files now."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and b"freeda_svc.bank.qdrant.packing" in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


@pytest.mark.end_to_end
@pytest.mark.parametrize("who", ["the bank's process", "the process that packs"])
def test_killed_while_it_is_packed_a_bank_holds_what_it_held(bank: Path, start_child: StartChild, who: str) -> None:
    generator = np.random.default_rng(1)
    expected = expect_all(("add", 0))
    for number in range(1, 5):
        change = ("add", number)
        child = start_child(bank, [change, *[("pack", 0), ("index", 0)] * PACKINGS], None)
        child.read()
        assert child.read() == "done"
        expected = changing.expect(expected, change)
        wait_until(lambda child=child: packing_below(child.pid))
        time.sleep(generator.uniform(0, 0.4))
        if who == "the process that packs":
            for process in packing_below(child.pid):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.1)
        child.kill()
        child.finish()
        wait_until(lambda: opens(bank))  # what packs ends with its parent, and keeps others out until then
        with open_folder(bank) as store:
            assert read_all(store) == expected
            store.optimize()
            assert read_all(store) == expected


def test_a_packing_that_was_cut_off_before_it_removed_the_old_files(bank: Path) -> None:
    """The same points then lie in two of the engine's segments."""
    segments, before = bank / "shard" / "segments", bank.with_name("segments-before")
    with open_folder(bank) as store:
        store.add([prototype for number in range(1, 60) for prototype in changing.make_batch(number)])
        expected = read_all(store)
    shutil.copytree(segments, before)
    with open_folder(bank) as store:
        store.optimize(index_prototypes=True)
    left = [segment for segment in before.iterdir() if not (segments / segment.name).exists()]
    assert left
    for segment in left:
        shutil.copytree(segment, segments / segment.name)
    with open_folder(bank) as store:
        assert read_all(store) == expected
        for change in (("add", 60), ("mark", 2), ("forget", 3)):
            changing.perform(store, change)
            expected = changing.expect(expected, change)
            assert read_all(store) == expected
        store.optimize()
        assert read_all(store) == expected
    with open_folder(bank) as store:
        assert read_all(store) == expected


def packing_below(pid: int) -> list[int]:
    """The processes that pack for a process."""
    found = []
    for process in packing_processes():
        with suppress(OSError):
            if int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(process)
    return found


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def opens(bank: Path) -> bool:
    try:
        open_folder(bank).close()
    except BusyError:
        return False
    return True
