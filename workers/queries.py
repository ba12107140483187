"""Questions about banks: asked of the worker that holds them, or answered directly where there is no worker."""

import json
import time
from typing import TYPE_CHECKING, Any, cast

import redis

from freeda_svc import errors
from freeda_svc.errors import FreedaError, UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers.ability import worker_fault
from freeda_svc.workers.broker import broker_address, broker_client
from freeda_svc.workers.locks import worker_is_running
from freeda_svc.workers.messages import ASK_BANK, BANK_QUEUE, put_question, send_messages, unknown_change
from freeda_svc.workers.presence import able_queues

if TYPE_CHECKING:
    from freeda_svc.workers.answers import Answer

POP_SECONDS = 1.0


def bank_stats(settings: Settings, bank: str = "") -> dict[str, Any]:
    """Return how large a bank is: prototypes, nouns, captions, jobs, outliers, pack, dimensions, bytes on disk.

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


def bank_revision(settings: Settings, bank: str) -> dict[str, Any]:
    """Return what is in a bank at this moment: ``additions`` and ``removals`` of its `Revision`.

    Raises:
        NotFoundError: there is no such bank.
        UnavailableError: the worker does not answer in time.
    """
    return cast("dict[str, Any]", ask_bank(settings, "bank_revision", bank=bank))


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


def ask_bank(settings: Settings, question: str, **arguments: Any) -> "Answer":  # noqa: ANN401 - questions differ
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
    from freeda_svc.workers.answering import answer  # noqa: PLC0415 - who asks a worker does without the bank's libraries
    from freeda_svc.workers.resources import Resources  # noqa: PLC0415 - as above

    resources = Resources(settings)
    try:
        return answer(resources, question, arguments)
    except UnavailableError as error:
        if not _may_have_been_heard(error):
            raise
        raise UnavailableError(f"{error}{unknown_change(question)}") from error
    finally:
        resources.close()


def ask_worker(settings: Settings, question: str, *, seconds: float | None = None, **arguments: Any) -> "Answer":  # noqa: ANN401 - as above
    """Ask a worker in any case: who must load no model and open no bank does not answer by itself.

    Args:
        settings: the installation.
        question: the name of one of `ANSWERS`.
        seconds: how long to wait at most; as the settings say when None.
        arguments: what it asks for.

    Raises:
        FreedaError: as the answer's own function says.
        UnavailableError: no worker that answers is there, or it does not answer in time.
    """
    queues = able_queues(settings)
    if queues and BANK_QUEUE not in queues:
        raise UnavailableError(f"no worker answers questions about banks: let one serve the queue {BANK_QUEUE}")
    patience = settings.query_timeout_seconds if seconds is None else min(seconds, settings.query_timeout_seconds)
    return _ask_worker(settings.model_copy(update={"query_timeout_seconds": patience}), question, arguments)


def _may_have_been_heard(error: UnavailableError) -> bool:
    """Return whether a bank's server was reached, and only its answer is missing."""
    import httpx  # noqa: PLC0415 - without a server it is not needed

    source = getattr(error.__cause__, "source", None)
    never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
    return isinstance(source, httpx.TransportError) and not isinstance(source, never_sent)


def _ask_worker(settings: Settings, question: str, arguments: dict[str, Any]) -> "Answer":
    fault = worker_fault(settings)
    if fault:
        raise UnavailableError(f"the worker takes no questions: {fault}")
    url = broker_address(settings)
    seconds = settings.query_timeout_seconds
    try:
        reply = _reply(url, question, arguments, seconds)
    except UnavailableError as error:
        raise UnavailableError(f"{error}{unknown_change(question)}") from error
    if reply is None:
        raise UnavailableError(
            f"the worker did not answer within {seconds:g} s: it is busy with a long item; ask again later, "
            f"or set FREEDA_QUERY_TIMEOUT_SECONDS{unknown_change(question)}"
        )
    if "error" in reply:
        raise cast("type[FreedaError]", getattr(errors, reply["error"]))(reply["message"])
    return reply["answer"]


def _reply(url: str, question: str, arguments: dict[str, Any], seconds: float) -> dict[str, Any] | None:
    """Return what the worker said; None when it did not in time.

    Raises:
        UnavailableError: the broker does not answer, or did not to the end.
    """
    deadline = time.monotonic() + seconds
    away: redis.RedisError | None = None
    # A pop that blocks does not lengthen the client's own time-out, so it is asked for less than that, again and again;
    # a broker that is away for a moment keeps the answer.
    with broker_client(url) as client:
        try:
            place = put_question(client, question, arguments, seconds)
            send_messages(client, ASK_BANK, BANK_QUEUE, [()], seconds=seconds)
        except redis.RedisError as error:
            raise UnavailableError(f"the broker went away while the worker was asked: {error}") from error
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
