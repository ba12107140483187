"""Installations of their own: a home, a broker, a database, and workers whose items do nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.queue_load.processor_time import processor_seconds
from freeda_svc.captions import Caption, make_caption
from freeda_svc.jobs import JobKind, submit_ingest
from freeda_svc.jobs.database import close_databases
from freeda_svc.migrations import upgrade
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import CeleryDispatcher, ready_worker
from freeda_svc.workers.broker import broker_client, running_broker_url
from freeda_svc.workers.broker_server import start_broker, stop_broker
from tests.postgresql import PostgresServer

ROOT = Path(__file__).parents[2]
WORKER, BROKER, DATABASE = "worker", "broker", "database"
NO_QDRANT = "http://127.0.0.1:1"
"""Several workers need a server for their banks, which items that do nothing never ask."""
DURABLE = {"fsync": "on", "shared_buffers": "128MB"}
START_SECONDS, STOP_SECONDS, LOOK_SECONDS = 60.0, 60.0, 0.02


class Installation:
    """A home with its parts; workers are started and stopped one by one."""

    def __init__(self, settings: Settings, database: int | None = None) -> None:
        """Take over what was set up.

        Args:
            settings: of the installation.
            database: process id of its database server; None for SQLite, which works in the others' processes.
        """
        self.settings = settings
        self._database = database
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def submit(self, captions: list[Caption]) -> str:
        """Accept a job with an item for each caption; returns its id."""
        client = self.settings.model_copy(update={"qdrant_url": ""})  # finds out about banks at home
        return submit_ingest(client, captions, source="benchmark", dispatcher=CeleryDispatcher(self.settings))

    def start_worker(self, name: str = "first") -> None:
        """Start a worker and wait until it takes items; several need a name each."""
        given = self.settings.model_copy(update={"worker_name": name})
        process = run_module("benchmarks.queue_load.idle_worker", given.as_environment())
        self.workers[name] = process
        wait_until(lambda: ready_worker(given) == process.pid, START_SECONDS, "a worker did not start", process)

    def stop(self) -> None:
        """Stop the workers as their supervisor would, or at once when they do not."""
        for process in self.workers.values():
            process.terminate()
        for process in self.workers.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.workers.clear()

    def clear_queue(self) -> None:
        """Wait until the messages that found nothing to do are gone, too."""
        url = self.broker_url()
        wait_until(lambda: messages(url, JobKind.INGEST) == 0, STOP_SECONDS, "messages are left")

    def broker_url(self) -> str:
        """Address of the broker."""
        url = running_broker_url(self.settings) if self.settings.embedded_broker else self.settings.broker_url
        assert url is not None, "it runs as long as its worker does"
        return url

    def processor_seconds(self) -> dict[str, float]:
        """Processor time so far of the workers together, the broker, the database server and this process."""
        with broker_client(self.broker_url()) as client:
            parts = {BROKER: int(client.info("server")["process_id"])}
        if self._database is not None:
            parts[DATABASE] = self._database
        running = {f"{WORKER} {name}": process.pid for name, process in self.workers.items()}
        found = processor_seconds({**parts, **running})
        return {WORKER: sum(found.pop(name) for name in running), **found}


@contextmanager
def on_sqlite(home: Path) -> Iterator[Installation]:
    """An installation as ``freeda up`` runs it: SQLite, broker and bank in the home, one worker."""
    settings = _settings(home)
    installation = Installation(settings)
    try:
        yield installation
    finally:
        installation.stop()
        stop_broker(settings)
        close_databases()


@contextmanager
def on_postgresql(home: Path) -> Iterator[Installation]:
    """An installation for several workers: a PostgreSQL server that waits for the disk, and a broker beside them."""
    owner = _settings(home / "broker")
    server = PostgresServer()
    try:
        server.stop()
        server.start(**DURABLE)
        url = server.new_database()
        given = {"broker_url": start_broker(owner), "database_url": url, "qdrant_url": NO_QDRANT}
        settings = _settings(home, **given)
        upgrade(settings)
        postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        installation = Installation(settings, postmaster)
        try:
            yield installation
        finally:
            installation.stop()
    finally:
        stop_broker(owner)
        close_databases()
        server.remove()


@contextmanager
def a_broker(home: Path) -> Iterator[str]:
    """A broker as the service starts it, alone; gives its address."""
    settings = _settings(home)
    try:
        yield start_broker(settings)
    finally:
        stop_broker(settings)


def messages(broker_url: str, queue: str) -> int:
    """Count the messages in a queue and in workers' hands."""
    with broker_client(broker_url) as client:
        return int(client.llen(queue)) + int(client.hlen("unacked"))


def captions(count: int, words: str = "nothing") -> list[Caption]:
    """Make captions, all different."""
    made = (make_caption(f"{words} {number} of {count}, at {time.monotonic_ns()}") for number in range(count))
    return [caption for caption in made if caption is not None]


def run_module(name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Run a module as a process with a group of its own; what it tells stands in its home's log."""
    return subprocess.Popen(
        [sys.executable, "-m", name],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_until(
    is_so: Callable[[], bool], seconds: float, otherwise: str, process: "subprocess.Popen[bytes] | None" = None
) -> None:
    """Wait until something is so.

    Raises:
        RuntimeError: it was not in time, or the process ended before.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline or (process is not None and process.poll() is not None):
            raise RuntimeError(otherwise)
        time.sleep(LOOK_SECONDS)


def _settings(home: Path, **given: str) -> Settings:
    """The defaults, whatever the environment says, but one caption an item."""
    servers = {"broker_url": "", "database_url": "", "qdrant_url": ""}
    settings = load_settings(home=home, captions_per_item=1, **{**servers, **given})
    prepare_home(settings)
    return settings
