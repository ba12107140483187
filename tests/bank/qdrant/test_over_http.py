"""What happens on the way to a server: sizes, refusals, and a server that goes away."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from freeda_svc.bank import ALL, Approximate, BankName, PrototypeStore, Selection, point_id
from freeda_svc.bank.qdrant.connection import connect
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant.stub_server import Exchange, StubServer

MakePrototypes = Callable[..., list[Prototype]]

PACK = "pack-of-the-tests"
BANK = BankName("animals", 1)
COLLECTION = "freeda-animals.v1"
ONES = np.ones((1, 5), dtype=np.float32)


@pytest.fixture
def banks(stub_server: StubServer) -> Iterator[ServerBanks]:
    banks = ServerBanks(stub_server.connection())
    banks.create(BANK, PACK, 5, 7)
    yield banks
    banks.close()


@pytest.fixture
def store(banks: ServerBanks) -> Iterator[PrototypeStore]:
    with banks.open(BANK) as store:
        yield store


def test_a_bank_works_the_same_over_http(
    store: PrototypeStore, local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(60, origins=["generated", "exemplar"], job="a")
    first = point_id(prototypes[0])
    assert store.add(prototypes) == 60
    assert store.mark({first: "odd"}) == 1
    local = ServerBanks(local_connection).open(BANK)
    keys, vectors = np.eye(5, dtype=np.float32), np.eye(7, dtype=np.float32)
    ours = [*store.nearest(keys, 7), *store.nearest_prototypes(vectors, 7)]
    theirs = [*local.nearest(keys, 7), *local.nearest_prototypes(vectors, 7)]
    for found, expected in zip(ours, theirs, strict=True):
        assert (found.ids, found.nouns, found.origins) == (expected.ids, expected.nouns, expected.origins)
        np.testing.assert_array_equal(found.scores, expected.scores)
        np.testing.assert_array_equal(found.vectors, expected.vectors)
    scanned, expected_scan = (next(iter(one.scan(at_once=100))) for one in (store, local))
    for our, their in zip(scanned, expected_scan, strict=True):
        assert point_id(our) == point_id(their)
        np.testing.assert_array_equal(our.key, their.key)
        np.testing.assert_array_equal(our.vector, their.vector)
    assert store.payloads([first]) == local.payloads([first])
    assert store.stats() == local.stats()
    assert store.revision() == local.revision()
    assert store.unmark([first]) == 1
    assert store.forget(store.select(Selection(origin="exemplar"))) == 30
    assert local.count() == store.count() == 30


def test_a_large_batch_goes_in_requests_of_moderate_size(
    banks: ServerBanks, stub_server: StubServer, make_prototypes: MakePrototypes
) -> None:
    banks = ServerBanks(replace(stub_server.connection(), request_bytes=50_000))
    with closing(banks), banks.open(BANK) as store:
        stub_server.exchanges.clear()
        assert store.add(make_prototypes(100)) == 100
        uploads = [len(e.content) for e in stub_server.exchanges if (e.method, e.path[-7:]) == ("PUT", "/points")]
        assert len(uploads) > 3
        assert max(uploads) <= 50_000
        assert store.count() == 100


def test_answers_are_of_moderate_size(
    store: PrototypeStore, stub_server: StubServer, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(200)
    store.add(prototypes)
    expected = store.nearest(np.eye(5, dtype=np.float32), 90)
    scanned = [point_id(prototype) for some in store.scan() for prototype in some]
    banks = ServerBanks(replace(stub_server.connection(), request_bytes=60_000, answer_bytes=40_000))
    with closing(banks), banks.open(BANK) as careful:
        stub_server.exchanges.clear()
        for found, before in zip(careful.nearest(np.eye(5, dtype=np.float32), 90), expected, strict=True):
            assert found.ids == before.ids
            np.testing.assert_array_equal(found.vectors, before.vectors)
        assert [point_id(prototype) for some in careful.scan() for prototype in some] == scanned
        assert len(careful.vectors(scanned)) == 200
        assert len(stub_server.exchanges) > 20
        assert max(exchange.answered for exchange in stub_server.exchanges) <= 60_000


def test_many_queries_share_a_request(
    store: PrototypeStore, stub_server: StubServer, make_prototypes: MakePrototypes
) -> None:
    store.add(make_prototypes(30))
    stub_server.exchanges.clear()
    assert len(store.nearest(np.random.default_rng(0).normal(size=(150, 5)).astype(np.float32), 10)) == 150
    searches = [exchange for exchange in stub_server.exchanges if exchange.path.endswith("/query/batch")]
    (search,) = searches
    requests = json.loads(search.content)["searches"]
    assert len(requests) == 150
    assert all(request["params"]["exact"] for request in requests)
    # Prototypes that are near to several queries come once.
    vectors = [exchange for exchange in stub_server.exchanges if exchange.path.endswith("/points")]
    assert [len(json.loads(exchange.content)["ids"]) for exchange in vectors] == [30]


def test_the_version_costs_one_request(store: PrototypeStore, stub_server: StubServer) -> None:
    stub_server.exchanges.clear()
    store.revision()
    assert len(stub_server.exchanges) == 1


def test_what_a_graph_needs_is_asked_for_once(
    banks: ServerBanks, stub_server: StubServer, make_prototypes: MakePrototypes
) -> None:
    def changes() -> list[dict[str, Any]]:
        return [json.loads(e.content)["vectors"] for e in stub_server.exchanges if e.method == "PATCH"]

    with banks.open(BANK) as store:
        store.add(make_prototypes(5))
        store.optimize()
        assert changes() == []
        for _ in range(2):
            store.optimize(index_prototypes=True)
        assert changes() == [{"prototype": {"hnsw_config": {"m": 16}}}]
    for quantized, number in ((False, 2), (False, 2), (True, 3), (True, 3), (False, 3)):
        searching = ServerBanks(stub_server.connection(), Approximate(100, quantized))
        with searching.open(BANK) as store:
            for _ in range(2):
                assert len(store.nearest(ONES, 3)[0].ids) == 3
        searching.close()
        assert len(changes()) == number
        search = [exchange for exchange in stub_server.exchanges if exchange.path.endswith("/query/batch")][-1]
        [request] = json.loads(search.content)["searches"]
        assert (request["params"]["exact"], request["params"]["hnsw_ef"]) == (False, 100)
    assert changes()[1]["key"]["hnsw_config"] == {"m": 16}
    assert changes()[2]["key"]["quantization_config"]["scalar"]["type"] == "int8"


def questions(banks: ServerBanks, store: PrototypeStore, make_prototypes: MakePrototypes) -> list[Callable[[], object]]:
    """Every call there is."""
    first = point_id(make_prototypes(1)[0])
    return [
        lambda: store.add(make_prototypes(5)),
        lambda: store.nearest(ONES, 3),
        lambda: store.nearest_prototypes(np.ones((1, 7), dtype=np.float32), 3),
        lambda: store.vectors([first]),
        lambda: store.payloads([first]),
        lambda: store.select(ALL),
        store.count,
        lambda: store.mark({first: "odd"}),
        lambda: store.unmark([first]),
        lambda: list(store.scan()),
        store.nouns,
        store.stats,
        store.revision,
        lambda: store.optimize(index_prototypes=True),
        lambda: banks.create(BankName("other", 1), PACK, 5, 7),
        lambda: banks.resolve("animals"),
        lambda: banks.open(BANK).close(),
        banks.summaries,
        lambda: banks.switch(BANK),
        lambda: store.forget([first]),
        lambda: banks.drop(BankName("other", 1)),
    ]


def test_a_server_that_comes_back_is_used_again(
    banks: ServerBanks, store: PrototypeStore, stub_server: StubServer, make_prototypes: MakePrototypes
) -> None:
    address = f"http://127.0.0.1:{stub_server.port}"
    store.add(make_prototypes(3))
    stub_server.stop()
    for ask in questions(banks, store, make_prototypes):
        with pytest.raises(UnavailableError, match=f"{address} cannot be reached.*start it") as caught:
            ask()
        assert "\n" not in str(caught.value)
    stub_server.start()
    assert store.count() == 3
    assert store.add(make_prototypes(5)) == 2
    assert len(store.nearest(ONES, 10)[0].ids) == 5
    assert [summary.prototypes for summary in banks.summaries()] == [5]


@pytest.mark.parametrize("moment", ["before it is carried out", "after it is carried out"])
@pytest.mark.parametrize("number", range(21))
def test_a_server_that_goes_away_in_the_middle_of_a_call(
    banks: ServerBanks,
    store: PrototypeStore,
    stub_server: StubServer,
    make_prototypes: MakePrototypes,
    monkeypatch: pytest.MonkeyPatch,
    *,
    number: int,
    moment: str,
) -> None:
    """At each request of a call, before or after it is carried out; the call is one line then, and can be repeated."""
    store.add(make_prototypes(3))
    store.mark({point_id(make_prototypes(3)[2]): "odd"})
    if number == 20:
        banks.create(BankName("other", 1), PACK, 5, 7)
    carry_out, requests, lost = stub_server.carry_out, 0, 0

    def once_lost(exchange: Exchange, *, waits: bool) -> object:
        nonlocal requests
        requests += 1
        if requests != lost + 1:
            return carry_out(exchange, waits=waits)
        if moment.startswith("after"):
            carry_out(exchange, waits=waits)
        raise ConnectionAbortedError

    monkeypatch.setattr(stub_server.running, "handle_error", lambda *_: None)
    monkeypatch.setattr(stub_server, "carry_out", once_lost)
    ask = questions(banks, store, make_prototypes)[number]
    before = store_state(store, stub_server, carry_out)
    told, failed = [], True
    while failed:
        requests = 0
        try:
            ask()
            failed = False
        except UnavailableError as error:
            told.append(str(error))
        except (InputError, NotFoundError):  # it had been made or dropped before the server went away
            failed = number not in {14, 20}
        lost += 1
        after = store_state(store, stub_server, carry_out)
        if after.points != before.points:
            assert after.revision != before.revision
        before = after
    monkeypatch.setattr(stub_server, "carry_out", carry_out)
    assert lost > 1
    assert all("cannot be reached" in line and "\n" not in line for line in told)
    assert number != 0 or store.count() == 5
    assert {str(summary.bank): summary.current for summary in banks.summaries()} == {"animals@1": True} | (
        {"other@1": True} if number == 14 else {}
    )


class State:
    """What the collection holds, and its version."""

    def __init__(self, store: PrototypeStore) -> None:
        self.revision = store.revision()
        self.points = [(point_id(p), p.outlier) for some in store.scan() for p in some]


def store_state(store: PrototypeStore, stub_server: StubServer, carry_out: Callable[..., object]) -> State:
    """The state, read while nothing goes away."""
    disturbed, stub_server.carry_out = stub_server.carry_out, carry_out  # type: ignore[method-assign]
    try:
        return State(store)
    finally:
        stub_server.carry_out = disturbed  # type: ignore[method-assign]


def test_the_server_wants_the_right_key(stub_server: StubServer, banks: ServerBanks) -> None:
    wrong = ServerBanks(connect(f"http://127.0.0.1:{stub_server.port}", "wrong"))
    with pytest.raises(InputError, match="Must provide an API key"):
        wrong.summaries()
    wrong.close()


def test_a_bank_that_was_dropped_is_told(
    banks: ServerBanks, store: PrototypeStore, make_prototypes: MakePrototypes
) -> None:
    banks.drop(BANK)
    with pytest.raises(NotFoundError, match=f"does not have the collection {COLLECTION}"):
        store.count()
    with pytest.raises(NotFoundError, match=COLLECTION):
        store.add(make_prototypes(2))


def test_what_is_no_qdrant_server_is_told(stub_server: StubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stub_server, "refuse", lambda method, path, content: (200, {}, b"<html>hello</html>"))
    banks = ServerBanks(stub_server.connection())
    with pytest.raises(UnavailableError, match="is not a Qdrant server"):
        banks.summaries()
    banks.close()


def test_a_server_of_another_version_is_told(
    store: PrototypeStore, stub_server: StubServer, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from before 1.16 knows no filter for what a write may change."""
    told = json.dumps({"status": {"error": "Format error: unknown field `update_filter`"}}).encode()
    monkeypatch.setattr(stub_server, "refuse", lambda *given: (400, {}, told) if b"update_filter" in given[2] else None)
    with pytest.raises(InputError, match=r"unknown field `update_filter`.*check that it is a Qdrant server of version"):
        store.add(make_prototypes(2))
    assert store.count() == 0


def test_a_server_with_too_much_to_do_says_when_to_come_back(
    store: PrototypeStore, stub_server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stub_server, "refuse", lambda method, path, content: (429, {"Retry-After": "9"}, b"{}"))
    with pytest.raises(UnavailableError, match="try again in 9 seconds"):
        store.revision()
