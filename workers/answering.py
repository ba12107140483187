"""Answering: questions lie in the broker until the process that holds the banks comes to them.

Celery's message only wakes that process, as the messages of items do (decision 13). So it can also look by itself in
the midst of a long item, and who asks does not wait until that has ended.
"""

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, cast

from freeda_svc.errors import FreedaError, InputError, one_line
from freeda_svc.loggers import logger
from freeda_svc.workers.answers import ANSWERS, UNDISTURBED, Answer
from freeda_svc.workers.broker import broker_client
from freeda_svc.workers.messages import QUESTION, REPLY, WAITING, unknown_change
from freeda_svc.workers.resources import Resources

if TYPE_CHECKING:
    import redis
    from celery import Task

REPLY_KEPT_SECONDS = 60

log = logger(__name__)


def answer(resources: Resources, question: str, arguments: dict[str, Any]) -> Answer:
    """Answer a question with the banks of this process.

    Raises:
        InputError: there is no such question, or its arguments are others.
    """
    if question not in ANSWERS:
        raise InputError(f"a bank answers {', '.join(ANSWERS)}, not {question!r}")
    return ANSWERS[question](resources, **arguments)


def answer_task(task: "Task") -> None:
    """Answer in the worker's process what was asked by now."""
    from freeda_svc.workers.child import resources_of_this_process  # noqa: PLC0415 - only the worker's process holds anything

    _answer_waiting(resources_of_this_process(task.app))


def answer_meanwhile(resources: Resources) -> None:
    """Answer in the midst of an item what does not need the banks for itself; whatever happens, the item goes on.

    Raises:
        SoftTimeLimitExceeded: the item's time is over.
    """
    from celery.exceptions import SoftTimeLimitExceeded  # noqa: PLC0415 - commands that do it themselves lack a worker

    if not resources.broker_url:
        return
    try:
        _answer_waiting(resources, later=UNDISTURBED)
    except SoftTimeLimitExceeded:
        raise
    except FreedaError as error:
        log.warning("questions must wait", reason=str(error))
    except Exception:  # the item must go on
        log.exception("questions must wait")


def _answer_waiting(resources: Resources, *, later: Collection[str] = ()) -> None:
    """Answer all questions that lie there but those that are to wait.

    Raises:
        UnavailableError: the broker does not answer.
    """
    with broker_client(resources.broker_url) as client:
        for identifier in map(bytes.decode, cast("list[bytes]", client.lrange(WAITING, 0, -1))):
            name = f"{QUESTION}{identifier}"
            content = client.get(name)
            if content is not None and json.loads(content)[0] in later:
                continue
            client.lrem(WAITING, 1, identifier)
            if content is None or not client.delete(name):  # its client has stopped waiting
                continue
            _reply(resources, client, *json.loads(content), place=f"{REPLY}{identifier}")


def _reply(
    resources: Resources, client: "redis.Redis", question: str, arguments: dict[str, Any], *, place: str
) -> None:
    """Answer a question; an error travels as its name and message."""
    from celery.exceptions import SoftTimeLimitExceeded  # noqa: PLC0415 - as above

    over: SoftTimeLimitExceeded | None = None
    try:
        content = json.dumps({"answer": answer(resources, question, arguments)})
    except FreedaError as error:
        content = json.dumps({"error": type(error).__name__, "message": str(error)})
    except Exception as error:  # the client gets it in one line; what was not foreseen is logged in full
        over = error if isinstance(error, SoftTimeLimitExceeded) else None
        log.exception("a question could not be answered", question=question)
        message = f"the worker could not answer ({type(error).__name__}: {one_line(error)}); its log says more"
        content = json.dumps({"error": FreedaError.__name__, "message": f"{message}{unknown_change(question)}"})
    with client.pipeline() as pipeline:
        pipeline.rpush(place, content)
        pipeline.expire(place, REPLY_KEPT_SECONDS)  # who asked may have gone
        pipeline.execute()
    if over is not None:
        raise over
