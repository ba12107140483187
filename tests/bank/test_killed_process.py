"""What is reported as stored survives a process that dies without a chance to tidy up."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import freeda_svc
from freeda_svc.bank import EmbeddedStore, point_id
from freeda_svc.errors import BusyError

PROGRAM = Path(__file__).with_name("adding_process.py")


def load_program() -> ModuleType:
    specification = importlib.util.spec_from_file_location("adding_process", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


adding = load_program()


class Adder:
    """The child process: told to add one batch a line, read for the batches that are done."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout
        assert self.stdout.readline() == "open\n"

    def ask(self, batches: int) -> None:
        self.stdin.write("add\n" * batches)
        self.stdin.flush()

    def read_done(self) -> int:
        word, number = self.stdout.readline().split()
        assert word == "done"
        return int(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def rest(self) -> list[int]:
        return [int(line.split()[1]) for line in self.stdout if line.endswith("\n")]


@contextmanager
def start(folder: Path, first: int = 0) -> Iterator[Adder]:
    root = Path(freeda_svc.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield Adder(process)
        finally:
            process.kill()


def assert_complete(store: EmbeddedStore, batches: set[int]) -> None:
    for number in batches:
        batch = adding.make_batch(number)
        found = store.nearest(np.stack([prototype.key for prototype in batch]), 1)
        assert [neighbours.ids[0] for neighbours in found] == [point_id(prototype) for prototype in batch]
        assert all(neighbours.payloads[0]["caption"] == f"batch {number}" for neighbours in found)
        vectors = np.stack([neighbours.vectors[0] for neighbours in found])
        np.testing.assert_allclose(vectors, np.stack([p.vector for p in batch]), rtol=2.0**-11, atol=1e-7)


def test_a_batch_is_durable_when_add_returns(folder: Path) -> None:
    with start(folder) as adder:
        adder.ask(1)
        assert adder.read_done() == 0
        adder.kill()
    with EmbeddedStore.open_existing(folder) as store:
        assert store.count() == adding.BATCH
        assert_complete(store, {0})
        assert store.add(adding.make_batch(0)) == 0


@pytest.mark.end_to_end
def test_whenever_a_process_is_killed_the_batches_it_reported_are_complete(folder: Path) -> None:
    done: set[int] = set()
    for attempt, moment in enumerate((0.0, 0.003, 0.02, 0.05, 0.09, 0.15)):
        first = 100 * attempt
        with start(folder, first) as adder:
            adder.ask(50)
            if attempt % 2:
                done.add(adder.read_done())
            time.sleep(moment)
            adder.kill()
            done.update(adder.rest())
        with EmbeddedStore.open_existing(folder) as store:
            assert_complete(store, done)
            # What was cut off can be done again, and is then there once.
            for number in range(first, first + 3):
                store.add(adding.make_batch(number))
                done.add(number)
            assert_complete(store, done)
            assert sum(store.nouns().values()) == store.count()
    assert len(done) >= 18


def test_a_second_process_learns_who_holds_the_bank(folder: Path) -> None:
    with start(folder) as adder:
        with pytest.raises(BusyError, match=f"is in use by process {adder.process.pid}: wait") as caught:
            EmbeddedStore.open(folder, "killed", adding.KEY_DIMENSION, adding.VECTOR_DIMENSION)
        assert "\n" not in str(caught.value)
        with pytest.raises(BusyError, match=f"process {adder.process.pid}"):
            EmbeddedStore.open_existing(folder)
        adder.kill()
    with EmbeddedStore.open_existing(folder) as store:
        assert store.count() == 0
