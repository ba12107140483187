"""What every place of banks does, whichever engine keeps them: `make_banks` in conftest.py lists the engines."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from freeda_svc.bank import BankName, Banks, BankSummary
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.prototypes.record import Prototype

MakeBanks = Callable[[], Banks]
MakePrototypes = Callable[..., list[Prototype]]

PACK = "pack-of-the-tests"
FIRST, SECOND, TENTH = BankName("animals", 1), BankName("animals", 2), BankName("animals", 10)
TOOLS = BankName("tools", 3)


def by_name(banks: Banks) -> dict[str, BankSummary]:
    return {str(summary.bank): summary for summary in banks.summaries()}


def current(banks: Banks) -> set[str]:
    return {name for name, summary in by_name(banks).items() if summary.current}


@pytest.fixture
def banks(make_banks: MakeBanks) -> Banks:
    """animals@1, which is current, animals@2 and animals@10, and tools@3."""
    banks = make_banks()
    for bank in (FIRST, SECOND, TENTH, TOOLS):
        banks.create(bank, PACK, 5, 7)
    return banks


def test_there_are_no_banks_at_first(make_banks: MakeBanks) -> None:
    banks = make_banks()
    assert banks.summaries() == []
    with pytest.raises(NotFoundError, match=r"no bank animals.*none") as caught:
        banks.resolve("animals")
    assert "\n" not in str(caught.value)


def test_banks_are_listed_by_name_and_version(banks: Banks) -> None:
    assert [str(summary.bank) for summary in banks.summaries()] == ["animals@1", "animals@2", "animals@10", "tools@3"]


def test_a_summary_describes_a_bank_without_opening_it(banks: Banks, make_prototypes: MakePrototypes) -> None:
    banks.create(BankName("other", 1), "another-pack", 3, 4)
    store = banks.open(SECOND)
    store.add(make_prototypes(6, outliers=["", "odd"]))
    store.close()
    found = by_name(banks)
    created = found["animals@2"].created
    assert found["animals@2"] == BankSummary(SECOND, False, 6, PACK, 5, 7, created)
    assert datetime.fromisoformat(created).utcoffset() == timedelta(0)
    other = found["other@1"]
    assert (other.prototypes, other.pack, other.key_dimension, other.vector_dimension) == (0, "another-pack", 3, 4)


def test_the_first_version_of_a_name_is_current_at_once(banks: Banks) -> None:
    assert current(banks) == {"animals@1", "tools@3"}
    assert banks.resolve("animals") == FIRST
    assert banks.resolve("tools") == TOOLS


def test_a_version_is_resolved_as_it_is_named(banks: Banks) -> None:
    for bank in (FIRST, SECOND, TENTH, TOOLS):
        assert banks.resolve(str(bank)) == bank


def test_another_version_becomes_current(banks: Banks, make_banks: MakeBanks) -> None:
    banks.switch(TENTH)
    assert current(banks) == {"animals@10", "tools@3"}
    again = make_banks()
    assert again.resolve("animals") == TENTH
    again.switch(FIRST)
    assert banks.resolve("animals") == FIRST
    banks.switch(FIRST)
    assert banks.resolve("animals") == FIRST


def test_a_bank_grows_while_another_version_is_current(banks: Banks, make_prototypes: MakePrototypes) -> None:
    old, new = banks.open(FIRST), banks.open(SECOND)
    old.add(make_prototypes(2))
    new.add(make_prototypes(5))
    banks.switch(SECOND)
    assert (old.count(), new.count()) == (2, 5)
    old.close()
    new.close()


def test_a_bank_is_opened_with_what_it_was_made_for(banks: Banks) -> None:
    store = banks.open(TOOLS)
    assert (store.pack, store.key_dimension, store.vector_dimension) == (PACK, 5, 7)
    store.close()


def test_a_bank_keeps_what_is_in_it(banks: Banks, make_banks: MakeBanks, make_prototypes: MakePrototypes) -> None:
    store = banks.open(FIRST)
    store.add(make_prototypes(4))
    version = store.revision()
    store.close()
    banks.close()
    again = make_banks().open(FIRST)
    assert again.count() == 4
    assert again.revision() == version
    again.close()


def test_stores_stay_open_when_the_banks_are_closed(banks: Banks, make_prototypes: MakePrototypes) -> None:
    store = banks.open(FIRST)
    banks.close()
    banks.close()
    assert store.add(make_prototypes(3)) == 3
    store.close()


def test_a_version_is_dropped_with_what_is_in_it(banks: Banks, make_prototypes: MakePrototypes) -> None:
    store = banks.open(SECOND)
    store.add(make_prototypes(4))
    store.close()
    banks.drop(SECOND)
    assert [str(summary.bank) for summary in banks.summaries()] == ["animals@1", "animals@10", "tools@3"]
    banks.create(SECOND, PACK, 5, 7)
    assert by_name(banks)["animals@2"].prototypes == 0


def test_the_current_version_is_dropped_last(banks: Banks) -> None:
    with pytest.raises(InputError, match="animals@1 is the current version") as caught:
        banks.drop(FIRST)
    assert "\n" not in str(caught.value)
    banks.switch(SECOND)
    banks.drop(FIRST)
    banks.drop(TENTH)
    banks.drop(SECOND)
    assert current(banks) == {"tools@3"}
    with pytest.raises(NotFoundError, match="tools"):
        banks.resolve("animals")
    banks.create(TENTH, PACK, 5, 7)
    assert banks.resolve("animals") == TENTH


def test_a_version_is_made_once(banks: Banks, make_prototypes: MakePrototypes) -> None:
    store = banks.open(FIRST)
    store.add(make_prototypes(2))
    store.close()
    with pytest.raises(InputError, match="animals@1 already"):
        banks.create(FIRST, "another-pack", 8, 9)
    assert by_name(banks)["animals@1"].prototypes == 2


@pytest.mark.parametrize(("pack", "key_dimension", "vector_dimension"), [("", 5, 7), (PACK, 0, 7), (PACK, 5, -1)])
def test_a_bank_needs_a_pack_and_dimensions(
    make_banks: MakeBanks, pack: str, key_dimension: int, vector_dimension: int
) -> None:
    banks = make_banks()
    with pytest.raises(InputError):
        banks.create(FIRST, pack, key_dimension, vector_dimension)
    assert banks.summaries() == []


@pytest.mark.parametrize("text", ["Animals", "", "../x", "animals@0", "animals@", "@1", "a b", "animals.v1", "-a", "é"])
def test_what_is_no_name_is_refused(banks: Banks, text: str) -> None:
    with pytest.raises(InputError, match="is no name of a bank"):
        banks.resolve(text)


def test_names_that_look_like_those_of_versions_do_no_harm(make_banks: MakeBanks) -> None:
    banks = make_banks()
    names = ["x", "x-v1", "x-v1-v2", "x_v1", "x-", "1", "x-1"]
    for name in names:
        for version in (1, 2):
            banks.create(BankName(name, version), PACK, 5, 7)
        banks.switch(BankName(name, 2))
    assert [summary.bank for summary in banks.summaries()] == [
        BankName(name, version) for name in sorted(names) for version in (1, 2)
    ]
    assert all(banks.resolve(name) == BankName(name, 2) for name in names)


@pytest.mark.parametrize("bank", [BankName("animals", 3), BankName("plants", 1)], ids=str)
def test_what_is_not_there_is_told(banks: Banks, bank: BankName) -> None:
    there = "animals@1, animals@2, animals@10" if bank.name == "animals" else "animals, tools"
    for asked in (banks.open, banks.switch, banks.drop, lambda bank: banks.resolve(str(bank))):
        with pytest.raises(NotFoundError, match=there) as caught:
            asked(bank)
        assert "\n" not in str(caught.value)
    assert len(banks.summaries()) == 4
