"""Messages that are sent without Celery are those that Celery would send."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from freeda_svc.settings import load_settings
from freeda_svc.workers.app import make_app
from freeda_svc.workers.messages import ASK_BANK, AT_ONCE, BANK_QUEUE, RUN_ITEM, send_messages
from freeda_svc.workers.transport import fault_of_message
from tests.tcp_broker import tcp_broker


def _taken(client: redis.Redis, queue: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(client.rpop(queue))
    return {**message, "body": json.loads(base64.b64decode(message["body"]))}


@pytest.mark.parametrize(
    ("task", "queue", "arguments", "seconds"), [(RUN_ITEM, "segment", [7], None), (ASK_BANK, BANK_QUEUE, [], 60.0)]
)
def test_a_message_says_what_celery_s_says(
    tmp_path: Path, task: str, queue: str, arguments: list[int], seconds: float | None
) -> None:
    with (
        tcp_broker(tmp_path / "broker") as url,
        redis.Redis.from_url(url) as client,
        make_app(load_settings(home=tmp_path, broker_url=url), url) as app,
        app.connection_for_read() as connection,
    ):
        app.send_task(task, args=arguments, queue=queue, expires=seconds, ignore_result=True)
        theirs = _taken(client, queue)
        send_messages(client, task, queue, [arguments], seconds=seconds)
        assert fault_of_message(client.lindex(queue, 0), connection.default_channel) == ""
        ours = _taken(client, queue)
    own = {"id", "root_id", "expires", "argsrepr"}  # names, moments, and how arguments are shown
    assert ours["body"] == theirs["body"]
    assert {name: theirs["headers"][name] for name in ours["headers"].keys() - own} == {
        name: value for name, value in ours["headers"].items() if name not in own
    }
    assert (ours["headers"]["expires"] is None) == (theirs["headers"]["expires"] is None)
    kept = {"delivery_mode", "delivery_info", "priority", "body_encoding"}
    assert {name: ours["properties"][name] for name in kept} == {name: theirs["properties"][name] for name in kept}
    assert ours["headers"]["id"] == ours["properties"]["correlation_id"] != ours["properties"]["delivery_tag"]
    assert {ours[name] == theirs[name] for name in ("content-type", "content-encoding")} == {True}


def test_many_messages_come_in_order_and_each_once(tmp_path: Path) -> None:
    count = AT_ONCE + 1
    with tcp_broker(tmp_path / "broker") as url, redis.Redis.from_url(url) as client:
        send_messages(client, RUN_ITEM, "ingest", ([number] for number in range(count)))
        taken = [_taken(client, "ingest") for _ in range(client.llen("ingest"))]
    assert [message["body"][0] for message in taken] == [[number] for number in range(count)]
    assert len({message["properties"]["delivery_tag"] for message in taken}) == count


def test_who_sends_or_asks_does_without_celery() -> None:
    code = (
        "import sys, freeda_svc.workers.messages, freeda_svc.workers.queries; "
        "print({'celery', 'kombu', 'numpy', 'sqlalchemy'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "set()"
