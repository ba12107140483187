"""Things happen to a service at random moments: which and when follows from a seed, what comes out does not."""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import redis

from freeda_svc.workers import running_broker_url
from freeda_svc.workers.broker_server import stop_broker
from tests.durability.halts import Halts
from tests.durability.services import Servers, Worker, children, one_machine, servers, start_all
from tests.durability.workload import CAPTIONS, Outcome, check_done_once, ingest, segment, wait_for

DAY = 86_400.0
LONGEST_PAUSE_SECONDS = 1.5
MANY_ATTEMPTS = 100

Action = Callable[[random.Random], None]


def disturb_one_machine(
    folder: Path, chance: random.Random, undisturbed: Outcome, images: list[Path], times: int
) -> None:
    """Let an embedded stack work while things happen to it, then see that all is done as if nothing had.

    Args:
        folder: an empty folder.
        chance: makes all choices.
        undisturbed: what must come out.
        images: what is segmented.
        times: how many things happen.
    """
    halts = Halts(folder / "halts")
    with one_machine(folder, halts, captions_per_item=1, max_attempts=MANY_ATTEMPTS) as worker:
        settings = worker.settings
        jobs = [ingest(settings, range(min(40 * times, CAPTIONS))), segment(settings, images)]
        actions = {**_to_worker(worker, halts), **_to_embedded_broker(worker)}
        _disturb(actions, chance, times)
        halts.set_clock(settings.worker_name, 0.0)
        wait_for(settings, *jobs)
        check_done_once(settings, folder / "copy", undisturbed)


def disturb_several_machines(
    folder: Path, chance: random.Random, undisturbed: Outcome, images: list[Path], times: int
) -> None:
    """Do the same to three workers and the servers they share."""
    halts = Halts(folder / "halts")
    with servers(folder, captions_per_item=1, max_attempts=MANY_ATTEMPTS) as shared:
        workers = [shared.worker(name, halts) for name in ("one", "two", "three")]
        try:
            start_all(workers)
            jobs = [ingest(shared.settings, range(min(40 * times, CAPTIONS))), segment(shared.settings, images)]
            actions = dict(_to_servers(shared))
            for worker in workers:
                for what, action in _to_worker(worker, halts).items():
                    actions[f"{worker.settings.worker_name}: {what}"] = action
            _disturb(actions, chance, times)
            for worker in workers:
                halts.set_clock(worker.settings.worker_name, 0.0)
            wait_for(shared.settings, *jobs)
            check_done_once(shared.settings, folder / "copy", undisturbed)
        finally:
            for worker in workers:
                worker.stop()


def _disturb(actions: Mapping[str, Action], chance: random.Random, times: int) -> None:
    for _ in range(times):
        time.sleep(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        what = chance.choice(sorted(actions))
        print(f"{time.monotonic():.3f} {what}", flush=True)
        actions[what](chance)


def _to_worker(worker: Worker, halts: Halts) -> dict[str, Action]:
    """What happens to one worker."""
    lease = worker.settings.lease_seconds

    def kill_working_process(_: random.Random) -> None:
        for process in children(worker.pid):
            os.kill(process, signal.SIGKILL)

    def freeze_working_process(chance: random.Random) -> None:
        frozen = children(worker.pid)
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
        time.sleep(chance.uniform(0, 2 * lease))
        for process in frozen:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    def freeze(chance: random.Random) -> None:
        with worker.frozen():
            time.sleep(chance.uniform(0, 2 * lease))

    def kill_and_start(chance: random.Random) -> None:
        worker.kill()
        time.sleep(chance.uniform(0, 2 * lease))
        worker.start()

    def stop_and_start(_: random.Random) -> None:
        worker.stop()
        worker.start()

    def set_clock(chance: random.Random) -> None:
        halts.set_clock(worker.settings.worker_name, chance.uniform(-DAY, DAY))

    return {
        "kill working process": kill_working_process,
        "freeze working process": freeze_working_process,
        "freeze": freeze,
        "kill and start": kill_and_start,
        "stop and start": stop_and_start,
        "set clock": set_clock,
    }


def _to_embedded_broker(worker: Worker) -> dict[str, Action]:
    settings = worker.settings

    def empty(_: random.Random) -> None:
        _empty(running_broker_url(settings))

    def kill(_: random.Random) -> None:
        url = running_broker_url(settings)
        if url is not None:
            with redis.Redis.from_url(url) as client:
                os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)

    return {"empty broker": empty, "kill broker": kill, "stop broker": lambda _: bool(stop_broker(settings)) and None}


def _to_servers(shared: Servers) -> dict[str, Action]:
    lease = shared.settings.lease_seconds

    def stop_database(chance: random.Random) -> None:
        shared.database.stop(chance.choice([signal.SIGINT, signal.SIGQUIT]))
        time.sleep(chance.uniform(0, 2 * lease))
        shared.database.start()

    def stop_broker_for_a_while(chance: random.Random) -> None:
        shared.stop_broker()
        time.sleep(chance.uniform(0, 2 * lease))
        shared.start_broker()

    return {
        "stop database": stop_database,
        "stop broker": stop_broker_for_a_while,
        "empty broker": lambda _: _empty(shared.settings.broker_url),
    }


def _empty(url: str | None) -> None:
    if url is not None:
        with redis.Redis.from_url(url) as client:
            client.flushall()
