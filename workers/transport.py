"""The Redis transport of Celery's messages, for workers that survive failures of the broker.

A broker to which an acknowledgement cannot be sent: kombu counts the message as unacknowledged for ever, and Celery
goes on after logging it. With one unacknowledged message at a time, that worker would take no other, nor notice that
its connection is gone. Here the message counts as acknowledged in any case: the broker delivers it again after its
visibility timeout, and the worker that gets it finds nothing to do.

A broker that answers with an error (its disk is full, its memory is, it is a replica since a failover, it lacks
replicas): kombu counts that as a mistake of the channel, which ends the worker. Here it is a lost connection, and a
connection counts as made only when the broker has taken a write (decision 17).

A message that cannot be read: it ends a worker of Celery, and the next one, too, to which the broker delivers it again.
Here it is looked at before kombu does, and set aside in a list of its own: the reconciler sends what items lack.
"""

import json
from datetime import datetime
from typing import Any

from kombu.transport import redis, virtual
from redis import Connection, UnixDomainSocketConnection
from redis.connection import parse_url
from redis.exceptions import RedisError

from freeda_svc.errors import one_line
from freeda_svc.loggers import logger
from freeda_svc.workers.broker import broker_client

PROBE_KEY = "freeda:probe"
PROBE_MILLISECONDS = 1000
SET_ASIDE_KEY = "freeda:unreadable-messages"
MOST_KEPT = 1000
LONGEST_KEPT = 10_000
SHOWN = 200
_TCP_ONLY = frozenset({"socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"})

log = logger(__name__)


class _QoS(redis.QoS):  # type: ignore[misc]  # kombu has no types
    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; it counts as acknowledged also where the broker does not answer."""
        try:
            super().ack(delivery_tag)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject a message, which the broker may deliver again; it counts as ended where the broker does not answer."""
        try:
            super().reject(delivery_tag, requeue=requeue)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise


class _Channel(redis.Channel):  # type: ignore[misc]  # as above
    QoS = _QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - kombu's interface
        """Open it; fails when the broker answers, but takes no writes."""
        super().__init__(*args, **kwargs)
        try:
            self.client.set(PROBE_KEY, 1, px=PROBE_MILLISECONDS)
        except BaseException:
            self.connection.cycle.discard(self)
            self._disconnect_pools()
            raise

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """What redis-py's connections are made with: kombu's numbers, and the address as redis-py reads it."""
        address = parse_url(self.connection.client.hostname)  # type: ignore[no-untyped-call]
        self.connection_class = address.pop("connection_class", Connection)
        given = super()._connparams(asynchronous)
        if issubclass(self.connection_class, UnixDomainSocketConnection):
            given = {name: value for name, value in given.items() if name not in _TCP_ONLY}
        return {**given, **address}

    def _create_client(self, asynchronous: bool = False) -> Any:  # noqa: ANN401 - kombu's interface
        """Make a client whose pops give readable messages only."""
        client = super()._create_client(asynchronous=asynchronous)
        if asynchronous:
            client.set_response_callback("BRPOP", self._readable)
        return client

    def _readable(self, popped: Any, **_options: Any) -> tuple[bytes, bytes] | None:  # noqa: ANN401 - as above
        """Return what a pop gave; None, as from an empty queue, when it is no message."""
        if not popped:
            return None
        queue, content = popped
        fault = fault_of_message(content, self)
        if not fault:
            return queue, content
        shown = content[:SHOWN].decode("utf-8", "replace")
        log.warning("unreadable message set aside", queue=queue.decode("utf-8", "replace"), reason=fault, begins=shown)
        with self.conn_or_acquire() as client, client.pipeline() as pipeline:
            pipeline.lpush(SET_ASIDE_KEY, content[:LONGEST_KEPT])
            pipeline.ltrim(SET_ASIDE_KEY, 0, MOST_KEPT - 1)
            pipeline.execute()
        return None


class Transport(redis.Transport):  # type: ignore[misc]  # as above
    """What ``broker_transport`` names."""

    Channel = _Channel
    can_parse_url = True
    connection_errors = (*redis.Transport.connection_errors, RedisError)


def unreadable_messages(broker_url: str) -> int:
    """Count the messages that were set aside.

    Raises:
        UnavailableError: the broker does not answer.
    """
    with broker_client(broker_url) as client:
        return int(client.llen(SET_ASIDE_KEY))


def _is_plain(headers: dict[str, Any]) -> bool:
    """Return whether a task's headers of time are as we send them: to be run at once, perhaps with an expiry."""
    limits, expires = headers["timelimit"], headers["expires"]
    if expires is not None:
        datetime.fromisoformat(expires)
    return (
        headers["eta"] is None
        and type(headers["retries"]) is int
        and isinstance(limits, list)
        and len(limits) == len(("hard", "soft"))
        and all(limit is None or isinstance(limit, int | float) for limit in limits)
    )


def fault_of_message(content: bytes, channel: Any = None) -> str:  # noqa: ANN401 - as above
    """Return why the content of a queue is no message of Celery; empty when it is one.

    Args:
        content: as the broker keeps it.
        channel: decodes bodies.
    """
    try:
        payload = json.loads(content)
        if not isinstance(payload, dict):
            return "it is no JSON object"
        delivery = payload["properties"]["delivery_info"]
        headers = payload["headers"]
        texts = (payload["properties"]["delivery_tag"], delivery["exchange"], delivery["routing_key"], headers["task"])
        if not all(isinstance(text, str) for text in (*texts, headers["id"])) or not _is_plain(headers):
            return "its properties or headers are not those of a task"
        body = channel.Message(payload, channel=channel).decode()
        if not isinstance(body, list) or [type(part) for part in body] != [list, dict, dict]:
            return "its body is not that of a task"
    except Exception as error:  # noqa: BLE001 - whatever cannot be read for whatever reason
        return f"{type(error).__name__}: {one_line(error)}"
    return ""
