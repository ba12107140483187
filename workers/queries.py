"""Questions about banks: asked of the worker that holds them, or answered directly where there is no worker."""

import json
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import redis

from freeda_svc import errors
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.settings import Settings
from workers.answers import ANSWERS, Answer
from workers.held import Held
from workers.locks import worker_is_running

if TYPE_CHECKING:
    from celery import Celery, Task

REPLY_KEPT_SECONDS = 60


def bank_stats(settings: Settings, bank: str = "") -> dict[str, Any]:
    """Tell how large a bank is: prototypes, nouns, captions, jobs, outliers, pack, dimensions, bytes on disk.

    Raises:
        NotFoundError: there is no such bank.
        UnavailableError: the worker does not answer in time.
    """
    return cast("dict[str, Any]", ask_bank(settings, "describe_bank", bank=bank or settings.bank))


def bank_nouns(settings: Settings, bank: str = "") -> dict[str, int]:
    """List a bank's nouns in alphabetical order, with the number of prototypes of each.

    Raises:
        NotFoundError: there is no such bank.
        UnavailableError: the worker does not answer in time.
    """
    return cast("dict[str, int]", ask_bank(settings, "count_nouns", bank=bank or settings.bank))


def search_bank(settings: Settings, text: str, *, limit: int = 10, bank: str = "") -> list[dict[str, Any]]:
    """Find the prototypes whose keys are nearest to a text.

    Returns:
        Best first: ``id``, ``score`` and all that is kept about the prototype (``noun``, ``caption``, ``image``, ...).

    Raises:
        InputError: the text is empty, the limit out of range, or the bank of another pack.
        NotFoundError: there is no such bank.
        UnavailableError: the worker does not answer in time.
    """
    found = ask_bank(settings, "search_bank", bank=bank or settings.bank, text=text, limit=limit)
    return cast("list[dict[str, Any]]", found)


def ask_bank(settings: Settings, question: str, **arguments: Any) -> Answer:  # noqa: ANN401 - questions differ
    """Ask the worker that holds the banks; answer here when there is no worker, or a server holds them.

    Args:
        settings: the installation.
        question: the name of one of `ANSWERS`.
        arguments: what it asks for.

    Raises:
        FreedaError: as the answer's own function says.
        UnavailableError: the worker does not answer in time.
    """
    if settings.embedded_bank and worker_is_running(settings):
        return _ask_worker(settings, question, arguments)
    held = Held(settings)
    try:
        return answer(held, question, arguments)
    finally:
        held.close()


def answer(held: Held, question: str, arguments: dict[str, Any]) -> Answer:
    """Answer a question with the banks in hand.

    Raises:
        InputError: there is no such question, or its arguments are others.
    """
    if question not in ANSWERS:
        raise InputError(f"a bank answers {', '.join(ANSWERS)}, not {question!r}")
    return ANSWERS[question](held, **arguments)


def _ask_worker(settings: Settings, question: str, arguments: dict[str, Any]) -> Answer:
    from workers.app import broker_address, make_app  # noqa: PLC0415 - a direct answer does without Celery

    url = broker_address(settings)
    with make_app(settings, url) as app:
        reply = _reply(app, url, [question, arguments], settings.query_timeout_seconds)
    if reply is None:
        raise UnavailableError(
            f"the worker did not answer within {settings.query_timeout_seconds:g} s: it is busy with a long item; "
            "ask again later, or set FREEDA_QUERY_TIMEOUT_SECONDS"
        )
    if "error" in reply:
        raise cast("type[FreedaError]", getattr(errors, reply["error"]))(reply["message"])
    return reply["answer"]


def _reply(app: "Celery", url: str, question: list[Any], seconds: float) -> dict[str, Any] | None:
    """Return what ``answer_task`` said; None when it did not in time."""
    from kombu.exceptions import OperationalError  # noqa: PLC0415 - see _ask_worker

    from workers.app import ASK_BANK, BANK_QUEUE  # noqa: PLC0415 - as above

    place = f"freeda:reply:{uuid4().hex}"
    try:
        app.send_task(ASK_BANK, args=[*question, place], queue=BANK_QUEUE, expires=seconds, ignore_result=True)
        with redis.Redis.from_url(url) as client:
            found = cast("tuple[bytes, bytes] | None", client.blpop([place], timeout=seconds))
    except (OperationalError, redis.RedisError) as error:
        raise UnavailableError(f"the broker went away while the worker was asked: {error}") from error
    return None if found is None else cast("dict[str, Any]", json.loads(found[1]))


def answer_task(task: "Task", question: str, arguments: dict[str, Any], place: str) -> None:
    """Answer in the worker's process, into a list in Redis; an expected error travels as its name and message."""
    from workers.child import held_by_this_process  # noqa: PLC0415 - only the worker's process holds anything

    try:
        reply = {"answer": answer(held_by_this_process(task.app), question, arguments)}
    except FreedaError as error:
        reply = {"error": type(error).__name__, "message": str(error)}
    with redis.Redis.from_url(task.app.conf.broker_url) as client, client.pipeline() as pipeline:
        pipeline.rpush(place, json.dumps(reply))
        pipeline.expire(place, REPLY_KEPT_SECONDS)  # who asked may have gone
        pipeline.execute()
