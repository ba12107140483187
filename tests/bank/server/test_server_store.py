import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from freeda_svc.bank import ALL, Selection, point_id
from freeda_svc.bank.manifest import new_manifest
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.bank.server import Connection, ServerStore, writing
from freeda_svc.bank.server import store as store_module
from freeda_svc.bank.server.collection import VISIBLE, complete_collection, create_collection
from freeda_svc.bank.server.stored import make_points
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.prototypes.record import Prototype

MakePrototypes = Callable[..., list[Prototype]]

PACK = "pack-of-the-tests"
NAME = "freeda-animals.v1"
ONES = np.ones((1, 5), dtype=np.float32)


@pytest.fixture
def client(local_connection: Connection) -> QdrantClient:
    client = local_connection.client()
    create_collection(client, NAME, new_manifest(PACK, 5, 7))
    return client


@pytest.fixture
def store(client: QdrantClient, local_connection: Connection) -> Iterator[ServerStore]:
    complete_collection(client, NAME)
    with ServerStore.open(local_connection, NAME) as store:
        yield store


class Recorder:
    """Lets a client work and notes what it is asked for."""

    def __init__(self, client: QdrantClient, *names: str) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._client = client
        self._names = names

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._client, name)

        def called(*args: object, **named: object) -> object:
            if name in self._names:
                self.asked.append((name, args, named))
            return method(*args, **named)

        return called


def test_keys_are_compared_by_cosine_and_prototypes_are_half_precision_on_disk() -> None:
    client = QdrantClient(":memory:")
    create_collection(client, NAME, new_manifest(PACK, 5, 7))
    vectors = client.get_collection(NAME).config.params.vectors
    client.close()
    assert isinstance(vectors, dict)
    key, prototype = vectors["key"], vectors["prototype"]
    assert (key.size, key.distance, key.datatype) == (5, models.Distance.COSINE, models.Datatype.FLOAT32)
    assert (prototype.size, prototype.distance, prototype.datatype) == (7, models.Distance.DOT, models.Datatype.FLOAT16)
    assert prototype.on_disk
    # No graph is built over either.
    assert key.hnsw_config == prototype.hnsw_config == models.HnswConfigDiff(m=0)


def test_what_is_filtered_has_an_index(client: QdrantClient) -> None:
    recorder = Recorder(client, "create_payload_index")
    complete_collection(recorder, NAME, frozenset({"noun"}))
    assert {args[1] for _, args, _ in recorder.asked} == {"caption_id", "job", "origin", "visible", "marked", "added"}
    assert all(named["wait"] for _, _, named in recorder.asked)


