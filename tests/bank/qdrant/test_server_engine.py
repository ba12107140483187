"""What a bank asks of a server, and what several clients that share a collection see of each other."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from freeda_svc.bank import ALL, Approximate, BankName, PrototypeStore, Selection, changes, point_id
from freeda_svc.bank import store as store_module
from freeda_svc.bank.changes import Changes
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.points import INDEXES
from freeda_svc.bank.qdrant.server import ServerEngine, complete_collection, create_collection
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.prototypes.record import Prototype
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import expect_all, read_all

MakePrototypes = Callable[..., list[Prototype]]

PACK = "pack-of-the-tests"
BANK, NAME = BankName("animals", 1), "freeda-animals.v1"
ONES = np.ones((1, 5), dtype=np.float32)
MANIFEST = new_manifest(PACK, 5, 7)


class Recorder:
    """Lets a client work and notes what it is asked for; something may happen before or after."""

    def __init__(self, client: object, *names: str) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        self.client = client
        self._names = names

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self.client, name)

        def called(*args: object, **named: object) -> object:
            if name not in self._names:
                return method(*args, **named)
            self.asked.append((name, args, named))
            self.before()
            answer = method(*args, **named)
            self.after()
            return answer

        return called


@pytest.fixture
def open_store(local_connection: LocalConnection) -> Iterator[Callable[..., PrototypeStore]]:
    """Opens the bank as one more process would, with a client that may be a `Recorder`."""
    client = local_connection.client()
    create_collection(client, NAME, MANIFEST)
    complete_collection(client, NAME)

    def make(client: object = client, approximate: Approximate | None = None) -> PrototypeStore:
        engine = ServerEngine(client, local_connection, NAME, MANIFEST)
        shared = Changes(engine)
        shared.begin()
        return PrototypeStore(engine, shared, MANIFEST, approximate, lambda: None)

    return make


def test_keys_are_compared_by_cosine_and_the_rest_is_half_precision_on_disk() -> None:
    client = QdrantClient(":memory:")
    create_collection(client, NAME, MANIFEST)
    vectors = client.get_collection(NAME).config.params.vectors
    client.close()
    assert isinstance(vectors, dict)
    key = vectors["key"]
    assert (key.size, key.distance, key.datatype) == (5, models.Distance.COSINE, models.Datatype.FLOAT32)
    for name, size in (("prototype", 7), ("appearance", 5)):
        half = vectors[name]
        assert (half.size, half.distance, half.datatype) == (size, models.Distance.DOT, models.Datatype.FLOAT16)
        assert half.on_disk
    # No graph is built over any.
    assert {vector.hnsw_config.m for vector in vectors.values() if vector.hnsw_config} == {0}


def test_what_is_filtered_has_an_index(local_connection: LocalConnection) -> None:
    recorder = Recorder(local_connection.client(), "create_payload_index")
    complete_collection(recorder, NAME, frozenset({"noun"}))
    assert {args[1] for _, args, _ in recorder.asked} == set(INDEXES) - {"noun"}
    assert all(named["wait"] for _, _, named in recorder.asked)


def test_a_collection_whose_making_was_cut_off_is_completed(
    local_connection: LocalConnection, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_collection(local_connection.client(), NAME, MANIFEST)
    recorder = Recorder(local_connection.client(), "create_payload_index")
    monkeypatch.setattr(local_connection, "client", lambda: recorder)
    with ServerBanks(local_connection).open(BANK) as store:
        assert store.add(make_prototypes(3)) == 3
        version = store.revision()
        assert version.additions > 0
    assert {args[1] for _, args, _ in recorder.asked} == set(INDEXES)
    with ServerBanks(local_connection).open(BANK) as store:
        assert store.count() == 3
        assert store.revision() == version


def test_ids_beyond_one_request_are_all_handled(
    open_store: Callable[..., PrototypeStore],
    local_connection: LocalConnection,
    make_prototypes: MakePrototypes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changes, "IDS_AN_OPERATION", 3)
    monkeypatch.setattr(store_module, "IDS_AN_OPERATION", 3)
    local_connection.request_bytes = 10_000
    assert ServerEngine(local_connection.client(), local_connection, NAME, MANIFEST).points_an_operation == 2
    store = open_store()
    prototypes = make_prototypes(11)
    ids = [point_id(prototype) for prototype in prototypes]
    assert store.add(prototypes) == 11
    assert store.add(prototypes) == 0
    assert store.select(ALL) == sorted(ids)
    assert store.mark({identifier: f"reason {number}" for number, identifier in enumerate(ids)}) == 11
    assert [payload["outlier"] for payload in store.payloads(ids)] == [f"reason {number}" for number in range(11)]
    assert store.unmark(ids) == 11
    assert store.forget(ids) == 11
    assert store.count() == 0


def test_what_is_older_than_clocks_can_differ_is_left_out_since_a_version(
    open_store: Callable[..., PrototypeStore], make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, store = 1_700_000_000_000_000, open_store()
    ids = []
    for start, minutes in ((0, 0), (10, 6), (20, 10), (30, 16)):
        monkeypatch.setattr(changes.time, "time_ns", lambda minutes=minutes: 1000 * (now + minutes * 60_000_000))
        batch = make_prototypes(2, start=start)
        store.add(batch)
        ids.append({point_id(prototype) for prototype in batch})
        if start == 20:
            version = store.revision()
    assert 0 <= version.additions - (now + 10 * 60_000_000) < 2_000_000
    assert set(store.nearest(ONES, 10, since=version)[0].ids) == ids[1] | ids[2] | ids[3]


def test_another_client_sees_every_change_at_once_and_another_version(
    open_store: Callable[..., PrototypeStore], make_prototypes: MakePrototypes
) -> None:
    ours, theirs = open_store(), open_store()
    prototypes = make_prototypes(6)
    ids = [point_id(prototype) for prototype in prototypes]
    versions = [theirs.revision()]
    for change, seen in (
        (lambda: ours.add(prototypes[:4]), 4),
        (lambda: theirs.add(prototypes), 6),
        (lambda: ours.mark({ids[0]: "odd"}), 5),
        (lambda: theirs.unmark(ids), 6),
        (lambda: ours.forget(ids[:2]), 4),
    ):
        assert change() > 0
        for store in (ours, theirs):
            assert len(store.nearest(ONES, 10)[0].ids) == seen
        assert ours.revision() == theirs.revision()
        versions.append(ours.revision())
    assert len(set(versions)) == len(versions)


def test_what_two_add_at_the_same_time_stays_as_the_first_wrote_it(
    open_store: Callable[..., PrototypeStore], local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    first, client = open_store(), Recorder(local_connection.client(), "upsert")
    second = open_store(client)

    def meanwhile() -> None:
        client.before = lambda: None
        first.add(make_prototypes(4, job="first"))

    client.before = meanwhile
    second.add(make_prototypes(6, job="second"))
    for store in (first, second):
        assert (store.count(Selection(job="first")), store.count(Selection(job="second"))) == (4, 2)
        assert store.count() == 6


@pytest.mark.parametrize("change", ["add", "forget", "mark", "unmark"])
def test_a_reader_who_comes_between_gets_another_version_afterwards(
    open_store: Callable[..., PrototypeStore],
    local_connection: LocalConnection,
    make_prototypes: MakePrototypes,
    change: str,
) -> None:
    """What a reader gets in the midst of a change is never under the version that holds afterwards."""
    reader, client = open_store(), Recorder(local_connection.client(), "upsert", "delete")
    writer = open_store(client)
    prototypes = make_prototypes(4)
    ids = [point_id(prototype) for prototype in prototypes]
    writer.add(prototypes[: 3 if change == "add" else 4])
    if change == "unmark":
        writer.mark(dict.fromkeys(ids[:2], "odd"))
    seen, then = [], reader.revision()

    def look() -> None:
        seen.append((reader.revision(), reader.nearest(ONES, 9)[0].ids))

    look()
    client.before = client.after = look
    {
        "add": lambda: writer.add(prototypes),
        "forget": lambda: writer.forget(ids[:2]),
        "mark": lambda: writer.mark({ids[0]: "odd"}),
        "unmark": lambda: writer.unmark(ids),
    }[change]()
    client.before = client.after = lambda: None
    after, now = reader.revision(), reader.nearest(ONES, 9)[0].ids
    assert after != then
    for version, found in seen[:-1]:  # the last look is after the last request
        assert version != after or found == now
    assert {found for version, found in seen if version == then} <= {seen[0][1], now}


@pytest.mark.parametrize(("kind", "undone_by"), [("add", "take away"), ("mark", "unmark"), ("forget", "add")])
def test_a_client_that_ends_between_two_requests_leaves_a_change_done_or_not_begun(
    local_connection: LocalConnection, kind: str, undone_by: str
) -> None:
    """Of a client that is killed, the server sees no more than that nothing follows."""

    class Killed(BaseException):
        pass

    bank = BankName("changed", 1)
    banks = ServerBanks(local_connection)
    banks.create(bank, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    manifest = new_manifest(changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    outcomes, left, ends = set(), 0, True
    with banks.open(bank) as reader:
        before = expect_all(("add", 1), ("add", 0))
        for number in (1, 0):
            changing.perform(reader, ("add", number))
        changing.perform(reader, (undone_by, 0))
        before = changing.expect(before, (undone_by, 0))
        after = changing.expect(before, (kind, 0))
        while ends:
            client = Recorder(local_connection.client(), "upsert", "delete", "retrieve")
            other = PrototypeStore(
                engine := ServerEngine(client, local_connection, "freeda-changed.v1", manifest),
                Changes(engine),
                manifest,
                None,
                lambda: None,
            )

            def end(client: Recorder = client, left: int = left) -> None:
                if len(client.asked) > left:
                    raise Killed

            client.before = end
            version = reader.revision()
            try:
                changing.perform(other, (kind, 0))
                ends = False
            except Killed:
                ends = True
            found = read_all(reader)
            assert found in [before, after]
            assert found == before or reader.revision() != version
            outcomes.add((ends, found == after))
            changing.perform(reader, (kind, 0))
            assert read_all(reader) == after
            changing.perform(reader, (undone_by, 0))
            assert read_all(reader) == before
            left += 1
    assert outcomes == {(True, False), (True, True), (False, True)}


def test_points_that_vanish_between_search_and_vectors_are_left_out(
    open_store: Callable[..., PrototypeStore], local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(5)
    open_store().add(prototypes)
    gone = point_id(prototypes[2])
    client = Recorder(local_connection.client(), "query_batch_points")
    client.after = lambda: local_connection.client().delete(NAME, [gone])
    (found,) = open_store(client).nearest(ONES, 5)
    assert set(found.ids) == {point_id(p) for p in prototypes} - {gone}
    assert len(found.scores) == len(found.vectors) == len(found.nouns) == len(found.origins) == 4


def test_an_exact_search_is_asked_for_unless_another_was_chosen(
    open_store: Callable[..., PrototypeStore], local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    open_store().add(make_prototypes(5))
    params = []
    for mode in (None, Approximate(64), Approximate(200, quantized=True)):
        client = Recorder(local_connection.client(), "query_batch_points", "update_collection")
        client.client.update_collection = lambda *_, **__: True
        store = open_store(client, mode)
        version = store.revision()
        assert len(store.nearest(ONES, 3)[0].ids) == 3
        store.nearest(ONES, 3, since=version)
        store.nearest_prototypes(np.ones((1, 7), dtype=np.float32), 3, approximate=mode)
        searches = [args[1][0].params for name, args, _ in client.asked if name == "query_batch_points"]
        assert searches[1] == models.SearchParams(exact=True)  # what is new is always looked at exactly
        assert searches[0] == searches[2]
        params.append(searches[0])
    assert params[0] == models.SearchParams(exact=True)
    assert [(p.exact, p.hnsw_ef, p.quantization.ignore) for p in params[1:]] == [(False, 64, True), (False, 200, False)]


def test_the_depth_of_an_approximate_search_is_positive() -> None:
    with pytest.raises(InputError, match="at least 1, got 0"):
        Approximate(0)


def test_a_collection_that_is_not_there_is_told(local_connection: LocalConnection) -> None:
    with pytest.raises(NotFoundError, match=r"no bank nothing"):
        ServerBanks(local_connection).open(BankName("nothing", 1))


def test_a_prototype_without_its_checks_is_damaged(
    open_store: Callable[..., PrototypeStore], local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    store, prototypes = open_store(), make_prototypes(3)
    store.add(prototypes)
    ids = [point_id(prototype) for prototype in prototypes]
    local_connection.client().delete_payload(NAME, ["checks"], points=ids[:1])
    for ask in (lambda: store.vectors(ids), lambda: list(store.scan()), lambda: store.nearest(ONES, 3)):
        with pytest.raises(InputError, match=f"of the prototype {ids[0]} in the bank is gone or damaged"):
            ask()


def test_a_prototype_without_its_noun_is_damaged(
    open_store: Callable[..., PrototypeStore], local_connection: LocalConnection, make_prototypes: MakePrototypes
) -> None:
    store, prototypes = open_store(), make_prototypes(3)
    store.add(prototypes)
    local_connection.client().delete_payload(NAME, ["noun"], points=[point_id(prototypes[0])])
    with pytest.raises(InputError, match=r"is damaged \(a prototype has no 'noun'\): restore"):
        store.nearest(ONES, 3)
