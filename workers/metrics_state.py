"""Metrics of the whole installation: work that waits, how it went lately, which parts answer.

They are collected in a thread, so that a part that hangs does not keep Prometheus from the other metrics. All workers
report the same: the one that has queried the database shares the result through the broker, so a hundred workers cost
the database no more than one.
"""

import json
import threading
import time
from collections.abc import Iterator
from typing import cast

import httpx
import redis
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from freeda_svc.addresses import check_bank_address
from freeda_svc.errors import FreedaError, UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.census import RECENT_MINUTES, take_census
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.broker import broker_client
from freeda_svc.workers.reconciler import waiting_messages
from freeda_svc.workers.transport import unreadable_messages

SHARED_KEY = "freeda:census"
BANK_SECONDS = 2.0
STOP_SECONDS = 2.0
Sample = tuple[str, dict[str, str], float]
"""Name of a gauge, labels, value."""

log = logger(__name__)

GAUGES = {
    "freeda_items": (
        "Items that wait (queued), are worked on (running) or were set aside (failed).",
        ("kind", "state"),
    ),
    "freeda_jobs": ("Jobs of which no item was begun yet (queued), and others that have not ended.", ("state",)),
    "freeda_oldest_waiting_seconds": ("For how long the oldest waiting item has been there; 0 without one.", ("kind",)),
    "freeda_attempts_recent": (
        f"Attempts that ended in the last {RECENT_MINUTES} minutes: done, failed, lost or handed back.",
        ("kind", "outcome"),
    ),
    "freeda_queue_messages": ("Messages in the broker's queue, without those that workers have taken.", ("kind",)),
    "freeda_unreadable_messages": ("What lay in a queue, was no message and was set aside; a thousand at most.", ()),
    "freeda_database_up": ("Whether the database answers.", ()),
    "freeda_broker_up": ("Whether the broker answers.", ()),
    "freeda_bank_up": ("Whether the Qdrant server is ready; absent where banks are embedded.", ()),
}


def look(settings: Settings, broker_url: str) -> list[Sample]:
    """Collect the state of the installation; a part that does not answer has the value 0."""
    samples: list[Sample] = []
    up = {"freeda_database_up": True, "freeda_broker_up": True}
    try:
        samples += [("freeda_queue_messages", {"kind": kind}, waiting_messages(broker_url, kind)) for kind in JobKind]
        samples.append(("freeda_unreadable_messages", {}, unreadable_messages(broker_url)))
    except UnavailableError:
        up["freeda_broker_up"] = False
    try:
        samples += _shared_census(settings, broker_url) if up["freeda_broker_up"] else census_samples(settings)
    except UnavailableError:
        up["freeda_database_up"] = False
    if not settings.embedded_bank:
        up["freeda_bank_up"] = _bank_is_ready(settings)
    return [*samples, *((name, {}, float(is_up)) for name, is_up in up.items())]


def _shared_census(settings: Settings, broker_url: str) -> list[Sample]:
    """What another worker collected a moment ago, or else a new census."""
    with broker_client(broker_url) as client:
        found = cast("bytes | None", client.get(SHARED_KEY))
    if found is not None:
        return [(name, labels, value) for name, labels, value in json.loads(found)]
    samples = census_samples(settings)
    try:
        with broker_client(broker_url) as client:
            client.set(SHARED_KEY, json.dumps(samples), px=max(1, int(800 * settings.reconcile_seconds)))
    except UnavailableError as error:  # then each worker looks for itself
        log.warning("what the database holds is not shared with other workers", reason=str(error))
    return samples


def census_samples(settings: Settings) -> list[Sample]:
    """Return what the database holds: jobs and items by state, and how attempts went lately.

    Raises:
        UnavailableError: it does not answer.
    """
    census = take_census(settings)
    samples: list[Sample] = [("freeda_jobs", {"state": state}, count) for state, count in census.jobs.items()]
    for (kind, state), count in census.items.items():
        samples.append(("freeda_items", {"kind": kind, "state": state}, count))
    for kind, age in census.oldest_seconds.items():
        samples.append(("freeda_oldest_waiting_seconds", {"kind": kind}, age))
    for (kind, outcome), count in census.ended.items():
        samples.append(("freeda_attempts_recent", {"kind": kind, "outcome": outcome}, count))
    return samples


def _bank_is_ready(settings: Settings) -> bool:
    try:
        return httpx.get(f"{check_bank_address(settings.qdrant_url)}/readyz", timeout=BANK_SECONDS).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


class StateWatch(Collector):
    """Collects the state of the installation every ``reconcile_seconds``, and gives Prometheus the latest."""

    def __init__(self, settings: Settings, broker_url: str) -> None:
        self._settings = settings
        self._broker_url = broker_url
        self._samples: list[Sample] = []
        self._looked = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    @property
    def seconds_since_look(self) -> float:
        """Seconds since the last collection ended."""
        return time.monotonic() - self._looked

    def start(self) -> None:
        """Begin to collect."""
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a collection that takes long."""
        self._ended.set()
        self._thread.join(STOP_SECONDS)

    def describe(self) -> list[GaugeMetricFamily]:
        """The gauges without values: the registry must not wait for a collection."""
        return [GaugeMetricFamily(name, description, labels=labels) for name, (description, labels) in GAUGES.items()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The latest values."""
        samples = self._samples
        for name, (description, labels) in GAUGES.items():
            gauge = GaugeMetricFamily(name, description, labels=labels)
            for found, given, value in samples:
                if found == name:
                    gauge.add_metric([given[label] for label in labels], value)
            yield gauge

    def _run(self) -> None:
        while True:
            try:
                self._samples = look(self._settings, self._broker_url)
            except (FreedaError, redis.RedisError) as error:
                log.warning("the installation cannot be looked at", reason=str(error))
            except Exception:  # the thread must live on; the log says what was wrong
                log.exception("looking at the installation failed")
            self._looked = time.monotonic()
            if self._ended.wait(self._settings.reconcile_seconds):
                return
