"""What only banks in folders do; tests/bank/test_banks_contract.py has what all places of banks do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from freeda_svc.bank import ALL, BankName, EmbeddedBanks, EmbeddedStore
from freeda_svc.errors import BusyError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]

FIRST, SECOND = BankName("animals", 1), BankName("animals", 2)


@pytest.fixture
def banks(fast_folder: Path) -> EmbeddedBanks:
    return EmbeddedBanks(fast_folder / "banks")


def make(banks: EmbeddedBanks, bank: BankName) -> None:
    banks.create(bank, "pack-of-the-tests", 5, 7)


def test_a_version_is_a_folder_below_the_folder_of_its_bank(banks: EmbeddedBanks, fast_folder: Path) -> None:
    make(banks, FIRST)
    assert banks.place(FIRST) == fast_folder / "banks" / "animals" / "1"
    EmbeddedStore.open_existing(banks.place(FIRST)).close()
    assert (fast_folder / "banks" / "animals" / "current").read_text() == "1\n"


def test_banks_are_listed_while_one_is_open_and_growing(banks: EmbeddedBanks, make_prototypes: MakePrototypes) -> None:
    make(banks, FIRST)
    with banks.open(FIRST) as store:
        for start in (0, 10):
            store.add(make_prototypes(3, start=start))
            assert [summary.prototypes for summary in banks.summaries()] == [start // 10 * 3 + 3]
        store.forget(store.select(ALL)[:2])
        assert [summary.prototypes for summary in banks.summaries()] == [4]


def test_dropping_clears_away_what_a_drop_that_was_cut_off_has_left(banks: EmbeddedBanks, fast_folder: Path) -> None:
    make(banks, FIRST)
    make(banks, SECOND)
    banks.place(SECOND).rename(banks.place(SECOND).with_name(".dropped-0123"))
    assert [summary.bank for summary in banks.summaries()] == [FIRST]
    banks.drop(FIRST)
    assert list((fast_folder / "banks").iterdir()) == []
    with pytest.raises(NotFoundError):
        banks.resolve("animals")


def test_dropping_the_last_version_leaves_one_that_is_made_meanwhile(
    banks: EmbeddedBanks, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(banks, FIRST)
    remove = shutil.rmtree

    def remove_and_meet_another(path: Path, **named: bool) -> None:
        remove(path, **named)
        if not banks.place(SECOND).exists():
            make(banks, SECOND)

    monkeypatch.setattr(shutil, "rmtree", remove_and_meet_another)
    banks.drop(FIRST)
    assert [summary.bank for summary in banks.summaries()] == [SECOND]
    banks.open(SECOND).close()


def test_a_bank_in_use_is_not_dropped(banks: EmbeddedBanks) -> None:
    make(banks, FIRST)
    with banks.open(FIRST) as store:
        with pytest.raises(BusyError, match="is in use by process"):
            banks.drop(FIRST)
        assert store.count() == 0
    banks.open(FIRST).close()


@pytest.mark.parametrize("content", [b"", b"7\n", b"one\n"])
def test_a_current_version_that_is_not_there_is_one_line(
    banks: EmbeddedBanks, fast_folder: Path, content: bytes
) -> None:
    make(banks, FIRST)
    (fast_folder / "banks" / "animals" / "current").write_bytes(content)
    with pytest.raises(
        NotFoundError, match="no current version of animals, only animals@1: name one of them"
    ) as caught:
        banks.resolve("animals")
    assert "\n" not in str(caught.value)
    assert banks.resolve("animals@1") == FIRST
    banks.switch(FIRST)
    assert banks.resolve("animals") == FIRST


def test_a_current_file_that_cannot_be_read_is_one_line(banks: EmbeddedBanks, fast_folder: Path) -> None:
    make(banks, FIRST)
    (fast_folder / "banks" / "animals" / "current").write_bytes(b"\xff")
    with pytest.raises(UnavailableError, match="cannot be read") as caught:
        banks.resolve("animals")
    assert "\n" not in str(caught.value)
