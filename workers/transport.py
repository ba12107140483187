"""The Redis transport of Celery's messages, for workers that outlive a broker that cannot be told what is done.

kombu counts such a message as in hand for ever, and Celery goes on after logging it. With one message in hand at a
time, that worker would take no other, nor notice that its connection is gone. Here the message is out of hand in any
case: the broker delivers it again after its visibility timeout, and whoever gets it finds nothing to do (decision 17).
"""

from kombu.transport import redis, virtual


class _QoS(redis.QoS):  # type: ignore[misc]  # kombu has no types
    def ack(self, delivery_tag: str) -> None:
        """Forget a message that was in hand, and tell the broker."""
        try:
            super().ack(delivery_tag)
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)
            raise


class _Channel(redis.Channel):  # type: ignore[misc]  # as above
    QoS = _QoS


class Transport(redis.Transport):  # type: ignore[misc]  # as above
    """What ``broker_transport`` names."""

    Channel = _Channel
