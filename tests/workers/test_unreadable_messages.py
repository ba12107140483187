"""What lies in a queue and is no message is set aside; the worker goes on."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import follow_job, submit_ingest
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher, background_stack, ready_worker, running_broker_url
from freeda_svc.workers.broker_server import start_broker
from freeda_svc.workers.transport import SET_ASIDE_KEY


def _changed(message: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    payload = json.loads(message)
    change(payload)
    return json.dumps(payload).encode()


def _with_body(body: bytes) -> Callable[[dict[str, Any]], object]:
    return lambda payload: payload.update(body=base64.b64encode(body).decode())


def unreadable(message: bytes) -> list[bytes]:
    """Spoilt copies of a message."""
    return [
        b"",
        b"no JSON",
        b"\xff\xfe",
        b"[1, 2]",
        b"{}",
        b"null",
        message[:-20],
        b"[" * 100_000,
        _changed(message, lambda payload: payload.pop("properties")),
        _changed(message, lambda payload: payload.pop("headers")),
        _changed(message, lambda payload: payload.update(headers=None)),
        _changed(message, lambda payload: payload["headers"].pop("task")),
        _changed(message, lambda payload: payload["headers"].pop("id")),
        _changed(message, lambda payload: payload["headers"].update(task=7)),
        _changed(message, lambda payload: payload["headers"].update(expires="yesterday")),
        _changed(message, lambda payload: payload["headers"].update(eta="tomorrow")),
        _changed(message, lambda payload: payload["headers"].update(timelimit="long")),
        _changed(message, lambda payload: payload["headers"].update(retries="often")),
        _changed(message, lambda payload: payload["properties"].pop("delivery_tag")),
        _changed(message, lambda payload: payload["properties"].update(delivery_tag={"a": 1})),
        _changed(message, lambda payload: payload["properties"].pop("delivery_info")),
        _changed(message, lambda payload: payload["properties"]["delivery_info"].pop("routing_key")),
        _changed(message, lambda payload: payload["properties"].update(body_encoding="rot13")),
        _changed(message, lambda payload: payload.update(body="***")),
        _changed(message, lambda payload: payload.update(body=7)),
        _changed(message, lambda payload: payload.update({"content-type": "application/x-python-serialize"})),
        _changed(message, _with_body(b"no JSON")),
        _changed(message, _with_body(b"{}")),
        _changed(message, _with_body(b"[[], []]")),
        _changed(message, _with_body(b'[{"a": 1}, {}, {}]')),
    ]


def harmless(message: bytes) -> list[bytes]:
    """What is a message, but not one of ours: Celery leaves it out."""
    return [
        _changed(message, lambda payload: payload.update({"content-encoding": "klingon"})),
        _changed(message, lambda payload: payload["headers"].update(task="other.task")),
        _changed(message, _with_body(b"[[], {}, {}]")),
        _changed(message, _with_body(b"[[1, 2, 3], {}, {}]")),
        _changed(message, _with_body(b'[["one"], {}, {}]')),
    ]


@pytest.mark.end_to_end
def test_a_worker_survives_whatever_lies_in_its_queues(
    make_settings: Callable[..., Settings],
    described_pack: str,
    captions: Callable[..., list[Caption]],
    fake_work: object,
    eventually: Callable[..., None],
) -> None:
    settings = make_settings(pack=described_pack)
    dispatcher = CeleryDispatcher(settings)
    url = start_broker(settings)
    with redis.Redis.from_url(url) as client:
        first = submit_ingest(settings, captions(1), source="x", dispatcher=dispatcher)
        [message] = client.lrange("ingest", 0, -1)
        for queue in ("ingest", "bank", "segment"):
            client.rpush(queue, *unreadable(message), *harmless(message))
        count = 3 * len(unreadable(message))
    with background_stack(settings) as pid:
        second = submit_ingest(settings, captions(2, "cat"), source="x", dispatcher=dispatcher)
        for job_id in (first, second):
            *_, last = follow_job(settings, job_id)
            assert last.state == "done"
        found = running_broker_url(settings)
        assert found is not None
        with redis.Redis.from_url(found) as client:
            eventually(lambda: not any(client.llen(queue) for queue in ("ingest", "bank", "segment")))
            assert client.llen(SET_ASIDE_KEY) == count
        assert '"event": "unreadable message set aside"' in settings.log_file.read_text()
        assert ready_worker(settings) == pid
