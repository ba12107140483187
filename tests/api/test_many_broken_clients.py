"""Hundreds of slow and broken connections: a server answers while they come, and keeps nothing of them.

FREEDA_BROKEN_CLIENTS says how many, such as 2000; the limits are the same.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from freeda_svc.jobs import list_jobs
from freeda_svc.settings import Settings, load_settings, prepare_home
from tests.api.broken_clients import WAYS, attack
from tests.free_ports import free_port

COUNT = int(os.environ.get("FREEDA_BROKEN_CLIENTS", "200"))
START_SECONDS, SETTLE_SECONDS = 60.0, 60.0
MOST_GROWTH_KB = 32 << 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")


class Server:
    """`freeda serve` as a process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process = subprocess.Popen(
            [sys.executable, "-m", "freeda_svc.api"],
            env={**os.environ, **settings.as_environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answers(self) -> bool:
        """Whether it says within a while that it lives, and what jobs there are."""
        address = f"http://127.0.0.1:{self.settings.api_port}"
        try:
            with httpx.Client(base_url=address, trust_env=False, timeout=120) as client:
                return client.get("/health/live").status_code == client.get("/v1/jobs").status_code == 200
        except httpx.TransportError:
            return False

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def kilobytes(self) -> int:
        """Memory that is its own."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    settings = load_settings(home=tmp_path / "home", api_port=free_port())
    prepare_home(settings)
    found = Server(settings)
    try:
        _until(found.answers, START_SECONDS)
        yield found
    finally:
        found.process.terminate()
        found.process.wait(120)


def _until(holds: "object", seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_it_answers_others_meanwhile_and_keeps_nothing(server: Server) -> None:
    attack(server.settings.api_port, 2 * len(WAYS))  # what is loaded at the first use is there
    assert server.answers()
    files, memory = server.open_files(), server.kilobytes()
    attacking = threading.Thread(target=attack, args=(server.settings.api_port, COUNT))
    attacking.start()
    while attacking.is_alive():
        assert server.answers()
        attacking.join(0.5)
    assert server.answers()
    _until(lambda: server.open_files() <= files, SETTLE_SECONDS)
    grown = server.kilobytes() - memory
    print(
        f"{COUNT} clients: {files} open files before, {server.open_files()} after; memory {grown:+,} kB of {memory:,}"
    )
    assert grown < MOST_GROWTH_KB
    assert not [path for path in server.settings.uploads_folder.rglob("*") if path.is_file()]
    assert list_jobs(server.settings) == []
