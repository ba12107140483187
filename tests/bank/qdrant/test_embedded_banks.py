"""What only banks in folders do; tests/bank/test_banks_contract.py has what all places of banks do."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

import pytest

from freeda_svc.bank import ALL, BankName, EmbeddedBanks, open_folder
from freeda_svc.errors import BusyError, InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype
from freeda_svc.whole_files import ASIDE
from tests.bank.qdrant.changing_process import KEY_DIMENSION, PACK, VECTOR_DIMENSION
from tests.bank.qdrant.conftest import StartChild

MakePrototypes = Callable[..., list[Prototype]]

STEPS_LOOKED_AT = 10
"""After these, a dropped bank is out of sight, and its files are removed one by one."""
FIRST, SECOND, THIRD = (BankName("animals", number) for number in (1, 2, 3))


@pytest.fixture
def place(fast_folder: Path) -> Path:
    return fast_folder / "banks"


@pytest.fixture
def banks(place: Path) -> EmbeddedBanks:
    return EmbeddedBanks(place)


def make(banks: EmbeddedBanks, bank: BankName) -> None:
    banks.create(bank, PACK, KEY_DIMENSION, VECTOR_DIMENSION)


def current(banks: EmbeddedBanks) -> list[BankName]:
    return [summary.bank for summary in banks.summaries() if summary.current]


def test_a_version_is_a_folder_below_the_folder_of_its_bank(banks: EmbeddedBanks, place: Path) -> None:
    make(banks, FIRST)
    assert banks.place(FIRST) == place / "animals" / "1"
    open_folder(banks.place(FIRST)).close()
    assert (place / "animals" / "current").read_text() == "1\n"


def test_banks_are_listed_while_one_is_open_and_growing(banks: EmbeddedBanks, make_prototypes: MakePrototypes) -> None:
    banks.create(FIRST, "pack-of-the-tests", 5, 7)
    with banks.open(FIRST) as store:
        for start in (0, 10):
            store.add(make_prototypes(3, start=start))
            assert [summary.prototypes for summary in banks.summaries()] == [start // 10 * 3 + 3]
        store.forget(store.select(ALL)[:2])
        assert [summary.prototypes for summary in banks.summaries()] == [4]


def test_a_number_that_was_lost_is_known_again_when_the_bank_was_opened(
    banks: EmbeddedBanks, make_prototypes: MakePrototypes
) -> None:
    banks.create(FIRST, "pack-of-the-tests", 5, 7)
    with banks.open(FIRST) as store:
        store.add(make_prototypes(3))
    for content in (None, b"", b"seven\n", b"7\n"):
        (banks.place(FIRST) / "prototypes").unlink()
        if content is not None:
            (banks.place(FIRST) / "prototypes").write_bytes(content)
        assert [summary.prototypes for summary in banks.summaries()] == [7 if content == b"7\n" else 0]
        banks.open(FIRST).close()
        assert [summary.prototypes for summary in banks.summaries()] == [3]


def test_a_bank_that_is_opened_twice_is_the_same(banks: EmbeddedBanks, make_prototypes: MakePrototypes) -> None:
    banks.create(FIRST, "pack-of-the-tests", 5, 7)
    with banks.open(FIRST) as one, EmbeddedBanks(banks.place(FIRST).parents[1]).open(FIRST) as other:
        one.add(make_prototypes(3))
        assert other.count() == 3
        assert other.revision() == one.revision()


def test_of_those_that_make_the_same_bank_at_once_all_but_one_hear_that_it_is_there(banks: EmbeddedBanks) -> None:
    def attempt(_: int) -> str:
        try:
            make(banks, FIRST)
        except InputError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(8) as threads:
        reported = sorted(threads.map(attempt, range(8)))
    assert reported == ["", *["there is a bank animals@1 already: give another name, or the next version"] * 7]
    assert current(banks) == [FIRST]
    banks.open(FIRST).close()


def test_dropping_clears_away_what_a_drop_that_was_cut_off_has_left(banks: EmbeddedBanks, place: Path) -> None:
    make(banks, FIRST)
    make(banks, SECOND)
    banks.place(SECOND).rename(banks.place(SECOND).with_name(".dropped-0123"))
    assert [summary.bank for summary in banks.summaries()] == [FIRST]
    banks.drop(FIRST)
    assert list(place.iterdir()) == []
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
    assert [summary.bank for summary in banks.summaries()] == current(banks) == [SECOND]
    banks.open(SECOND).close()


def test_a_bank_in_use_is_not_dropped(banks: EmbeddedBanks) -> None:
    make(banks, FIRST)
    with banks.open(FIRST) as store:
        with pytest.raises(BusyError, match="is in use by process"):
            banks.drop(FIRST)
        assert store.count() == 0
    banks.open(FIRST).close()


@pytest.mark.parametrize("content", [None, b"", b"7\n", b"one\n", b"\xff", b"\xc2\xb2\n"])
def test_without_word_of_the_current_version_it_is_the_first(
    banks: EmbeddedBanks, place: Path, content: bytes | None
) -> None:
    make(banks, SECOND)
    make(banks, THIRD)
    (place / "animals" / "current").unlink()
    if content is not None:
        (place / "animals" / "current").write_bytes(content)
    assert banks.resolve("animals") == SECOND
    assert current(banks) == [SECOND]
    with pytest.raises(InputError, match="animals@2 is the current version"):
        banks.drop(SECOND)
    make(banks, FIRST)  # does not become current because its number is lower
    assert banks.resolve("animals") == SECOND
    banks.switch(THIRD)
    assert banks.resolve("animals") == THIRD


def test_a_current_file_that_cannot_be_read_is_one_line(banks: EmbeddedBanks, place: Path) -> None:
    make(banks, FIRST)
    (place / "animals" / "current").unlink()
    (place / "animals" / "current").mkdir()
    with pytest.raises(UnavailableError, match="cannot be read") as caught:
        banks.resolve("animals")
    assert "\n" not in str(caught.value)


def old_kind(manifest: Path) -> None:
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 1}))


def cut(manifest: Path) -> None:
    manifest.write_bytes(manifest.read_bytes()[:20])


each_fault = pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (old_kind, "is a bank of the old kind.*freeda bank export.*freeda bank import"),
        (cut, "manifest .* is broken"),
        (Path.unlink, "has (no|lost its) manifest.json"),
    ],
)


@each_fault
def test_a_bank_that_cannot_be_opened_is_listed_with_its_fault_and_can_be_dropped(
    banks: EmbeddedBanks, spoil: Callable[[Path], None], fault: str
) -> None:
    for bank in (FIRST, SECOND):
        make(banks, bank)
    spoil(banks.place(SECOND) / "manifest.json")
    first, second = banks.summaries()
    assert (first.bank, first.current, first.pack, first.fault) == (FIRST, True, PACK, "")
    assert (second.bank, second.current, second.pack, second.key_dimension) == (SECOND, False, "", 0)
    with pytest.raises(InputError, match=fault) as caught:
        banks.open(SECOND)
    assert second.fault == str(caught.value)
    assert "\n" not in second.fault
    assert banks.resolve("animals@2") == SECOND
    banks.open(FIRST).close()
    banks.drop(SECOND)
    assert [summary.bank for summary in banks.summaries()] == [FIRST]
    assert not banks.place(SECOND).exists()


@each_fault
def test_a_broken_bank_that_is_the_only_one_can_be_dropped(
    banks: EmbeddedBanks, place: Path, spoil: Callable[[Path], None], fault: str
) -> None:
    make(banks, FIRST)
    spoil(banks.place(FIRST) / "manifest.json")
    banks.drop(FIRST)
    assert list(place.iterdir()) == []
    make(banks, FIRST)
    banks.open(FIRST).close()


def test_a_bank_whose_points_are_damaged_can_be_dropped(banks: EmbeddedBanks) -> None:
    make(banks, FIRST)
    (banks.place(FIRST) / "shard" / "edge_config.json").write_text("{")
    with pytest.raises(UnavailableError, match="cannot be opened"):
        banks.open(FIRST)
    banks.drop(FIRST)
    assert banks.summaries() == []


@pytest.mark.end_to_end
@pytest.mark.parametrize("others", [[], [2]], ids=str)
def test_killed_at_any_step_of_creating_there_is_a_current_version_and_nothing_half(
    place: Path, banks: EmbeddedBanks, start_child: StartChild, others: list[int]
) -> None:
    step, killed, made = 0, True, set()
    while killed:
        shutil.rmtree(place, ignore_errors=True)
        for number in others:
            make(banks, BankName("animals", number))
        child = start_child(place, [("create", 1)], step)
        child.read()
        reported, killed = child.finish()
        there = [summary.bank.version for summary in banks.summaries()]
        assert there in ([[1, *others]] if reported else [others, [1, *others]])
        made.add(1 in there)
        expected = BankName("animals", (others or [1])[0])
        if there:
            assert banks.resolve("animals") == expected
            assert current(banks) == [expected]
        if 1 not in there:
            make(banks, FIRST)
        assert banks.resolve("animals") == expected
        with banks.open(FIRST) as store:
            assert store.count() == 0
        for number in (1, *others):
            banks.drop(BankName("animals", number))
        left = [path for path in place.rglob("*") if path.is_file() and not fnmatch(path.name, ASIDE)]
        assert left == []  # nothing is left of what was cut off
        step += 1
    assert made == {False, True}
    assert step > 8


@pytest.mark.end_to_end
@pytest.mark.parametrize("others", [[], [2]], ids=str)
def test_killed_at_any_step_of_dropping_there_is_a_current_version_and_nothing_half(
    place: Path, banks: EmbeddedBanks, start_child: StartChild, others: list[int]
) -> None:
    step, killed, dropped = 0, True, set()
    while killed:
        shutil.rmtree(place, ignore_errors=True)
        for number in (*others, 1):
            make(banks, BankName("animals", number))
        child = start_child(place, [("drop", 1)], step)
        child.read()
        reported, killed = child.finish()
        there = [summary.bank.version for summary in banks.summaries()]
        assert there in ([others] if reported else [others, [1, *others]])
        dropped.add(1 not in there)
        if there:
            expected = BankName("animals", (others or [1])[0])
            assert banks.resolve("animals") == expected
            assert current(banks) == [expected]
        for number in there:
            banks.open(BankName("animals", number)).close()
        if 1 in there:
            banks.drop(FIRST)
        make(banks, THIRD)
        assert banks.resolve("animals") == BankName("animals", (others or [3])[0])
        assert sorted(path.name for path in (place / "animals").iterdir()) == sorted(
            ["current", "3", *map(str, others)]
        )
        step += 1 if step < STEPS_LOOKED_AT else 40
    assert dropped == {False, True}
    assert step > 8
