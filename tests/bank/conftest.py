import os
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from freeda_svc.bank import BankName, Banks, EmbeddedBanks, PrototypeStore, make_or_open_folder
from freeda_svc.bank.qdrant.connection import Connection, connect
from freeda_svc.bank.qdrant.server_banks import ServerBanks
from freeda_svc.prototypes.record import GENERATED, Prototype
from tests.bank.watched_store import Watched

PACK = "pack-of-the-tests"
SERVER_URL = os.environ.get("FREEDA_TEST_QDRANT_URL", "")

MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]

ENGINES = ["embedded", "server", *(["running server"] if SERVER_URL else [])]
"""A real server is tested, too, where FREEDA_TEST_QDRANT_URL names one."""


class LocalClient:
    """A client of the local mode of qdrant-client that behaves like one of a server where local mode does not.

    Local mode is not made for threads, warns about what it ignores (payload indexes, how to search), says in exceptions
    of Python's own that something is not there, and scales keys again that are of unit length, to which the server
    holds (so they are compared as they are here: for these, the dot product is the cosine).
    """

    def __init__(self, shared: QdrantClient, lock: threading.RLock) -> None:
        self._shared = shared
        self._lock = lock

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._shared, name)

        def called(*args: object, **named: object) -> object:
            with self._lock:
                try:
                    return method(*args, **named)
                except ValueError as error:
                    if "not found" in str(error):
                        raise UnexpectedResponse(404, "Not Found", b"", httpx.Headers()) from error
                    raise

        return called

    def create_collection(self, name: str, *, vectors_config: dict[str, models.VectorParams], **named: object) -> None:
        compared = {
            vector: parameters.model_copy(update={"distance": models.Distance.DOT})
            for vector, parameters in vectors_config.items()
        }
        with self._lock:
            self._shared.create_collection(name, vectors_config=compared, **named)

    def collections(self) -> dict[str, Any]:
        """What local mode keeps of each collection."""
        return self._shared._client.collections  # noqa: SLF001 - local mode changes no collection itself

    def create_payload_index(self, *args: object, **named: object) -> None:
        pass

    def query_batch_points(self, name: str, requests: list[models.QueryRequest]) -> list[models.QueryResponse]:
        plain = [request.model_copy(update={"params": None}) for request in requests]
        with self._lock:
            return self._shared.query_batch_points(name, plain)

    def close(self) -> None:
        pass


class LocalConnection:
    """The local mode of qdrant-client in place of a `Connection`; all clients look into one memory."""

    address = "local mode"
    request_bytes = Connection.request_bytes
    answer_bytes = Connection.answer_bytes

    def __init__(self) -> None:
        self.shared = QdrantClient(":memory:")
        self._lock = threading.RLock()

    def client(self) -> LocalClient:
        return LocalClient(self.shared, self._lock)


@pytest.fixture
def local_connection() -> LocalConnection:
    return LocalConnection()


@pytest.fixture
def fast_folder() -> Iterator[Path]:
    """A folder in memory where the system has one: most of an embedded store's time is waiting for the disk."""
    memory = Path("/dev/shm")
    usable = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**30  # in containers it is often tiny
    folder = Path(tempfile.mkdtemp(prefix="freeda-bank-", dir=memory if usable else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_banks(engine: str, fast_folder: Path, local_connection: LocalConnection) -> Iterator[Callable[[], Banks]]:
    """Opens one and the same place of banks of the engine under test, empty at first."""
    prefix = f"freeda-test-{uuid.uuid4().hex[:12]}"
    opened: list[Banks] = []

    def make() -> Banks:
        if engine == "embedded":
            banks: Banks = EmbeddedBanks(fast_folder / "banks")
        elif engine == "server":
            banks = ServerBanks(local_connection)
        else:
            banks = ServerBanks(connect(SERVER_URL, os.environ.get("FREEDA_TEST_QDRANT_API_KEY", "")), prefix=prefix)
        opened.append(banks)
        return banks

    yield make
    if engine == "running server" and opened:
        banks = make()
        summaries = sorted(banks.summaries(), key=lambda summary: summary.current)
        for summary in summaries:
            banks.drop(summary.bank)
    for banks in opened:
        banks.close()


@pytest.fixture
def make_store(engine: str, fast_folder: Path, make_banks: Callable[[], Banks]) -> Iterator[MakeStore]:
    """Makes empty stores of the engine under test."""
    opened: list[PrototypeStore] = []
    places: list[Banks] = []

    def make(key_dimension: int = 5, vector_dimension: int = 7) -> PrototypeStore:
        number = len(opened) + 1
        store: PrototypeStore
        if engine == "embedded":
            store = make_or_open_folder(fast_folder / f"store-{number}", PACK, key_dimension, vector_dimension)
        else:
            if not places:
                places.append(make_banks())
            bank = BankName("tested", number)
            places[0].create(bank, PACK, key_dimension, vector_dimension)
            store = places[0].open(bank)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bank"


@pytest.fixture
def make_prototypes() -> MakePrototypes:
    """Makes prototypes with the given keys (or random ones); the start offsets captions, so ids differ."""

    def make(
        number: int = 3,
        *,
        keys: npt.NDArray[np.float32] | None = None,
        vectors: npt.NDArray[np.float32] | None = None,
        nouns: Sequence[str] = ("dog", "tree"),
        origins: Sequence[str] = (GENERATED,),
        outliers: Sequence[str] = ("",),
        start: int = 0,
        pack: str = PACK,
        job: str = "",
    ) -> list[Prototype]:
        generator = np.random.default_rng(start)
        if keys is None:
            keys = generator.normal(size=(number, 5)).astype(np.float32)
        if vectors is None:
            vectors = (10 * generator.normal(size=(len(keys), 7))).astype(np.float32)
        return [
            Prototype(
                noun=nouns[i % len(nouns)],
                caption_id=f"{start + i:016x}",
                caption=f"a {nouns[i % len(nouns)]} seen {start + i} times",
                spans=((2, 5), (9, 12)),
                seed=2**63 - 1 - i,
                key=keys[i],
                vector=vectors[i],
                mask_area=0.25,
                contrast=0.5,
                image_text_score=0.75,
                pack=pack,
                job=job,
                origin=origins[i % len(origins)],
                outlier=outliers[i % len(outliers)],
                image="thumbnails/a.png",
                mask="thumbnails/a.dog.mask.png",
                attribution="thumbnails/a.dog.attribution.png",
            )
            for i in range(len(keys))
        ]

    return make


@pytest.fixture
def watched(make_store: MakeStore, make_prototypes: MakePrototypes) -> Watched:
    """A store with twenty prototypes."""
    store = Watched(make_store())
    store.add(make_prototypes(20))
    return store
