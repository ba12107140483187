"""What clients put into the broker, without importing Celery: messages for the queues, and questions about banks.

Messages are those of Celery's protocol, version 2, wrapped as kombu's Redis transport wraps them; a test compares them
with Celery's own. Questions lie beside the queues until the worker answers, or the client stops waiting.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import redis

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.states import MOVES, JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers.broker import (
    broker_trouble,
    check_broker,
    embedded_broker_is_there,
    embedded_broker_url,
    kept_client,
)

BANK_QUEUE = "bank"
QUEUES = (
    BANK_QUEUE,
    JobKind.SEGMENT.value,
    *(kind.value for kind in MOVES),
    JobKind.EXEMPLARS.value,
    JobKind.INGEST.value,
)
"""In the order of polling: people waiting for an answer come before long work."""

RUN_ITEM = "freeda.run_item"
ASK_BANK = "freeda.ask_bank"
AT_ONCE = 1000
_PERSISTENT = 2
_EMBEDDED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

WAITING = "freeda:questions"
"""A list of the ids of questions, oldest first; each expires when its client stops waiting."""
QUESTION, REPLY = "freeda:question:", "freeda:reply:"

CHANGES = {
    "create_bank": "freeda bank list",
    "switch_bank": "freeda bank list",
    "drop_bank": "freeda bank list",
    "forget": "freeda bank stats",
    "curate_bank": "freeda bank stats",
    "uncurate_bank": "freeda bank stats",
    "index_bank": "freeda bank stats",
    "forget_prototypes": "freeda bank stats",
    "mark_prototypes": "freeda bank stats",
    "unmark_prototypes": "freeda bank stats",
}
"""Questions that change a bank, each with the command that shows whether the change has happened."""


def send_messages(
    client: redis.Redis, task: str, queue: str, arguments: Iterable[Sequence[int]], *, seconds: float | None = None
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


def unknown_change(question: str) -> str:
    """Return the end of the message when no answer came to a question; empty where it changes nothing."""
    if question not in CHANGES:
        return ""
    return f". Whether the change has happened, or still will, is not known: `{CHANGES[question]}` shows it"


def put_question(client: redis.Redis, question: str, arguments: dict[str, Any], seconds: float) -> str:
    """Put a question into the broker.

    Args:
        client: of the broker.
        question: the name of one of `freeda_svc.workers.answers.ANSWERS`.
        arguments: what it asks for.
        seconds: how long the client waits for the answer; the question expires after that.

    Returns:
        The name of the list in which the answer will be: ``answer``, or ``error`` and ``message``, as JSON.
    """
    identifier = uuid4().hex
    with client.pipeline() as pipeline:
        pipeline.set(f"{QUESTION}{identifier}", json.dumps([question, arguments]), px=max(1, int(1000 * seconds)))
        pipeline.rpush(WAITING, identifier)
        pipeline.execute()
    return f"{REPLY}{identifier}"


class CeleryDispatcher:
    """Puts item ids into the queues of an installation; a ``freeda_svc.jobs.Dispatcher``.

    An embedded broker that is not running is no error: the items are in the database, and the worker that starts it
    finds them there. A broker server that does not answer is one.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def check(self) -> None:
        """Check that messages can be delivered, now or once the embedded broker runs.

        Raises:
            UnavailableError: ``broker_url`` names a server that does not answer.
        """
        if not self._settings.embedded_broker:
            check_broker(self._settings.broker_url)

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        """Put one message for each item into the queue of its kind.

        Returns:
            False when the embedded broker is not running.

        Raises:
            UnavailableError: the broker does not answer.
        """
        settings = self._settings
        if settings.embedded_broker and not embedded_broker_is_there(settings):
            return False
        url = embedded_broker_url(settings) if settings.embedded_broker else settings.broker_url
        try:
            send_messages(kept_client(url), RUN_ITEM, kind.value, ([item_id] for item_id in item_ids))
        except redis.RedisError as error:
            if settings.embedded_broker and isinstance(error, redis.ConnectionError | redis.TimeoutError):
                return False
            raise UnavailableError(broker_trouble(url, error)) from error
        return True
