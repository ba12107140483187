"""Threads that read while another changes the bank see it as it was at moments between two changes."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from freeda_svc.bank import ALL, PrototypeStore, Selection, open_folder, point_id
from freeda_svc.bank.qdrant import edge
from freeda_svc.errors import NotFoundError, UnavailableError
from tests.bank.qdrant import changing_process as changing
from tests.bank.qdrant.changed_bank import VECTOR, Reasons, read_all

CHANGES = 100
READERS = 3


@pytest.fixture(autouse=True)
def turns_often() -> Iterator[None]:
    """Threads take turns often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class History:
    """All states of a bank, each entered before the change that leads to it begins."""

    def __init__(self) -> None:
        self.states: list[Reasons] = [{}]
        self.done = 0

    def around(self, read: Callable[[], object]) -> tuple[object, list[Reasons]]:
        """What something read gives, and the states that the bank may have had meanwhile."""
        first = self.done
        result = read()
        return result, self.states[first:]


def retrievable(state: Reasons) -> set[str]:
    return {identifier for identifier, reason in state.items() if not reason}


class Reader:
    """Reads in every way there is."""

    def __init__(self, store: PrototypeStore, history: History) -> None:
        self._store, self._history = store, history
        batches = [changing.make_batch(number) for number in range(CHANGES)]
        self._vectors = {point_id(p): p.vector.astype(np.float16) for batch in batches for p in batch}

    def nearest(self) -> None:
        queries = np.eye(2, changing.KEY_DIMENSION, dtype=np.float32)
        both, states = self._history.around(lambda: self._store.nearest(queries, 10_000))
        for found in both:
            self._check_found(found, states)

    def nearest_prototypes(self) -> None:
        (found,), states = self._history.around(lambda: self._store.nearest_prototypes(VECTOR, 10_000))
        self._check_found(found, states)

    def _check_found(self, found: object, states: list[Reasons]) -> None:
        assert len(set(found.ids)) == len(found.ids)
        # What is removed after the search may be missing, what is marked may be in.
        assert set.intersection(*map(retrievable, states)) <= set(found.ids) <= set().union(*states)
        assert (np.diff(found.scores) <= 0).all()
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
        # What is added or removed after the scan has begun may be left out.
        assert set.intersection(*(set(state) for state in states)) <= set(ids) <= set().union(*states)
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

    def _check_vectors(self, ids: list[str], vectors: npt.NDArray[np.float32]) -> None:
        for identifier, vector in zip(ids, vectors, strict=True):
            np.testing.assert_array_equal(vector, self._vectors[identifier])


@pytest.mark.parametrize("packed", [False, True], ids=["", "while it is packed"])
def test_readers_see_the_bank_as_it_was_between_two_changes(folder: Path, *, packed: bool) -> None:
    generator = np.random.default_rng(0)
    store = changing.open_bank(folder)
    history, ended = History(), threading.Event()

    def read_all_the_time(ways: list[Callable[[], None]]) -> int:
        number = 0
        while not ended.is_set() or number < len(ways):
            ways[number % len(ways)]()
            number += 1
        return number

    with ThreadPoolExecutor(READERS + 1) as threads:
        reader = Reader(store, history)
        ways = [reader.nearest, reader.select, reader.nearest_prototypes, reader.scan, reader.fetch]
        reading = [threads.submit(read_all_the_time, ways[number:] + ways[:number]) for number in range(READERS)]
        try:
            for number in range(CHANGES):
                kind = str(generator.choice(["add", "add", "forget", "mark", "unmark", "take away"]))
                change = (kind, number if kind == "add" else int(generator.integers(number + 1)))
                history.states.append(changing.expect(history.states[-1], change))
                changing.perform(store, change)
                history.done += 1
                if packed and number % 40 == 20:
                    threads.submit(store.optimize, index_prototypes=number > 50)
        finally:
            ended.set()
        assert all(thread.result(60) >= len(ways) for thread in reading)
    assert store.count() > 50
    assert read_all(store) == history.states[-1]
    store.close()


def test_several_threads_change_a_bank_at_once(folder: Path) -> None:
    with changing.open_bank(folder) as store:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda number: changing.perform(store, ("add", number)), range(40)))
            others = [("forget", number) for number in range(10)] + [("mark", number) for number in range(10, 20)]
            list(threads.map(lambda change: changing.perform(store, change), others))
        expected: Reasons = {}
        for change in [*(("add", number) for number in range(40)), *others]:
            expected = changing.expect(expected, change)
        assert read_all(store) == expected
    with open_folder(folder) as store:
        assert read_all(store) == expected


def test_a_bank_is_closed_while_it_is_read(folder: Path) -> None:
    queries = np.eye(2, changing.KEY_DIMENSION, dtype=np.float32)
    prototypes = [prototype for number in range(100) for prototype in changing.make_batch(number)]

    def read_until_closed(store: PrototypeStore) -> str:
        while True:
            try:
                ids = store.nearest(queries, 500)[0].ids
                assert len(ids) == 400
                assert [payload["outlier"] for payload in store.payloads(ids)] == [""] * len(ids)
                assert sum(len(some) for some in store.scan()) == len(prototypes)
            except UnavailableError as error:
                return str(error)

    with changing.open_bank(folder) as store:
        store.add(prototypes)
    for _ in range(8):
        store = open_folder(folder)  # which would be refused if it were not closed as a whole
        with ThreadPoolExecutor(READERS) as threads:
            reading = [threads.submit(read_until_closed, store) for _ in range(READERS)]
            time.sleep(0.02)
            store.close()
            assert {thread.result(60) for thread in reading} == {f"the bank {folder} does not answer: it is closed"}


def test_the_first_appearances_that_come_while_a_page_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = edge.engine.ScrollRequest
    kinds = [batch[0].appearance is not None for batch in map(changing.make_batch, range(3))]
    without, having = kinds.index(False), kinds.index(True)

    def ask_later(*given: object) -> object:
        if store.count() == changing.BATCH:
            with ThreadPoolExecutor(1) as another:
                another.submit(changing.perform, store, ("add", having)).result()
        return asked(*given)

    with changing.open_bank(folder) as store:
        changing.perform(store, ("add", without))
        monkeypatch.setattr(edge.engine, "ScrollRequest", ask_later)
        (found,) = store.scan()
        assert sum(prototype.appearance is not None for prototype in found) == changing.BATCH
