"""Workers that are killed, frozen and started again, and the servers they depend on."""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freeda_svc import migrations
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import background_stack
from freeda_svc.workers.broker_server import start_broker, stop_broker
from tests.described_pack import write_described_pack
from tests.durability.halts import Halts, wait_until


def quick_settings(folder: Path, **given: Any) -> Settings:  # noqa: ANN401 - settings
    """Settings of a home in a folder, quick to notice trouble, in which an item may be interrupted often."""
    quick = {
        "home": folder / "home",
        "database_url": "",
        "broker_url": "",
        "qdrant_url": "",
        "captions_per_item": 2,
        "reconcile_seconds": 0.3,
        "lease_seconds": 2.0,
        "stop_grace_seconds": 10.0,
        "max_attempts": 12,
    }
    if "pack" not in given:
        quick["pack"] = write_described_pack(folder / "quick-pack", "quick")
    settings = load_settings(**{**quick, **given})
    prepare_home(settings)
    return settings


def children(pid: int) -> list[int]:
    """The working processes below a worker: one, or none for a moment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and b"spawn_main" in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
    return found


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waited for by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class Worker:
    """A worker, with the embedded broker where its settings say so, that may be killed and started again."""

    def __init__(self, settings: Settings, halts: Halts, queues: Sequence[str] = ()) -> None:
        """Say which; it is not started."""
        self.settings = settings
        self.pid = 0
        self.halts = halts
        self.queues = queues
        self.running = ExitStack()

    def start(self) -> int:
        """Start it and wait until it takes items; gives its process."""
        with self.halts.inherited():
            self.pid = self.running.enter_context(background_stack(self.settings, queues=self.queues))
        return self.pid

    def kill(self) -> None:
        """Kill it and its working process at once."""
        family = [self.pid, *children(self.pid)]
        os.killpg(self.pid, signal.SIGKILL)
        wait_until(lambda: all(map(has_ended, family)), "killed processes end")
        self.running.close()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop it and its working process in the middle of whatever they do, then continue them."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Stop it as a service manager does; it hands back what it cannot finish."""
        self.running.close()


def start_all(workers: Sequence[Worker]) -> None:
    """Start several at a time."""
    with workers[0].halts.inherited(), ThreadPoolExecutor(len(workers)) as pool:
        entered = [pool.submit(_enter, worker) for worker in workers]
        for done in entered:
            done.result()


def _enter(worker: Worker) -> None:
    worker.pid = worker.running.enter_context(background_stack(worker.settings, queues=worker.queues))


@contextmanager
def one_machine(folder: Path, halts: Halts, **given: Any) -> Iterator[Worker]:  # noqa: ANN401 - settings
    """The embedded stack: SQLite, a broker of its own, an embedded bank."""
    worker = Worker(quick_settings(folder, **given), halts)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
        stop_broker(worker.settings)


@dataclass(frozen=True)
class Servers:
    """What several workers share, and what stops and starts it.

    Attributes:
        settings: of an installation on all of them.
        database: the PostgreSQL server.
        broker: settings of the home whose broker is used.
    """

    settings: Settings
    database: Any
    broker: Settings

    def start_broker(self) -> None:
        """Start the broker at the address it had."""
        assert start_broker(self.broker) == self.settings.broker_url

    def stop_broker(self) -> None:
        """Stop the broker, in good order."""
        stop_broker(self.broker)

    def worker(self, name: str, halts: Halts, queues: Sequence[str] = (), **given: Any) -> Worker:  # noqa: ANN401 - settings
        """A worker of that name, which is not started."""
        return Worker(self.settings.model_copy(update={"worker_name": name, **given}), halts, queues)


@contextmanager
def servers(folder: Path, **given: Any) -> Iterator[Servers]:  # noqa: ANN401 - settings
    """A broker, a PostgreSQL server, a stand-in of a Qdrant server, and a shared folder."""
    from tests.bank.conftest import LocalConnection  # noqa: PLC0415
    from tests.bank.qdrant.stub_server import API_KEY, StubServer  # noqa: PLC0415
    from tests.postgresql import PostgresServer  # noqa: PLC0415

    broker = quick_settings(folder, home=folder / "broker")
    database = PostgresServer()
    bank = StubServer(LocalConnection().client())
    bank.start()
    try:
        settings = quick_settings(
            folder,
            broker_url=start_broker(broker),
            database_url=database.new_database(),
            qdrant_url=f"http://127.0.0.1:{bank.port}",
            qdrant_api_key=API_KEY,
            artifacts=str(folder / "artifacts"),
            **given,
        )
        migrations.upgrade(settings)
        yield Servers(settings, database, broker)
    finally:
        bank.stop()
        stop_broker(broker)
        database.remove()
