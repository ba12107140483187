"""Questions about the bank: answered by the worker that owns it, or directly where there is no worker."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import redis

from freeda_svc import errors
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.settings import Settings
from workers.held import Held
from workers.locks import worker_is_running

if TYPE_CHECKING:
    from celery import Celery, Task

MOST_FOUND = 1000
REPLY_KEPT_SECONDS = 60


def bank_stats(settings: Settings) -> dict[str, Any]:
    """Tell how large the bank is: prototypes, nouns, captions, jobs, pack, dimensions, bytes on disk.

    Raises:
        NotFoundError: there is no bank yet.
        UnavailableError: the worker does not answer in time.
    """
    return cast("dict[str, Any]", ask_bank(settings, "stats"))


def bank_nouns(settings: Settings) -> dict[str, int]:
    """List the bank's nouns in alphabetical order, with the number of prototypes of each.

    Raises:
        NotFoundError: there is no bank yet.
        UnavailableError: the worker does not answer in time.
    """
    return cast("dict[str, int]", ask_bank(settings, "nouns"))


def search_bank(settings: Settings, text: str, *, limit: int = 10) -> list[dict[str, Any]]:
    """Find the prototypes whose keys are nearest to a text.

    Returns:
        Best first: ``score`` and all that is kept about the prototype (``noun``, ``caption``, ``image``, ...).

    Raises:
        InputError: the text is empty, the limit out of range, or the bank of another pack.
        NotFoundError: there is no bank yet.
        UnavailableError: the worker does not answer in time.
    """
    return cast("list[dict[str, Any]]", ask_bank(settings, "search", text=text, limit=limit))


def ask_bank(settings: Settings, question: str, **arguments: Any) -> Any:  # noqa: ANN401 - answers differ
    """Ask the worker that owns the bank; open the bank here when there is no worker.

    Args:
        settings: the installation.
        question: ``stats``, ``nouns`` or ``search``.
        arguments: ``text`` and ``limit`` of a search.

    Raises:
        FreedaError: as the question's own function says.
    """
    if worker_is_running(settings):
        return _ask_worker(settings, question, arguments)
    held = Held(settings)
    try:
        return answer(held, question, arguments)
    finally:
        held.close()


def answer(held: Held, question: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - answers differ
    """Answer a question with the bank in hand."""
    match question:
        case "stats":
            return {**asdict(held.existing_bank.stats()), **_outside_the_pack(held)}
        case "nouns":
            return held.existing_bank.nouns()
        case "search":
            return _search(held, **arguments)
    raise InputError(f"the bank answers stats, nouns and search, not {question!r}")


def _outside_the_pack(held: Held) -> dict[str, int]:
    """Count nouns and prototypes that the pack's models do not know, where the pack says what they know."""
    known = held.pack.description.nouns
    if known is None:
        return {}
    outside = {noun: count for noun, count in held.existing_bank.nouns().items() if noun not in known}
    return {"nouns_unknown_to_pack": len(outside), "prototypes_unknown_to_pack": sum(outside.values())}


def _search(held: Held, text: str, limit: int) -> list[dict[str, Any]]:
    if not text.strip():
        raise InputError("the text to search for is empty; give a word such as 'cat'")
    if not 1 <= limit <= MOST_FOUND:
        raise InputError(f"a search finds 1 to {MOST_FOUND} prototypes, not {limit}")
    _ = held.existing_bank  # no bank at all is told before models are read
    found = held.bank.search(held.pack.image_text.embed_nouns([text])[0].numpy(), limit)
    return [{"score": float(score), **payload} for score, payload in zip(found.scores, found.payloads, strict=True)]


def _ask_worker(settings: Settings, question: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - answers differ
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
