"""Copies of a bank's folder: one that was taken amid a change is a bank as well, or says that it is none."""

import shutil
import subprocess
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import open_folder
from freeda_svc.bank.qdrant import edge
from freeda_svc.errors import FreedaError, InputError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import expect_all, read_all
from tests.bank.qdrant.conftest import StartChild

DONE: list[tuple[str, int]] = [("add", 0), ("add", 1), ("mark", 1), ("unmark", 1), ("forget", 0), ("add", 2)]
COPIES = 5
CHANGES = 30_000
"""More than a process can do while so many copies are taken."""


def copy_bank(bank: Path, copy: Path) -> None:
    """Copy as a backup does: file by file, passing over those that vanish meanwhile."""
    subprocess.run(["cp", "-r", str(bank), str(copy)], capture_output=True, check=False)


@pytest.fixture
def copied(folder: Path) -> Path:
    """A copy of an open bank between two changes."""
    copy = folder.with_name("copy")
    with changing.open_bank(folder) as store:
        for change in DONE:
            changing.perform(store, change)
        assert read_all(store) == expect_all(*DONE)
        copy_bank(folder, copy)
    return copy


def test_a_copy_of_an_open_bank_between_two_changes_is_a_bank(copied: Path) -> None:
    with open_folder(copied) as store:
        assert read_all(store) == expect_all(*DONE)
        changing.perform(store, ("add", 3))
        assert read_all(store) == expect_all(*DONE, ("add", 3))


def cut_off(log: Path) -> None:
    for file in log.glob("open-*"):
        with file.open("r+b") as opened:
            opened.truncate(2000)


def spoil(log: Path) -> None:
    for file in log.glob("open-*"):
        with file.open("r+b") as opened:
            opened.seek(1000)
            opened.write(np.random.default_rng(0).bytes(50_000))


@pytest.mark.parametrize("damage", [shutil.rmtree, cut_off, spoil])
def test_what_is_done_is_in_the_segments_and_not_only_in_the_log(copied: Path, damage: Callable[[Path], None]) -> None:
    """A killed process leaves both; a power cut may leave only what was flushed.

    With a log that began anew the engine would take what comes for what it has done already.
    """
    damage(copied / "shard" / "wal")
    expected = expect_all(*DONE)
    with open_folder(copied) as store:
        assert read_all(store) == expected
    for change in (("add", 3), ("mark", 1), ("forget", 1), ("add", 5), ("unmark", 1)):
        with open_folder(copied) as store:
            changing.perform(store, change)
            expected = changing.expect(expected, change)
            assert read_all(store) == expected


@pytest.mark.parametrize("change", [("add", 3), ("mark", 1), ("forget", 1)])
def test_a_bank_that_takes_no_changes_says_so(
    copied: Path, change: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of operations that points have seen are changed; the engine then does nothing, without a word."""
    monkeypatch.setattr(edge, "MOST_OPERATIONS_LOST", 100)
    (versions,) = copied.glob("shard/segments/*/mutable_id_tracker.versions")
    versions.write_bytes(np.full(versions.stat().st_size // 8, 2**40, dtype="<u8").tobytes())
    shutil.rmtree(copied / "shard" / "wal")  # from which it would be made right
    with open_folder(copied) as store:
        with pytest.raises(InputError, match="is damaged: it takes no changes any more; restore the bank"):
            changing.perform(store, change)
        assert read_all(store) == expect_all(*DONE)


@pytest.mark.end_to_end
def test_a_copy_of_a_bank_amid_its_changes_is_a_bank_or_says_that_it_is_not(
    folder: Path, start_child: StartChild
) -> None:
    generator = np.random.default_rng(0)
    kinds = generator.choice(["add", "add", "add", "forget", "mark", "unmark"], size=CHANGES).tolist()
    changes = list(zip(kinds, generator.integers(40, size=CHANGES).tolist(), strict=True))
    child = start_child(folder, changes, None)
    child.read()
    copy, told = folder.with_name("copy"), []
    for _ in range(COPIES):
        copy_bank(folder, copy)
        try:
            with open_folder(copy) as store:
                found = read_all(store)
            assert any(found == state for state in accumulate(changes, changing.expect, initial=expect_all()))
        except FreedaError as error:
            told.append(str(error))
        shutil.rmtree(copy)
    child.kill()
    child.finish()
    for line in told:
        assert "\n" not in line
        assert str(copy) in line or "in the bank" in line
