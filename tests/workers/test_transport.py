from collections.abc import Callable

import pytest
from redis.exceptions import ConnectionError as BrokerAwayError

from freeda_svc.settings import Settings
from workers.app import make_app
from workers.broker import start_broker, stop_broker


def test_who_cannot_acknowledge_a_message_takes_the_next_one(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings()
    url = start_broker(settings)
    with make_app(settings, url) as app, app.connection_for_read() as connection:
        channel = connection.default_channel
        queue = app.amqp.queues["ingest"](channel)
        queue.declare()
        channel.basic_qos(0, 1, False)
        app.send_task("freeda.run_item", args=[1], queue="ingest")
        message = queue.get()
        assert message is not None
        assert not channel.qos.can_consume()
        stop_broker(settings)
        with pytest.raises(BrokerAwayError):
            message.ack()
        assert channel.qos.can_consume()
