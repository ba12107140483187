"""An installation with one worker for images and another for captions, and a server beside them.

Several workers need servers for database, broker and banks: here PostgreSQL, the broker of a home, and a stand-in of a
Qdrant server that works in this process, so that its answers take longer than a real one's.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from benchmarks.api_load.serving import free_port, wait_until_ready
from freeda_svc import migrations
from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import background_stack
from freeda_svc.workers.broker_server import start_broker, stop_broker
from freeda_svc.workers.messages import BANK_QUEUE
from tests.bank.conftest import LocalConnection
from tests.bank.qdrant.stub_server import API_KEY, StubServer
from tests.postgresql import PostgresServer

QUEUES = {
    "images": (BANK_QUEUE, JobKind.SEGMENT.value),
    "captions": (JobKind.INGEST.value, JobKind.EXEMPLARS.value),
}
"""What each of the two workers serves."""


@contextmanager
def two_workers(folder: Path) -> Iterator[httpx.Client]:
    """Run the installation on the miniature pack for as long as the block lasts.

    Args:
        folder: for everything but the database.

    Yields:
        A client of its server, which is ready.
    """
    own = {"database_url": "", "broker_url": "", "qdrant_url": ""}
    broker = load_settings(home=folder / "broker", **own)
    prepare_home(broker)
    with ExitStack() as stack:
        database = PostgresServer()
        stack.callback(database.remove)
        bank = StubServer(LocalConnection().client())
        bank.start()
        stack.callback(bank.stop)
        stack.callback(stop_broker, broker)
        settings = load_settings(
            home=folder / "home",
            pack="miniature",
            broker_url=start_broker(broker),
            database_url=database.new_database(),
            qdrant_url=f"http://127.0.0.1:{bank.port}",
            qdrant_api_key=API_KEY,
            artifacts=str(folder / "artifacts"),
            api_port=free_port(),
        )
        prepare_home(settings)
        migrations.upgrade(settings)
        for name, queues in QUEUES.items():
            worker = settings.model_copy(update={"worker_name": name})
            stack.enter_context(background_stack(worker, queues=queues))
        stack.enter_context(_served(settings))
        address = f"http://127.0.0.1:{settings.api_port}"
        with httpx.Client(base_url=address, timeout=600, trust_env=False) as asking:
            wait_until_ready(asking)
            yield asking


@contextmanager
def _served(settings: Settings) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "freeda_svc.api", "--belongs-to", str(os.getpid())],
        env={**os.environ, **settings.as_environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()
