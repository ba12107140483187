"""Which workers serve a broker, and whether they can work: each notes it there, for as long as it lives.

Who asks over the network is on no worker's machine, so that neither lock nor ability of a home tells about them.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import cast

import redis

from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers.ability import running_ability
from freeda_svc.workers.broker import ANSWER_SECONDS, broker_client, broker_trouble, running_broker_url
from freeda_svc.workers.locks import worker_identity, worker_is_running

PRESENCE = "freeda:worker:"
KEPT_SECONDS = 20.0
"""A worker that was killed is taken for present so long."""
MOST_WORKERS = 10_000
NO_WORKER = "there is no worker: `freeda up` or `freeda worker` runs one"
STARTING = "the worker is starting"


@dataclass(frozen=True)
class PresentWorker:
    """A worker that serves a broker.

    Attributes:
        queues: what it serves.
        able: whether it takes items.
        reason: why not, one line; empty while it starts.
    """

    queues: tuple[str, ...]
    able: bool
    reason: str = ""


class Presence:
    """Notes in the broker that a worker is there."""

    def __init__(self, settings: Settings, broker_url: str, queues: Sequence[str]) -> None:
        """Prepare it.

        Args:
            settings: the installation.
            broker_url: of the broker that it serves.
            queues: what it serves.
        """
        self._settings, self._broker_url, self._queues = settings, broker_url, tuple(queues)
        self._key = f"{PRESENCE}{worker_identity(settings)}"

    def note(self) -> None:
        """Note how the worker stands; it is kept for a while.

        Raises:
            UnavailableError: the broker does not answer.
        """
        ability = running_ability(self._settings)
        now = PresentWorker(self._queues, *((ability.able, ability.reason) if ability else (False, "")))
        kept = int(1000 * max(KEPT_SECONDS, 4 * self._settings.reconcile_seconds))
        with broker_client(self._broker_url) as client:
            client.set(self._key, json.dumps(asdict(now)), px=kept)

    def leave(self) -> None:
        """Take it back.

        Raises:
            UnavailableError: the broker does not answer.
        """
        with broker_client(self._broker_url) as client:
            client.delete(self._key)


@contextmanager
def presence_noted(settings: Settings, broker_url: str, queues: Sequence[str]) -> Iterator[Presence]:
    """Give what notes that a worker is there, and take it back at the end."""
    presence = Presence(settings, broker_url, queues)
    try:
        yield presence
    finally:
        with suppress(UnavailableError):  # the broker went first, or what it keeps of us runs out by itself
            presence.leave()


def present_workers(broker_url: str) -> list[PresentWorker]:
    """List the workers that serve a broker; takes a few seconds at most.

    Raises:
        UnavailableError: the broker does not answer.
    """
    try:
        with redis.Redis.from_url(
            broker_url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None
        ) as client:
            keys = []
            for key in client.scan_iter(f"{PRESENCE}*", count=1000):
                keys.append(key)
                if len(keys) == MOST_WORKERS:
                    break
            noted = cast("list[bytes | None]", client.mget(keys)) if keys else []
    except (redis.RedisError, OSError) as error:
        raise UnavailableError(broker_trouble(broker_url, error)) from error
    found = (json.loads(note) for note in noted if note is not None)
    return [PresentWorker(tuple(worker["queues"]), worker["able"], worker["reason"]) for worker in found]


def able_queues(settings: Settings) -> list[str]:
    """Return the queues that workers serve which can work now: of this home, or of the broker of the settings.

    Raises:
        UnavailableError: there is no worker, none can work, or the broker does not answer; says why.
    """
    workers = _own_worker(settings) if settings.embedded_broker else present_workers(settings.broker_url)
    if not workers:
        raise UnavailableError(NO_WORKER)
    able = [worker for worker in workers if worker.able]
    if not able:
        reasons = [worker.reason for worker in workers if worker.reason]
        raise UnavailableError(reasons[0] if reasons else STARTING)
    return sorted({queue for worker in able for queue in worker.queues})


def _own_worker(settings: Settings) -> list[PresentWorker]:
    if not worker_is_running(settings):
        return []
    ability = running_ability(settings)
    if ability is None or not ability.able:
        return [PresentWorker((), False, "" if ability is None else ability.reason)]
    url = running_broker_url(settings)
    return [] if url is None else present_workers(url) or [PresentWorker((), True)]
