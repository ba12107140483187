"""What a server answered: plain values, or the error that its problem stands for (RFC 9457)."""

import http
from typing import Any

import httpx

from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError, one_line

PROBLEM = "application/problem+json"
PASSING = frozenset((429, 502, 503, 504))
"""Statuses of what may be better in a moment."""
_LONGEST_DETAIL = 2000
_LONGEST_SHOWN = 120
_KINDS: dict[int, type[FreedaError]] = {404: NotFoundError, 409: BusyError}
_SERVER_FAILED = 500
_OVERLOADED = frozenset((408, 429))


def check_answer(response: httpx.Response, address: str) -> None:
    """Raise the error that an answer stands for; its body has been read where its status is that of an error.

    Args:
        response: the answer.
        address: of the server, for messages.

    Raises:
        FreedaError: ``NotFoundError`` for 404, ``BusyError`` for 409, ``UnavailableError`` for 5xx and what no freeda
            server answers, ``InputError`` for everything else that was refused.
    """
    if response.is_success:
        return
    if response.is_redirect:
        raise InputError(
            f"the server at {address} refers to {_shown(response.headers.get('location', ''))}; give that address "
            "itself: neither key nor images are sent on to another one"
        )
    detail = _detail(response)
    if detail is None:
        raise UnavailableError(
            f"what answers at {address} is no freeda server, or something stands in between: it sent "
            f"{response.status_code} {http_phrase(response.status_code)} as {_media_type(response) or 'nothing'}"
        )
    raise _kind(response.status_code)(detail)


def values_of(response: httpx.Response, address: str) -> Any:  # noqa: ANN401 - what JSON holds
    """Return what an answer with JSON holds.

    Raises:
        FreedaError: as ``check_answer`` says; ``UnavailableError`` where it is no JSON.
    """
    check_answer(response, address)
    if _media_type(response) != "application/json":
        raise UnavailableError(
            f"what answers at {address} is no freeda server: it sent {_media_type(response) or 'nothing'} where JSON "
            "is expected; check the address"
        )
    try:
        return response.json()
    except ValueError as error:
        raise UnavailableError(f"the server at {address} sent JSON that cannot be read: {one_line(error)}") from error


def check_no_page(response: httpx.Response, path: str, address: str) -> None:
    """See that a file is no page of something that stands in between.

    Raises:
        UnavailableError: it is.
    """
    if _media_type(response) == "text/html" and not path.endswith(".html"):
        raise UnavailableError(
            f"what answers at {address} is no freeda server, or something stands in between: it sent a page "
            f"(text/html) where {path.rpartition('/')[2]} is expected"
        )


def entry_of(values: object, name: str, kind: type, address: str) -> Any:  # noqa: ANN401 - of the kind
    """Return one of the values of an answer.

    Raises:
        UnavailableError: it is not there, or of another kind.
    """
    if isinstance(values, dict) and isinstance(values.get(name), kind):
        return values[name]
    raise other_version(address, f"an answer without {name!r}")


def other_version(address: str, what: str) -> UnavailableError:
    """Return the error for an answer that this client does not understand."""
    from importlib.metadata import version  # noqa: PLC0415 - only for this message

    return UnavailableError(
        f"the server at {address} answers otherwise than this client of freeda-svc {version('freeda-svc')} expects "
        f"({what}); one of the two may be of another version"
    )


def http_phrase(status: int) -> str:
    """Return what a status is called."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "(no known status)"


def _kind(status: int) -> type[FreedaError]:
    if status >= _SERVER_FAILED or status in _OVERLOADED:
        return UnavailableError
    return _KINDS.get(status, InputError)


def _detail(response: httpx.Response) -> str | None:
    """The sentence of a problem; None where the answer is none."""
    if _media_type(response) != PROBLEM:
        return None
    try:
        found = response.json()
    except ValueError:
        return None
    names = ("command_line", "detail", "title")  # who has this client has the command line, too
    detail = next(filter(None, map(found.get, names)), None) if isinstance(found, dict) else None
    return one_line(detail)[:_LONGEST_DETAIL] if isinstance(detail, str) and detail.strip() else None


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()[:_LONGEST_SHOWN]


def _shown(location: str) -> str:
    """An address of an answer, without what may be secret in it."""
    plain = location.partition("?")[0][:_LONGEST_SHOWN]
    return plain if plain.isprintable() and plain and "@" not in plain else "another address"
