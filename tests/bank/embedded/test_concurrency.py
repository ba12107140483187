"""Threads that read while another changes the bank see it as it was at one moment between two changes."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from freeda_svc.bank import ALL, EmbeddedStore, PrototypeStore, Selection, point_id
from freeda_svc.bank.embedded import directory, opened, rows, scoring
from freeda_svc.errors import NotFoundError, UnavailableError

CHANGES = 100
READERS = 3

State = dict[str, str]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files, cones and indexes grow every few rows, and threads take turns often."""
    monkeypatch.setattr(rows, "_ROWS_A_GROWTH", 16)
    monkeypatch.setattr(opened, "_RECENT_ROWS", 10)
    monkeypatch.setattr(directory, "_RECENT_ROWS", 12)
    monkeypatch.setattr(scoring, "_ROWS_AT_ONCE", 8)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class History:
    """All states of a bank, each entered before the change that leads to it begins."""

    def __init__(self) -> None:
        self.states: list[State] = [{}]
        self.done = 0

    def around(self, read: Callable[[], object]) -> tuple[object, list[State]]:
        """What something read gives, and the states that the bank may have had meanwhile."""
        first = self.done
        result = read()
        return result, self.states[first:]


def retrievable(state: State) -> set[str]:
    return {identifier for identifier, reason in state.items() if not reason}


class Reader:
    """Reads in every way there is."""

    def __init__(self, store: PrototypeStore, history: History, changing: ModuleType) -> None:
        self._store, self._history = store, history
        self._dimension = changing.KEY_DIMENSION
        batches = [changing.make_batch(number) for number in range(CHANGES)]
        self._vectors = {point_id(p): p.vector.astype(np.float16) for batch in batches for p in batch}

    def nearest(self) -> None:
        queries = np.eye(2, self._dimension, dtype=np.float32)
        both, states = self._history.around(lambda: self._store.nearest(queries, 10_000))
        for found in both:
            assert len(set(found.ids)) == len(found.ids)
            assert set(found.ids) in [retrievable(state) for state in states]
            self._check_vectors(found.ids, found.vectors)

    def select(self) -> None:
        ids, states = self._history.around(lambda: self._store.select(ALL))
        assert len(set(ids)) == len(ids)
        assert set(ids) in [state.keys() for state in states]
        count, states = self._history.around(self._store.count)
        assert count in [len(state) for state in states]
        marked, states = self._history.around(lambda: self._store.select(Selection(outlier=True)))
        assert set(marked) in [state.keys() - retrievable(state) for state in states]
        nouns, states = self._history.around(self._store.nouns)
        assert sum(nouns.values()) in [len(state) for state in states]

    def scan(self) -> None:
        found, states = self._history.around(lambda: [p for some in self._store.scan(at_once=7) for p in some])
        ids = [point_id(prototype) for prototype in found]
        assert len(set(ids)) == len(ids)
        # What is removed after the scan has begun may be left out.
        assert set.intersection(*(set(state) for state in states)) <= set(ids)
        assert any(set(ids) <= state.keys() for state in states)
        for prototype in found:
            assert prototype.outlier in [state.get(point_id(prototype)) for state in states]
        self._check_vectors(ids, np.array([prototype.vector for prototype in found]))

    def fetch(self) -> None:
        ids = self._store.select(ALL)
        with suppress(NotFoundError):  # one was forgotten meanwhile
            self._check_vectors(ids, self._store.vectors(ids))
            payloads, states = self._history.around(lambda: self._store.payloads(ids))
            for identifier, payload in zip(ids, payloads, strict=True):
                assert payload["outlier"] in [state.get(identifier) for state in states]

    def _check_vectors(self, ids: list[str], vectors: np.ndarray) -> None:
        for identifier, vector in zip(ids, vectors, strict=True):
            np.testing.assert_array_equal(vector, self._vectors[identifier])


def test_readers_see_the_bank_as_it_was_between_two_changes(fast_folder: Path, changing: ModuleType) -> None:
    generator = np.random.default_rng(0)
    store = EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION)
    history, ended = History(), threading.Event()

    def read_all_the_time(ways: list[Callable[[], None]]) -> int:
        number = 0
        while not ended.is_set() or number < len(ways):
            ways[number % len(ways)]()
            number += 1
        return number

    with ThreadPoolExecutor(READERS) as threads:
        reader = Reader(store, history, changing)
        ways = [reader.nearest, reader.select, reader.nearest, reader.scan, reader.fetch]
        reading = [threads.submit(read_all_the_time, ways[number:] + ways[:number]) for number in range(READERS)]
        try:
            for number in range(CHANGES):
                kind = str(generator.choice(["add", "add", "forget", "mark", "unmark", "take away"]))
                change = (kind, number if kind == "add" else int(generator.integers(number + 1)))
                history.states.append(changing.expect(history.states[-1], change))
                changing.perform(store, change)
                history.done += 1
        finally:
            ended.set()
        assert all(thread.result() >= len(ways) for thread in reading)
    assert store.count() > 50
    store.close()


def test_a_bank_is_closed_while_it_is_read(fast_folder: Path, changing: ModuleType) -> None:
    queries = np.eye(2, changing.KEY_DIMENSION, dtype=np.float32)
    prototypes = [prototype for number in range(100) for prototype in changing.make_batch(number)]

    def read_until_closed(store: EmbeddedStore) -> str:
        while True:
            try:
                ids = store.nearest(queries, 500)[0].ids
                assert len(ids) == 400
                assert [payload["outlier"] for payload in store.payloads(ids)] == [""] * len(ids)
                assert sum(len(some) for some in store.scan()) == len(prototypes)
            except UnavailableError as error:
                return str(error)

    with EmbeddedStore.open(fast_folder, changing.PACK, changing.KEY_DIMENSION, changing.VECTOR_DIMENSION) as store:
        store.add(prototypes)
    for _ in range(8):
        store = EmbeddedStore.open_existing(fast_folder)  # which would be refused if it were not closed as a whole
        with ThreadPoolExecutor(READERS) as threads:
            reading = [threads.submit(read_until_closed, store) for _ in range(READERS)]
            time.sleep(0.02)
            store.close()
            assert all("\n" not in thread.result() for thread in reading)
