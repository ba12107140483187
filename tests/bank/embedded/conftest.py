import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import freeda_svc
from freeda_svc.bank import ALL, EmbeddedStore, Selection, point_id
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.embedded.shard import Shard

PROGRAM = Path(__file__).with_name("changing_process.py")

Reasons = dict[str, str]


@pytest.fixture
def three_threads() -> Iterator[None]:
    """Torch may use three threads in this one."""
    import torch  # noqa: PLC0415 - most tests here do without it

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def changing() -> ModuleType:
    """The program whose children change banks, as a module: its batches and changes."""
    specification = importlib.util.spec_from_file_location("changing_process", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def read_all(changing: ModuleType) -> Callable[[EmbeddedStore], Reasons]:
    """Reads everything a bank of `changing`'s batches holds, in every way there is; all must agree.

    What it gives are the reasons for which prototypes are marked (empty: not marked), by their ids.
    """
    query = unit_rows(np.random.default_rng(0).normal(size=(1, changing.KEY_DIMENSION)).astype(np.float32))

    def read(store: EmbeddedStore) -> Reasons:
        ids = store.select(ALL)
        assert len(set(ids)) == len(ids) == store.count()
        scanned = [prototype for some in store.scan() for prototype in some]
        assert [point_id(prototype) for prototype in scanned] == ids
        batches = [changing.make_batch(number) for number in {prototype.seed for prototype in scanned}]
        added = {point_id(prototype): prototype for batch in batches for prototype in batch}
        wanted = [added[identifier] for identifier in ids]
        assert [(p.noun, p.caption, p.job) for p in scanned] == [(p.noun, p.caption, p.job) for p in wanted]
        assert store.nouns() == dict(sorted(Counter(prototype.noun for prototype in wanted).items()))
        reasons = {identifier: found.outlier for identifier, found in zip(ids, scanned, strict=True)}
        assert store.count(Selection(outlier=True)) == sum(map(bool, reasons.values()))
        if not ids:
            return {}
        keys, vectors = unit_rows(np.stack([p.key for p in wanted])), np.stack([p.vector for p in wanted])
        np.testing.assert_array_equal(np.stack([p.key for p in scanned]), keys)
        np.testing.assert_array_equal(np.stack([p.vector for p in scanned]), vectors.astype(np.float16))
        np.testing.assert_array_equal(store.vectors(ids), vectors.astype(np.float16))
        (neighbours,) = store.nearest(query, len(ids) + 3)
        assert sorted(neighbours.ids) == sorted(identifier for identifier, reason in reasons.items() if not reason)
        rows = [ids.index(identifier) for identifier in neighbours.ids]
        np.testing.assert_allclose(neighbours.scores, keys[rows] @ query[0], atol=1e-6)
        assert (np.diff(neighbours.scores) <= 0).all()
        assert list(neighbours.nouns) == [wanted[row].noun for row in rows]
        return reasons

    return read


@pytest.fixture(scope="session")
def read_points() -> Callable[[Path], dict[str, bool]]:
    """Reads from the engine's shard of a closed bank which points it holds, and whether they are marked there."""

    def read(folder: Path) -> dict[str, bool]:
        shard = Shard(folder)
        try:
            return {identifier: bool(found.outlier) for some in shard.scroll() for identifier, found in some}
        finally:
            shard.close()

    return read


class Child:
    """What a child of the program says, line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = 0

    def read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        if line.startswith("open "):
            self.pid = int(line.removeprefix("open "))
        assert line, "the program has ended"
        return line

    def kill(self) -> None:
        assert self.pid, "the child has not said that it is open"  # and 0 would be this process and all its children
        os.kill(self.pid, signal.SIGKILL)

    def finish(self) -> tuple[int, bool]:
        """Wait until the child has ended: how many changes it has reported since, and whether it was killed."""
        done = 0
        while (line := self.read()) == "done":
            done += 1
        assert line in {"killed", "ended 0"}
        return done, line == "killed"


@pytest.fixture(scope="session")
def start_child() -> Iterator[Callable[[Path, Sequence[tuple[str, int]], int | None], Child]]:
    """Starts children that change a bank, one after the other; the program is started once."""
    environment = {**os.environ, "PYTHONPATH": str(Path(freeda_svc.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:

        def start(folder: Path, changes: Sequence[tuple[str, int]], step: int | None = None) -> Child:
            assert process.stdin is not None
            process.stdin.write(json.dumps([str(folder), changes, step]) + "\n")
            process.stdin.flush()
            return Child(process)

        yield start
        process.kill()
