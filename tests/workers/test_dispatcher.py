import base64
import json
from collections.abc import Callable

import pytest
import redis

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.broker_server import start_broker, stop_broker


def _messages(url: str, kind: JobKind) -> list[tuple[str, object]]:
    """Task and body of the messages in a queue, oldest first, as they lie in Redis."""
    with redis.Redis.from_url(url) as client:
        raw = [json.loads(message) for message in reversed(client.lrange(kind.value, 0, -1))]
    assert all(message["content-type"] == "application/json" for message in raw)
    return [(message["headers"]["task"], json.loads(base64.b64decode(message["body"]))[:2]) for message in raw]


def test_messages_are_json_with_nothing_but_the_item_id(settings: Settings) -> None:
    url = start_broker(settings)
    dispatcher = CeleryDispatcher(settings)
    dispatcher.check()
    assert dispatcher.send(JobKind.INGEST, [7, 8])
    assert dispatcher.send(JobKind.SEGMENT, [9])
    assert _messages(url, JobKind.INGEST) == [("freeda.run_item", [[7], {}]), ("freeda.run_item", [[8], {}])]
    assert _messages(url, JobKind.SEGMENT) == [("freeda.run_item", [[9], {}])]


def test_an_emptied_broker_takes_messages_again(settings: Settings) -> None:
    url = start_broker(settings)
    dispatcher = CeleryDispatcher(settings)
    dispatcher.send(JobKind.INGEST, [7])
    with redis.Redis.from_url(url) as client:
        client.flushall()
    dispatcher.send(JobKind.INGEST, [8])
    assert _messages(url, JobKind.INGEST) == [("freeda.run_item", [[8], {}])]


def test_a_broker_that_was_started_again_takes_messages_and_one_that_was_stopped_takes_none(settings: Settings) -> None:
    dispatcher = CeleryDispatcher(settings)
    for item_id in (7, 8):
        url = start_broker(settings)
        assert dispatcher.send(JobKind.INGEST, [item_id])
        assert ("freeda.run_item", [[item_id], {}]) in _messages(url, JobKind.INGEST)
        stop_broker(settings)
        assert not dispatcher.send(JobKind.INGEST, [9])


def test_an_embedded_broker_that_does_not_run_is_no_mistake(settings: Settings) -> None:
    dispatcher = CeleryDispatcher(settings)
    dispatcher.check()
    assert not dispatcher.send(JobKind.INGEST, [7])


def test_a_broker_of_ones_own_that_is_down_is_reported_in_one_line_without_password(
    make_settings: Callable[..., Settings],
) -> None:
    dispatcher = CeleryDispatcher(make_settings(broker_url="redis://:secret@127.0.0.1:1/0"))
    for ask in (dispatcher.check, lambda: dispatcher.send(JobKind.INGEST, [7])):
        with pytest.raises(
            UnavailableError, match=r"the broker redis://:\*\*\*@127.0.0.1:1/0 does not answer"
        ) as caught:
            ask()
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
