"""Questions about banks: asked of the worker that holds them, or answered directly where there is no worker."""

import json
import time
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import redis
import structlog

from freeda_svc import errors
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.settings import Settings
from workers.ability import worker_fault
from workers.answers import ANSWERS, CHANGES, Answer
from workers.broker import broker_client
from workers.held import Held
from workers.locks import worker_is_running

if TYPE_CHECKING:
    from celery import Celery, Task

REPLY_KEPT_SECONDS = 60
POP_SECONDS = 1.0

log = structlog.get_logger(__name__)


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


def bank_version(settings: Settings, bank: str) -> dict[str, Any]:
    """Tell what is in a bank at this moment: ``additions`` and ``removals`` of its `Version`.

    Raises:
        NotFoundError: there is no such bank.
        UnavailableError: the worker does not answer in time.
    """
    return cast("dict[str, Any]", ask_bank(settings, "bank_version", bank=bank))


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
    except UnavailableError as error:
        if not _may_have_been_heard(error):
            raise
        raise UnavailableError(f"{error}{_unknown(question)}") from error
    finally:
        held.close()


def _may_have_been_heard(error: UnavailableError) -> bool:
    """Tell whether a bank's server was reached, and only its answer is missing."""
    import httpx  # noqa: PLC0415 - without a server it is not needed

    source = getattr(error.__cause__, "source", None)
    never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
    return isinstance(source, httpx.TransportError) and not isinstance(source, never_sent)


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

    fault = worker_fault(settings)
    if fault:
        raise UnavailableError(f"the worker takes no questions: {fault}")
    url = broker_address(settings)
    seconds = settings.query_timeout_seconds
    try:
        with make_app(settings, url) as app:
            reply = _reply(app, url, [question, arguments], seconds)
    except UnavailableError as error:
        raise UnavailableError(f"{error}{_unknown(question)}") from error
    if reply is None:
        raise UnavailableError(
            f"the worker did not answer within {seconds:g} s: it is busy with a long item; ask again later, "
            f"or set FREEDA_QUERY_TIMEOUT_SECONDS{_unknown(question)}"
        )
    if "error" in reply:
        raise cast("type[FreedaError]", getattr(errors, reply["error"]))(reply["message"])
    return reply["answer"]


def _unknown(question: str) -> str:
    """What is to be said when a change was asked for and no answer came."""
    if question not in CHANGES:
        return ""
    return f". Whether the change has happened, or still will, is not known: `{CHANGES[question]}` shows it"


def _reply(app: "Celery", url: str, question: list[Any], seconds: float) -> dict[str, Any] | None:
    """Return what ``answer_task`` said; None when it did not in time.

    Raises:
        UnavailableError: the broker does not answer, or did not to the end.
    """
    from kombu.exceptions import OperationalError  # noqa: PLC0415 - see _ask_worker

    from workers.app import ASK_BANK, BANK_QUEUE  # noqa: PLC0415 - as above

    place = f"freeda:reply:{uuid4().hex}"
    deadline = time.monotonic() + seconds
    try:
        app.send_task(ASK_BANK, args=[*question, place], queue=BANK_QUEUE, expires=seconds, ignore_result=True)
    except (OperationalError, redis.RedisError) as error:
        raise UnavailableError(f"the broker went away while the worker was asked: {error}") from error
    away: redis.RedisError | None = None
    # A pop that blocks does not lengthen the client's own time-out, so it is asked for less than that, again and again;
    # a broker that is away for a moment keeps the answer.
    with broker_client(url) as client:
        while (left := deadline - time.monotonic()) > 0:
            try:
                found = cast("tuple[bytes, bytes] | None", client.blpop([place], timeout=min(left, POP_SECONDS)))
            except redis.RedisError as error:
                away = error
                time.sleep(min(left, POP_SECONDS))
            else:
                away = None
                if found is not None:
                    return cast("dict[str, Any]", json.loads(found[1]))
    if away is not None:
        raise UnavailableError(f"the broker went away while the worker was asked: {away}") from away
    return None


def answer_task(task: "Task", question: str, arguments: dict[str, Any], place: str) -> None:
    """Answer in the worker's process, into a list in Redis; an error travels as its name and message.

    Args:
        task: the task.
        question: the name of one of `ANSWERS`.
        arguments: what it asks for.
        place: name of the list.
    """
    from workers.child import held_by_this_process  # noqa: PLC0415 - only the worker's process holds anything

    try:
        content = json.dumps({"answer": answer(held_by_this_process(task.app), question, arguments)})
    except FreedaError as error:
        content = json.dumps({"error": type(error).__name__, "message": str(error)})
    except Exception as error:  # who asked must be told; what the code did not foresee is told to the log in full
        log.exception("a question could not be answered", question=question)
        line = " ".join(str(error).split())
        message = f"the worker could not answer ({type(error).__name__}: {line}); its log says more"
        content = json.dumps({"error": FreedaError.__name__, "message": f"{message}{_unknown(question)}"})
    with redis.Redis.from_url(task.app.conf.broker_url) as client, client.pipeline() as pipeline:
        pipeline.rpush(place, content)
        pipeline.expire(place, REPLY_KEPT_SECONDS)  # who asked may have gone
        pipeline.execute()
