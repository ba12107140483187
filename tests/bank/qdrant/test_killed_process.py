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
from freeda_svc.bank.moving import verify_archive
from freeda_svc.errors import BusyError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import Reasons, expect_all, read_all
from tests.bank.qdrant.conftest import StartChild

ROUNDS = int(os.environ.get("FREEDA_SOAK_KILLS") or 12)
"""How often a process is killed at a random moment; ``make soak`` does it more often, which finds what is rarer."""
KINDS = ["add", "add", "forget", "mark", "unmark", "take away", "import", "export"]
LONGEST_SECONDS = 0.08
CHANGES = 1000
"""More than a process can do in this time."""
STRIDE = 5
"""At each how-manieth step a move is killed: it has many, and they are alike."""
PACKINGS = 100
PATIENCE_SECONDS = 120


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
@pytest.mark.parametrize("kind", ["import", "export"])
def test_killed_at_any_step_a_move_is_done_again_and_completes(bank: Path, start_child: StartChild, kind: str) -> None:
    changing.make_archives(bank)
    before = expect_all(("add", 0))
    sizes = set()
    step, killed = 0, True
    while killed:
        change = (kind, step if kind == "export" else 1)
        after = changing.expect(before, change)
        exports = {step: after} if kind == "export" else {}
        child = start_child(bank, [change], step)
        child.read()
        reported, killed = child.finish()
        with open_folder(bank) as store:
            found = read_all(store)
            assert (found == after) if reported else (before.items() <= found.items() <= after.items())
            assert len(found) % changing.BATCH == 0  # a part of the archive is whole or not there
            sizes.add(len(found))
            check_archives(bank, exports, finished=reported)
            changing.perform(store, change, bank)
            check_archives(bank, exports, finished=1)
            assert read_all(store) == after
            for batch in changing.batches_of_archive(1):
                changing.perform(store, ("take away", batch))
        step += STRIDE
    assert sizes <= set(range(len(before), len(after) + 1, changing.BATCH))


@pytest.mark.end_to_end
def test_killed_at_random_moments_a_bank_holds_what_was_reported(bank: Path, start_child: StartChild) -> None:
    changing.make_archives(bank)
    generator = np.random.default_rng(0)
    expected = expect_all(("add", 0))
    for number in range(ROUNDS):
        changes = random_changes(generator, number)
        states = [expected]
        for change in changes:
            states.append(changing.expect(states[-1], change))
        child = start_child(bank, changes, None)
        child.read()
        time.sleep(generator.uniform(0, LONGEST_SECONDS))
        child.kill()
        reported, killed = child.finish()
        assert killed
        before, after = states[reported : reported + 2]
        exports = {of: state for (kind, of), state in zip(changes, states, strict=False) if kind == "export"}
        with open_folder(bank) as store:
            found = read_all(store)
            if changes[reported][0] == "import":
                assert before.items() <= found.items() <= after.items()
            else:
                assert found in (before, after)
            check_archives(bank, exports, finished=sum(kind == "export" for kind, _ in changes[:reported]))
            changing.perform(store, changes[reported], bank)
            expected = after
            assert read_all(store) == expected
        check_archives(bank, exports, finished=sum(kind == "export" for kind, _ in changes[: reported + 1]))


def random_changes(generator: np.random.Generator, number: int) -> list[changing.Change]:
    """More than a process does before it is killed; exports of all rounds have different numbers."""
    kinds = generator.choice(KINDS, size=CHANGES).tolist()
    batches = (6 * number + generator.integers(12, size=CHANGES)).tolist()
    numbers = {"import": lambda place: batches[place] % changing.ARCHIVES, "export": lambda p: CHANGES * number + p}
    return [(kind, numbers.get(kind, batches.__getitem__)(place)) for place, kind in enumerate(kinds)]


def check_archives(bank: Path, exports: dict[int, Reasons], *, finished: int) -> None:
    """See that what is called an archive is a whole one of what the bank held.

    Args:
        bank: the bank's folder.
        exports: what the bank held when each export began, by the number of its archive, in their order.
        finished: so many of them are there at least, the first ones.
    """
    for place, (number, reasons) in enumerate(exports.items()):
        archive = changing.archive_of(bank, "export", number)
        if changing.is_archive(archive):
            manifest = verify_archive(archive)
            assert (manifest.prototypes, manifest.outliers) == (len(reasons), sum(map(bool, reasons.values())))
        else:
            assert place >= finished


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
        unfinished = bank / "shard" / "temp_segments"
        assert not (unfinished.exists() and [*unfinished.iterdir()])


def test_what_a_packing_that_was_cut_off_has_built_is_removed(bank: Path) -> None:
    unfinished = bank / "shard" / "temp_segments" / "segment_builder_1"
    unfinished.mkdir(parents=True)
    (unfinished / "id_tracker.mappings").write_bytes(bytes(10_000))
    with open_folder(bank):
        assert not unfinished.exists()


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
