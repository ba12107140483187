"""Processes that make, switch, open or drop the same bank on a server at the same moment."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
import pytest

from freeda_svc.bank import BankName, Revision
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.points import INDEXES
from freeda_svc.bank.qdrant.server import create_collection
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype
from tests.bank.qdrant.stub_server import StubServer

MakePrototypes = Callable[..., list[Prototype]]
Answer = tuple[int, dict[str, str], bytes] | None

PACK = "pack-of-the-tests"
FIRST, SECOND, THIRD = (BankName("animals", number) for number in (1, 2, 3))
NOT_SET_UP = json.dumps({"status": {"error": "Service internal error: 0 of 0 read operations failed"}}).encode()


@pytest.fixture
def banks(stub_server: StubServer) -> Iterator[ServerBanks]:
    banks = ServerBanks(stub_server.connection())
    banks.create(FIRST, PACK, 5, 7)
    yield banks
    banks.close()


@pytest.fixture
def other(stub_server: StubServer) -> Iterator[ServerBanks]:
    """The same banks, as another process has them."""
    banks = ServerBanks(stub_server.connection())
    yield banks
    banks.close()


@pytest.fixture
def meanwhile(stub_server: StubServer) -> Callable[..., None]:
    """Have something happen just before a request, by default the next one, is carried out."""

    def prepare(happens: Callable[[], object], method: str = "", path: str = "", passed: int = 0) -> None:
        left = passed

        def before(given_method: str, given_path: str, content: bytes) -> Answer:
            nonlocal left
            if method in {"", given_method} and path in {"", given_path}:
                if left == 0:
                    stub_server.refuse = lambda method, path, content: None
                    happens()
                left -= 1
            return None

        stub_server.refuse = before

    return prepare


def current(banks: ServerBanks) -> list[BankName]:
    return [summary.bank for summary in banks.summaries() if summary.current]


def test_of_two_that_make_the_same_bank_one_hears_that_it_is_there(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None]
) -> None:
    meanwhile(lambda: other.create(SECOND, PACK, 5, 7), "PUT", "/collections/freeda-animals.v2")
    with pytest.raises(InputError, match="there is a bank animals@2 already"):
        banks.create(SECOND, PACK, 5, 7)
    with banks.open(SECOND) as store:
        assert store.count() == 0


def test_a_bank_that_is_not_set_up_yet_is_unavailable_and_listed_with_its_fault(
    banks: ServerBanks, stub_server: StubServer
) -> None:
    """A server answers requests for points like this until the shards of a new collection are there."""
    banks.create(SECOND, PACK, 5, 7)

    def refuse(method: str, path: str, content: bytes) -> Answer:
        return (500, {}, NOT_SET_UP) if path.startswith("/collections/freeda-animals.v2/points") else None

    stub_server.refuse = refuse
    with pytest.raises(UnavailableError, match="0 of 0 read operations failed") as caught:
        banks.open(SECOND)
    assert "\n" not in str(caught.value)
    first, second = banks.summaries()
    assert (first.bank, first.current, first.fault) == (FIRST, True, "")
    assert (second.bank, second.prototypes) == (SECOND, 0)
    assert "0 of 0 read operations failed" in second.fault
    stub_server.refuse = lambda method, path, content: None
    with banks.open(SECOND) as store:
        assert store.count() == 0


def test_of_two_first_versions_that_are_made_at_once_one_is_current(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None]
) -> None:
    one, two = BankName("tools", 1), BankName("tools", 2)
    meanwhile(lambda: other.create(two, PACK, 5, 7), "PUT", "/collections/freeda-tools.v1")
    banks.create(one, PACK, 5, 7)
    found = [summary for summary in banks.summaries() if summary.bank.name == "tools"]
    assert [summary.bank for summary in found] == [one, two]
    assert [summary.bank for summary in found if summary.current] == [banks.resolve("tools")]
    assert other.resolve("tools") == banks.resolve("tools")


def test_of_two_switches_at_once_the_later_holds(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None], stub_server: StubServer
) -> None:
    for bank in (SECOND, THIRD):
        banks.create(bank, PACK, 5, 7)
    stub_server.exchanges.clear()
    banks.switch(SECOND)
    assert len([exchange for exchange in stub_server.exchanges if exchange.method == "POST"]) == 1
    meanwhile(lambda: other.switch(THIRD), "POST", "/collections/aliases")
    banks.switch(FIRST)
    assert current(banks) == current(other) == [FIRST]


def test_a_switch_to_a_version_that_is_just_dropped_changes_nothing(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None]
) -> None:
    for bank in (SECOND, THIRD):
        banks.create(bank, PACK, 5, 7)
    banks.switch(THIRD)
    meanwhile(lambda: other.drop(SECOND), "POST", "/collections/aliases")
    with pytest.raises(NotFoundError, match="does not have the bank animals@2"):
        banks.switch(SECOND)
    assert current(banks) == [THIRD]


def test_a_version_that_becomes_current_while_it_is_dropped_leaves_a_current_one(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None]
) -> None:
    banks.create(SECOND, PACK, 5, 7)
    meanwhile(lambda: other.switch(SECOND), "DELETE")
    banks.drop(SECOND)
    assert current(banks) == [FIRST]


def test_two_that_drop_the_same_version_at_once_are_both_done(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None]
) -> None:
    banks.create(SECOND, PACK, 5, 7)
    meanwhile(lambda: other.drop(SECOND), "DELETE")
    banks.drop(SECOND)
    assert current(banks) == [FIRST]


def test_a_bank_that_is_dropped_during_the_listing_is_left_out(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None]
) -> None:
    banks.create(SECOND, PACK, 5, 7)
    meanwhile(lambda: other.drop(SECOND), "GET", "/aliases")
    assert [str(summary.bank) for summary in banks.summaries()] == ["animals@1"]


def test_a_bank_that_is_dropped_while_another_opens_it_is_not_there(
    banks: ServerBanks, other: ServerBanks, meanwhile: Callable[..., None], stub_server: StubServer
) -> None:
    """Before each of the requests that an opening makes, of a bank whose creation was cut off."""
    requests, opened = 0, False
    while not opened:
        create_collection(stub_server.client, "freeda-animals.v2", new_manifest(PACK, 5, 7))
        meanwhile(lambda: other.drop(SECOND), passed=requests)
        with suppress(NotFoundError):
            banks.open(SECOND).close()
            opened = True
        stub_server.refuse = lambda method, path, content: None
        assert opened == (SECOND in [summary.bank for summary in banks.summaries()])
        requests += 1
    assert requests > 2 + len(INDEXES)


def test_two_that_complete_a_bank_at_once_lose_nothing(
    banks: ServerBanks,
    other: ServerBanks,
    meanwhile: Callable[..., None],
    stub_server: StubServer,
    make_prototypes: MakePrototypes,
) -> None:
    """Before each of the requests of an opening, another opens the bank and adds to it."""
    requests, versions = 0, [Revision(0, "")]

    def add() -> None:
        with other.open(SECOND) as store:
            store.add(make_prototypes(3))
            versions.append(store.revision())

    while versions:
        create_collection(stub_server.client, "freeda-animals.v2", new_manifest(PACK, 5, 7))
        versions.clear()
        meanwhile(add, passed=requests)
        with banks.open(SECOND) as store:
            stub_server.refuse = lambda method, path, content: None
            assert stub_server.indexed["freeda-animals.v2"].keys() == INDEXES.keys()
            found = store.nearest(np.ones((1, 5), dtype=np.float32), 9)[0].ids
            assert store.count() == len(found) == 3 * len(versions)
            assert versions in ([], [store.revision()])
        banks.drop(SECOND)
        requests += 1
    assert requests > 2 + len(INDEXES)