def test_a_collection_whose_making_was_cut_off_is_completed(
    client: QdrantClient, local_connection: Connection, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(client, "create_payload_index")
    monkeypatch.setattr(local_connection, "client", lambda: recorder)
    store = ServerStore.open(local_connection, NAME)
    assert store.add(make_prototypes(3)) == 3
    assert store.version().additions > 0
    indexes = len(recorder.asked)
    assert indexes > 0
    assert ServerStore.open(local_connection, NAME).count() == 3
    assert len(recorder.asked) == indexes


def test_completing_a_collection_again_keeps_its_version(
    store: ServerStore, client: QdrantClient, make_prototypes: MakePrototypes
) -> None:
    store.add(make_prototypes(3))
    version = store.version()
    complete_collection(client, NAME)
    assert store.version() == version


def test_what_another_process_left_unfinished_is_replaced(
    store: ServerStore, client: QdrantClient, make_prototypes: MakePrototypes
) -> None:
    left = {point_id(p): p for p in make_prototypes(4, job="died")}
    client.upsert(NAME, list(make_points(left)))
    assert store.count() == 0
    assert store.add(make_prototypes(6, job="alive")) == 6
    assert store.count(Selection(job="alive")) == 6


def test_what_another_process_shows_meanwhile_stays_as_it_is(
    store: ServerStore, local_connection: Connection, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ServerStore.open(local_connection, NAME)
    in_requests = writing.in_requests

    def interrupted(points: Iterator[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
        monkeypatch.setattr(writing, "in_requests", in_requests)
        other.add(make_prototypes(4, job="first"))
        yield from in_requests(points)

    monkeypatch.setattr(writing, "in_requests", interrupted)
    store.add(make_prototypes(6, job="second"))
    assert (store.count(Selection(job="first")), store.count(Selection(job="second"))) == (4, 2)


def test_ids_beyond_one_request_are_all_handled(
    store: ServerStore, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "IDS_A_REQUEST", 3)
    monkeypatch.setattr(writing, "_OPERATIONS_A_REQUEST", 2)
    monkeypatch.setattr(store_module, "IDS_A_REQUEST", 3)
    prototypes = make_prototypes(11)
    ids = [point_id(prototype) for prototype in prototypes]
    assert store.add(prototypes) == 11
    assert store.add(prototypes) == 0
    assert sorted(store.select(ALL)) == sorted(ids)
    assert store.mark({identifier: f"reason {number}" for number, identifier in enumerate(ids)}) == 11
    assert [payload["outlier"] for payload in store.payloads(ids)] == [f"reason {number}" for number in range(11)]
    assert store.unmark(ids) == 11
    assert store.forget(ids) == 11
    assert store.count() == 0


def test_what_is_older_than_clocks_can_differ_is_left_out_since_a_version(
    store: ServerStore, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000_000_000
    ids = []
    for start, minutes in ((0, 0), (10, 6), (20, 10), (30, 16)):
        monkeypatch.setattr(writing, "_now", lambda minutes=minutes: now + minutes * 60_000_000)
        batch = make_prototypes(2, start=start)
        store.add(batch)
        ids.append({point_id(prototype) for prototype in batch})
        if start == 20:
            version = store.version()
    assert version.additions == now + 10 * 60_000_000
    assert set(store.nearest(ONES, 10, since=version)[0].ids) == ids[1] | ids[2] | ids[3]


def test_stamps_grow_when_a_clock_goes_back(
    store: ServerStore, make_prototypes: MakePrototypes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(make_prototypes(2))
    version = store.version()
    assert abs(version.additions - time.time() * 1e6) < 60e6
    monkeypatch.setattr(writing, "_now", lambda: 5)
    store.add(make_prototypes(2, start=10))
    assert store.version().additions == version.additions + 1


def test_a_reader_who_comes_between_gets_another_version_afterwards(
    store: ServerStore, client: QdrantClient, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(4)
    store.add(prototypes)
    seen = []

    class Watched(Recorder):
        def batch_update_points(self, name: str, operations: list[Any], **named: object) -> None:
            for operation in operations:
                seen.append((writing.read_version(client, NAME), client.count(NAME, removed_filter).count))
                client.batch_update_points(name, [operation], **named)

    removed_filter = models.Filter(must=[models.HasIdCondition(has_id=[point_id(prototypes[0])])])
    assert writing.forget(Watched(client), NAME, [point_id(prototypes[0])]) == 1
    after = store.version()
    assert after.removals not in {version.removals for version, _ in seen}
    # Whatever is read after the prototype is gone, and before the call is over, is under another version.
    assert [there for _, there in seen] == [1, 1, 0]


def test_points_that_vanish_between_search_and_vectors_are_left_out(
    store: ServerStore, client: QdrantClient, make_prototypes: MakePrototypes
) -> None:
    prototypes = make_prototypes(5)
    store.add(prototypes)
    gone = point_id(prototypes[2])

    class Vanishing(Recorder):
        def query_batch_points(self, *args: object, **named: object) -> object:
            found = client.query_batch_points(*args, **named)
            client.delete(NAME, [gone])
            return found

    watched = ServerStore(Vanishing(client), "here", NAME, new_manifest(PACK, 5, 7), None)
    (found,) = watched.nearest(ONES, 5)
    assert set(found.ids) == {point_id(p) for p in prototypes} - {gone}
    assert len(found.scores) == len(found.vectors) == len(found.nouns) == len(found.origins) == 4


def test_an_exact_search_is_asked_for_unless_another_was_chosen(
    store: ServerStore, client: QdrantClient, make_prototypes: MakePrototypes
) -> None:
    store.add(make_prototypes(5))
    manifest = new_manifest(PACK, 5, 7)
    params = []
    for mode in (None, Approximate(64), Approximate(200, quantized=True)):
        recorder = Recorder(client, "query_batch_points")
        (found,) = ServerStore(recorder, "here", NAME, manifest, mode).nearest(ONES, 3)
        assert len(found.ids) == 3
        params.append(recorder.asked[0][1][1][0].params)
    assert params[0] == models.SearchParams(exact=True)
    assert [(p.exact, p.hnsw_ef, p.quantization.ignore) for p in params[1:]] == [(False, 64, True), (False, 200, False)]


@pytest.mark.parametrize("quantized", [False, True])
def test_an_approximate_search_has_the_server_build_what_it_needs_once(
    client: QdrantClient, local_connection: Connection, monkeypatch: pytest.MonkeyPatch, quantized: bool
) -> None:
    complete_collection(client, NAME)
    recorder = Recorder(client, "update_collection")
    monkeypatch.setattr(local_connection, "client", lambda: recorder)
    ServerStore.open(local_connection, NAME, Approximate(100, quantized))
    ((_, _, named),) = recorder.asked
    change = named["vectors_config"]["key"]
    assert change.hnsw_config.m > 0
    assert (change.quantization_config is not None) == quantized
    parameters = local_connection.shared._client.collections[NAME].config.vectors["key"]
    parameters.hnsw_config = change.hnsw_config
    parameters.quantization_config = change.quantization_config
    ServerStore.open(local_connection, NAME, Approximate(50, quantized))
    ServerStore.open(local_connection, NAME)
    assert len(recorder.asked) == 1


def test_the_depth_of_an_approximate_search_is_positive() -> None:
    with pytest.raises(InputError, match="at least 1, got 0"):
        Approximate(0)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "is not a bank"),
        ({"freeda": "x"}, "is not a bank"),
        ({"freeda": {"format": 99}}, "format 99.*use a newer freeda"),
        ({"freeda": {"format": 1, "pack": "p", "key_dimension": "5", "vector_dimension": 7, "created": ""}}, "'5'"),
        ({"freeda": {"format": 1, "key_dimension": 5, "vector_dimension": 7, "created": ""}}, "'pack'.*None"),
    ],
)
def test_a_collection_that_is_no_bank_is_refused(
    local_connection: Connection, metadata: dict[str, object] | None, message: str
) -> None:
    vectors = {"key": models.VectorParams(size=5, distance=models.Distance.COSINE)}
    local_connection.client().create_collection("other", vectors_config=vectors, metadata=metadata)
    with pytest.raises(InputError, match=message) as caught:
        ServerStore.open(local_connection, "other")
    assert "\n" not in str(caught.value)


def test_a_collection_that_is_not_there_is_told(local_connection: Connection) -> None:
    with pytest.raises(NotFoundError, match=r"freeda-nothing\.v1"):
        ServerStore.open(local_connection, "freeda-nothing.v1")


def test_fields_of_the_store_itself_are_not_shown(store: ServerStore, make_prototypes: MakePrototypes) -> None:
    prototypes = make_prototypes(2)
    store.add(prototypes)
    (payload,) = store.payloads([point_id(prototypes[0])])
    assert not {VISIBLE, "marked", "added"} & payload.keys()


def test_a_scan_asks_for_at_least_one(store: ServerStore) -> None:
    with pytest.raises(InputError, match="at least 1"):
        list(store.scan(at_once=0))


def test_a_prototype_that_was_forgotten_comes_again_as_new(store: ServerStore, make_prototypes: MakePrototypes) -> None:
    (prototype,) = make_prototypes(1)
    store.add([prototype])
    store.forget([point_id(prototype)])
    assert store.add([replace(prototype, job="again")]) == 1
    assert store.payloads([point_id(prototype)])[0]["job"] == "again"
