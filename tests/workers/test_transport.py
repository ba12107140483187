from collections.abc import Callable
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as BrokerAwayError

from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.app import make_app
from freeda_svc.workers.broker_server import start_broker, stop_broker
from freeda_svc.workers.reconciler import waiting_messages
from tests.tcp_broker import tcp_broker


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


@pytest.mark.parametrize("spelling", ["{tcp}/3", "{tcp}?db=3", "{socket}?db=3", "{socket}"])
def test_celery_reads_an_address_as_its_other_readers_do(
    make_settings: Callable[..., Settings], tmp_path: Path, spelling: str
) -> None:
    with tcp_broker(tmp_path / "tcp") as tcp:
        embedded = start_broker(make_settings())
        url = spelling.format(tcp=tcp.removesuffix("/0"), socket=embedded)
        CeleryDispatcher(make_settings(broker_url=url)).send(JobKind.INGEST, [1, 2])
        assert waiting_messages(url, JobKind.INGEST) == 2
        if spelling != "{socket}":
            assert waiting_messages(f"{url[:-1]}4", JobKind.INGEST) == 0


@pytest.mark.parametrize("requeue", [True, False])
def test_who_cannot_reject_a_message_takes_the_next_one(make_settings: Callable[..., Settings], requeue: bool) -> None:
    settings = make_settings()
    with make_app(settings, start_broker(settings)) as app, app.connection_for_read() as connection:
        channel = connection.default_channel
        queue = app.amqp.queues["ingest"](channel)
        queue.declare()
        channel.basic_qos(0, 1, False)
        app.send_task("freeda.run_item", args=[1], queue="ingest")
        message = queue.get()
        assert message is not None
        stop_broker(settings)
        with pytest.raises(BrokerAwayError):
            message.reject(requeue=requeue)
        assert channel.qos.can_consume()
