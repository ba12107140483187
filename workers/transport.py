"""The Redis transport of Celery's messages, for workers that outlive whatever befalls a broker.

A broker that cannot be told what is done: kombu counts such a message as in hand for ever, and Celery goes on after
logging it. With one message in hand at a time, that worker would take no other, nor notice that its connection is gone.
Here the message is out of hand in any case: the broker delivers it again after its visibility timeout, and whoever gets
it finds nothing to do.

A broker that answers with an error (its disk is full, its memory is, it is a replica since a failover, it lacks
replicas): kombu counts that as a mistake of the channel, which ends the worker. Here it is a lost connection, and a
connection counts as made only when the broker has taken a write (decision 17).
"""

from typing import Any

from kombu.transport import redis, virtual
from redis import Connection, UnixDomainSocketConnection
from redis.connection import parse_url
from redis.exceptions import RedisError

PROBE_KEY = "freeda:probe"
PROBE_MILLISECONDS = 1000
_TCP_ONLY = frozenset({"socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"})


class _QoS(redis.QoS):  # type: ignore[misc]  # kombu has no types
    def ack(self, delivery_tag: str) -> None:
        """Forget a message that was in hand, and tell the broker."""
        try:
            super().ack(delivery_tag)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Forget a message that was in hand, and tell the broker, which may deliver it again."""
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


class Transport(redis.Transport):  # type: ignore[misc]  # as above
    """What ``broker_transport`` names."""

    Channel = _Channel
    can_parse_url = True
    connection_errors = (*redis.Transport.connection_errors, RedisError)
