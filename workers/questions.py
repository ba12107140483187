"""What whoever asks the worker about banks must know of it: where questions lie, and which of them change something."""

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    import redis

WAITING = "freeda:questions"
"""A list of the ids of questions, oldest first; each lies beside it until nobody waits for its answer any more."""
QUESTION, REPLY = "freeda:question:", "freeda:reply:"

CHANGES = {
    "create_bank": "freeda bank list",
    "switch_bank": "freeda bank list",
    "drop_bank": "freeda bank list",
    "forget": "freeda bank stats",
    "curate_bank": "freeda bank stats",
    "uncurate_bank": "freeda bank stats",
    "index_bank": "freeda bank stats",
}
"""Those that change something, each with the command that shows whether it has happened."""


def unknown_change(question: str) -> str:
    """What is to be said when a change was asked for and no answer came; empty where nothing was to change."""
    if question not in CHANGES:
        return ""
    return f". Whether the change has happened, or still will, is not known: `{CHANGES[question]}` shows it"


def put_question(client: "redis.Redis", question: str, arguments: dict[str, Any], seconds: float) -> str:
    """Put a question where the worker finds it.

    Args:
        client: of the broker.
        question: the name of one of `freeda_svc.workers.answers.ANSWERS`.
        arguments: what it asks for.
        seconds: for so long somebody waits for the answer; later it is not answered any more.

    Returns:
        The name of the list in which the answer will be: ``answer``, or ``error`` and ``message``, as JSON.
    """
    identifier = uuid4().hex
    with client.pipeline() as pipeline:
        pipeline.set(f"{QUESTION}{identifier}", json.dumps([question, arguments]), px=max(1, int(1000 * seconds)))
        pipeline.rpush(WAITING, identifier)
        pipeline.execute()
    return f"{REPLY}{identifier}"
