"""Putting messages for workers into the broker's queues without Celery: who sends one does not wait for its import.

Messages are those of Celery's protocol, version 2, wrapped as kombu's Redis transport wraps them; a test compares them
with Celery's own.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from freeda_svc.jobs.states import MOVES, JobKind

if TYPE_CHECKING:
    import redis

BANK_QUEUE = "bank"
QUEUES = (
    BANK_QUEUE,
    JobKind.SEGMENT.value,
    *(kind.value for kind in MOVES),
    JobKind.EXEMPLARS.value,
    JobKind.INGEST.value,
)
"""In the order in which the worker looks into them: people waiting for an answer come before long work."""

RUN_ITEM = "freeda.run_item"
ASK_BANK = "freeda.ask_bank"
AT_ONCE = 1000
_PERSISTENT = 2
_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def send_messages(
    client: "redis.Redis", task: str, queue: str, arguments: Iterable[Sequence[int]], *, seconds: float | None = None
) -> None:
    """Put one message for each list of arguments into a queue.

    Args:
        client: of the broker.
        task: the task's name.
        queue: one of `QUEUES`.
        arguments: those of each message.
        seconds: a message that was not taken after so long is dropped; None for never.

    Raises:
        RedisError: the broker does not answer, or with an error.
    """
    waiting: list[str] = []
    for given in arguments:
        waiting.append(_message(task, queue, given, seconds))
        if len(waiting) == AT_ONCE:
            client.lpush(queue, *waiting)
            waiting.clear()
    if waiting:
        client.lpush(queue, *waiting)


def _message(task: str, queue: str, arguments: Sequence[int], seconds: float | None) -> str:
    identifier = str(uuid4())
    expires = None if seconds is None else (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    body = json.dumps([list(arguments), {}, _EMBEDDED]).encode()
    headers = {
        "lang": "py",
        "task": task,
        "id": identifier,
        "root_id": identifier,
        "parent_id": None,
        "group": None,
        "eta": None,
        "expires": expires,
        "retries": 0,
        "timelimit": [None, None],
        "argsrepr": repr(list(arguments)),
        "kwargsrepr": "{}",
        "ignore_result": True,
    }
    properties = {
        "correlation_id": identifier,
        "delivery_mode": _PERSISTENT,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return json.dumps(
        {
            "body": base64.b64encode(body).decode("ascii"),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )
