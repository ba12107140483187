"""What happens on the way to a server: sizes, refusals, and a server that goes away."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from freeda_svc.bank import ALL, BankName, Selection, point_id
from freeda_svc.bank.server import Connection, ServerBanks, ServerStore, connect, nearest, stored
from freeda_svc.errors import InputError, NotFoundError, UnavailableError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]

# They are defined in conftest.py, which cannot be imported.
StubServer = Any
Exchange = Any

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
def store(banks: ServerBanks) -> Iterator[ServerStore]:
    with banks.open(BANK) as store:
        yield store


def test_a_bank_works_the_same_over_http(
    store: ServerStore, local_connection: Connection, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(60, origins=["generated", "exemplar"], job="a")
    first = point_id(prototypes[0])
    assert store.add(prototypes) == 60
    assert store.mark({first: "odd"}) == 1
    local = ServerStore.open(local_connection, COLLECTION)
    queries = np.eye(5, dtype=np.float32)
    for found, expected in zip(store.nearest(queries, 7), local.nearest(queries, 7), strict=True):
        assert (found.ids, found.nouns, found.origins) == (expected.ids, expected.nouns, expected.origins)
        np.testing.assert_array_equal(found.scores, expected.scores)
        np.testing.assert_array_equal(found.vectors, expected.vectors)
    scanned, expected_scan = (next(iter(one.scan(at_once=100))) for one in (store, local))
    for ours, theirs in zip(scanned, expected_scan, strict=True):
        assert point_id(ours) == point_id(theirs)
        np.testing.assert_array_equal(ours.key, theirs.key)
        np.testing.assert_array_equal(ours.vector, theirs.vector)
    assert store.payloads([first]) == local.payloads([first])
    assert store.stats() == local.stats()
    assert store.version() == local.version()
    assert store.unmark([first]) == 1
    assert store.forget(store.select(Selection(origin="exemplar"))) == 30
    assert local.count() == store.count() == 30


def test_a_large_batch_goes_in_requests_of_moderate_size(
    store: ServerStore, stub_server: StubServer, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_BYTES_A_REQUEST", 20_000)
    stub_server.exchanges.clear()
    assert store.add(make_prototypes(100)) == 100
    uploads = [len(e.content) for e in stub_server.exchanges if (e.method, e.path[-7:]) == ("PUT", "/points")]
    assert len(uploads) > 3
    assert max(uploads) <= 20_000
    assert store.count() == 100


def test_answers_are_of_moderate_size(
    store: ServerStore, stub_server: StubServer, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    prototypes = make_prototypes(200)
    store.add(prototypes)
    expected = store.nearest(np.eye(5, dtype=np.float32), 90)
    scanned = [point_id(prototype) for some in store.scan() for prototype in some]
    for module in (stored, nearest):
        monkeypatch.setattr(module, "BYTES_AN_ANSWER", 40_000)
    stub_server.exchanges.clear()
    for found, before in zip(store.nearest(np.eye(5, dtype=np.float32), 90), expected, strict=True):
        assert found.ids == before.ids
        np.testing.assert_array_equal(found.vectors, before.vectors)
    assert [point_id(prototype) for some in store.scan() for prototype in some] == scanned
    assert len(store.payloads(scanned)) == len(store.vectors(scanned)) == 200
    assert len(stub_server.exchanges) > 20
    assert max(exchange.answered for exchange in stub_server.exchanges) <= 40_000


def test_many_queries_share_a_request(
    store: ServerStore, stub_server: StubServer, make_prototypes: MakePrototypes
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


def test_the_version_costs_one_request(store: ServerStore, stub_server: StubServer) -> None:
    stub_server.exchanges.clear()
    store.version()
    assert len(stub_server.exchanges) == 1


def test_a_server_that_comes_back_is_used_again(
    banks: ServerBanks, store: ServerStore, stub_server: StubServer, make_prototypes: MakePrototypes
) -> None:
    address = f"http://127.0.0.1:{stub_server.port}"
    store.add(make_prototypes(3))
    stub_server.stop()
    asked: list[Callable[[], object]] = [
        lambda: store.add(make_prototypes(5)),
        lambda: store.nearest(ONES, 3),
        lambda: store.vectors([point_id(make_prototypes(1)[0])]),
        lambda: store.payloads([point_id(make_prototypes(1)[0])]),
        lambda: store.select(ALL),
        store.count,
        lambda: store.forget([point_id(make_prototypes(1)[0])]),
        lambda: store.mark({point_id(make_prototypes(1)[0]): "odd"}),
        lambda: store.unmark([point_id(make_prototypes(1)[0])]),
        lambda: list(store.scan()),
        store.nouns,
        store.stats,
        store.version,
        lambda: banks.create(BankName("other", 1), PACK, 5, 7),
        lambda: banks.resolve("animals"),
        lambda: banks.open(BANK),
        banks.summaries,
        lambda: banks.switch(BANK),
        lambda: banks.drop(BANK),
    ]
    for ask in asked:
        with pytest.raises(UnavailableError, match=f"{address} cannot be reached.*start it") as caught:
            ask()
        assert "\n" not in str(caught.value)
    stub_server.start()
    assert store.count() == 3
    assert store.add(make_prototypes(5)) == 2
    assert len(store.nearest(ONES, 10)[0].ids) == 5
    assert [summary.prototypes for summary in banks.summaries()] == [5]


def test_a_batch_that_is_cut_off_is_not_seen_and_can_be_added_again(
    store: ServerStore, stub_server: StubServer, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_BYTES_A_REQUEST", 5_000)
    store.add(make_prototypes(4))
    version = store.version()
    prototypes = make_prototypes(40)
    cut_off_at = 0

    def refuse(method: str, path: str, content: bytes) -> tuple[int, dict[str, str], bytes] | None:
        nonlocal writes
        writes += method == "PUT" or path.endswith("/batch")
        return (500, {}, b"") if writes > cut_off_at else None

    while True:
        writes = 0
        monkeypatch.setattr(stub_server, "refuse", refuse)
        try:
            added = store.add(prototypes)
            break
        except UnavailableError:
            cut_off_at += 1
        monkeypatch.setattr(stub_server, "refuse", lambda method, path, content: None)
        assert store.count() == len(store.nearest(ONES, 100)[0].ids) == len(store.select(ALL)) == 4
        assert sum(len(some) for some in store.scan()) == sum(store.nouns().values()) == store.stats().captions == 4
        # What is not seen takes no place of what is.
        assert len(store.nearest(ONES, 4)[0].ids) == 4
        assert store.version() == version
        with pytest.raises(NotFoundError):
            store.vectors([point_id(prototypes[-1])])
        with pytest.raises(NotFoundError):
            store.payloads([point_id(prototypes[-1])])
        assert store.forget([point_id(prototypes[-1])]) == store.mark({point_id(prototypes[-1]): "odd"}) == 0
        version = store.version()
    assert cut_off_at > 3
    assert added == 36
    assert store.count() == 40
    assert store.version().additions > version.additions


def test_an_add_that_is_cut_off_after_it_showed_its_batch_is_finished_by_the_next(
    store: ServerStore, stub_server: StubServer, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    prototypes = make_prototypes(3)
    before = store.version()
    carry_out = stub_server.carry_out

    def half(exchange: Exchange, *, waits: bool) -> object:
        if exchange.path.endswith("/points/batch"):
            given = json.loads(exchange.content)
            exchange.content = json.dumps({"operations": given["operations"][:1]}).encode()
            carry_out(exchange, waits=waits)
            raise ConnectionAbortedError
        return carry_out(exchange, waits=waits)

    def abort(*args: object) -> None:
        pass

    monkeypatch.setattr(stub_server, "carry_out", half)
    monkeypatch.setattr(stub_server.running, "handle_error", abort)
    with pytest.raises(UnavailableError):
        store.add(prototypes)
    monkeypatch.setattr(stub_server, "carry_out", carry_out)
    assert store.version() == before
    assert store.add(prototypes) == 0
    assert store.version().additions > before.additions
    assert len(store.nearest(ONES, 5, since=before)[0].ids) == 3


def test_the_server_wants_the_right_key(stub_server: StubServer, banks: ServerBanks) -> None:
    wrong = ServerBanks(connect(f"http://127.0.0.1:{stub_server.port}", "wrong"))
    with pytest.raises(InputError, match="Must provide an API key"):
        wrong.summaries()
    wrong.close()


def test_a_bank_that_was_dropped_is_told(
    banks: ServerBanks, store: ServerStore, make_prototypes: MakePrototypes
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


def test_a_server_with_too_much_to_do_says_when_to_come_back(
    store: ServerStore, stub_server: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stub_server, "refuse", lambda method, path, content: (429, {"Retry-After": "9"}, b"{}"))
    with pytest.raises(UnavailableError, match="try again in 9 seconds"):
        store.version()
