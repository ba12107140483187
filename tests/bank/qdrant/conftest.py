import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import freeda_svc
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant import changing_process
from tests.bank.qdrant.stub_server import StubServer


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


StartChild = Callable[[Path, Sequence[tuple[str, int]], int | None], Child]


@pytest.fixture(scope="session")
def start_child() -> Iterator[StartChild]:
    """Starts children that change a bank, one after the other; the program is started once."""
    environment = {**os.environ, "PYTHONPATH": str(Path(freeda_svc.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, changing_process.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:

        def start(folder: Path, changes: Sequence[tuple[str, int]], step: int | None = None) -> Child:
            assert process.stdin is not None
            process.stdin.write(json.dumps([str(folder), changes, step]) + "\n")
            process.stdin.flush()
            return Child(process)

        yield start
        process.kill()


@pytest.fixture
def stub_server(local_connection: LocalConnection) -> Iterator[StubServer]:
    server = StubServer(local_connection.client())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def folder(fast_folder: Path) -> Path:
    return fast_folder / "bank"
