"""Notifications over the broker that a job has changed, so that commands which follow one need not poll SQL.

They are published and not stored: a command that missed one, or has no broker, polls after a while.
"""

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import redis

from freeda_svc.settings import Settings
from freeda_svc.workers.broker import ANSWER_SECONDS, CLIENT_SECONDS, running_broker_url

if TYPE_CHECKING:
    from redis.client import PubSub

CHANNEL = "freeda:changed:"


class ChangeNotifier:
    """Publishes the changes that one process makes, over one connection."""

    def __init__(self, broker_url: str) -> None:
        """Prepare it.

        Args:
            broker_url: of the broker; nothing is published where it is empty.
        """
        self._client = (
            redis.Redis.from_url(
                broker_url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=None
            )
            if broker_url
            else None
        )

    def notify(self, job_id: str) -> None:
        """Publish that items of a job have changed; a broker that does not answer is ignored."""
        if self._client is not None:
            with suppress(redis.RedisError, OSError):
                self._client.publish(f"{CHANNEL}{job_id}", b"")

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()


class ChangeWatch:
    """Waits for changes of some jobs."""

    def __init__(self, settings: Settings, job_ids: Collection[str]) -> None:
        """Subscribe, where a broker answers: changes from now on are received.

        Args:
            settings: the installation.
            job_ids: the jobs, by their whole ids.
        """
        self._settings = settings
        self._channels = [f"{CHANNEL}{job_id}" for job_id in job_ids]
        self._client: redis.Redis | None = None  # kept: it takes its subscriptions with it
        self._listening: PubSub | None = None
        self._listen()

    def wait(self, seconds: float) -> None:
        """Return when a job has changed since the last call, or after this time."""
        until = time.monotonic() + seconds
        if self._listening is None and self._listen():
            return  # notifications of what has changed meanwhile were missed
        if self._listening is not None:
            try:
                while (left := until - time.monotonic()) > 0:
                    if self._next(left):
                        while self._next(0.0):  # one query is enough for all of them
                            pass
                        return
            except (redis.RedisError, OSError):
                self.close()
        time.sleep(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """Unsubscribe."""
        if self._listening is not None:
            with suppress(redis.RedisError, OSError):
                self._listening.close()
            self._listening = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def _listen(self) -> bool:
        url = running_broker_url(self._settings) if self._settings.embedded_broker else self._settings.broker_url
        if url is None:
            return False
        self._client = redis.Redis.from_url(url, socket_timeout=CLIENT_SECONDS, socket_connect_timeout=CLIENT_SECONDS)
        self._listening = self._client.pubsub()  # type: ignore[no-untyped-call]
        try:
            self._listening.subscribe(*self._channels)
            for _ in self._channels:  # from each confirmation on nothing is missed
                if self._listening.get_message(timeout=CLIENT_SECONDS) is None:
                    raise TimeoutError
        except (redis.RedisError, OSError):
            self.close()
            return False
        return True

    def _next(self, seconds: float) -> bool:
        assert self._listening is not None
        message = self._listening.get_message(timeout=seconds)
        return message is not None and message["type"] == "message"


@contextmanager
def watched_changes(settings: Settings, job_ids: Collection[str]) -> Iterator[ChangeWatch]:
    """Listen to changes of jobs for as long as the block lasts."""
    watch = ChangeWatch(settings, job_ids)
    try:
        yield watch
    finally:
        watch.close()
