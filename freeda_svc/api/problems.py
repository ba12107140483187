"""Errors as problem+json (RFC 9457), with the sentence that the command line prints, or one that fits over HTTP."""

import http
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from freeda_svc.api.advice import words_for_http
from freeda_svc.api.context import context_of
from freeda_svc.api.hidden import without_ip_addresses, without_server
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError, one_line
from freeda_svc.loggers import logger

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RETRY_AFTER_SECONDS = 5
PROBES = frozenset({"/health/ready", "/label-studio/health"})
"""Paths whose 503 is the answer that was asked for."""
LONGEST_NAME = 80
"""So much is shown of a name that somebody made up."""
_UNKNOWN = "extra_forbidden"
STATUSES: tuple[tuple[type[FreedaError], int], ...] = (
    (InputError, 422),
    (NotFoundError, 404),
    (BusyError, 409),
    (UnavailableError, 503),
)

log = logger(__name__)


class Problem(BaseModel):
    """What an answer says of an error."""

    type: str = Field("about:blank", description="nothing more is known than the status")
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status", ge=400, le=599)
    detail: str = Field(description="one sentence: what was wrong, what was expected, what to do")
    command_line: str | None = Field(
        None, description="the sentence with the advice of the command line, where it has other words for it"
    )


class ProblemError(FreedaError):
    """An error that has a status of its own, such as 413 or 401."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        """Say which, with further members of the answer (RFC 9457, section 3.2)."""
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of errors, for the ``responses`` of a route."""
    return {
        status: {
            "description": http.HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
) -> JSONResponse:
    """Return an error as an answer, with further members."""
    sentence = one_line(detail)
    said = words_for_http(sentence)
    content = Problem(
        type="about:blank",
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=said,
        command_line=None if said == sentence else sentence,
    )
    kept = dict(headers or {})
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        kept.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return JSONResponse({**(more or {}), **content.model_dump(exclude_none=True)}, status, kept, MEDIA_TYPE)


def status_of(error: FreedaError) -> int:
    """Return the HTTP status of an error that a person can act on."""
    if isinstance(error, ProblemError):
        return error.status
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


async def refuse(error: FreedaError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with an error, outside of routes."""
    headers = error.headers if isinstance(error, ProblemError) else None
    await problem(status_of(error), str(error), headers)(scope, receive, send)


def answer_with_problems(application: FastAPI) -> None:
    """Let an application answer every error as problem+json."""
    application.add_exception_handler(FreedaError, _expected)
    application.add_exception_handler(RequestValidationError, _wrong_request)
    application.add_exception_handler(HTTPException, _of_the_framework)
    application.add_exception_handler(ClientDisconnect, _ended_early)
    application.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FreedaError)
    if isinstance(error, ProblemError):
        return problem(error.status, str(error), error.headers, error.more)
    status = status_of(error)
    if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR and request.url.path not in PROBES:
        # what the answer leaves out is here; probes come every few seconds, and nothing of them has failed
        log.warning("a request failed", method=request.method, path=request.url.path, reason=one_line(error))
    detail = without_server(str(error), context_of(request).settings)
    return problem(status, without_ip_addresses(detail) if isinstance(error, UnavailableError) else detail)


async def _wrong_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return problem(422, sentence_of_request(error.errors()))


def sentence_of_request(found: Sequence[Mapping[str, Any]]) -> str:
    """Return one of the errors in a request as one sentence: an unknown name, or else the first."""
    first = min(found, key=lambda one: one["type"] != _UNKNOWN)  # a mistyped name leaves another one out
    place = [str(part) for part in first["loc"]]
    where = {"query": "the query", "path": "the path", "body": "the body", "header": "the header"}
    begin = where.get(place[0], place[0])
    name = ".".join(place[1:])
    if first["type"] == _UNKNOWN:
        return f"there is no parameter {name[:LONGEST_NAME]!r}; /openapi.json says which there are"
    if first["type"] == "missing" and name:
        return f"{begin}, {name}: it is missing"
    return f"{begin}{f', {name}' if name else ''}: {first['msg'][:1].lower()}{first['msg'][1:]}"


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    headers = dict(error.headers or {})
    if error.status_code == http.HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path}; /openapi.json says what there is"
    elif error.status_code == http.HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.url.path} cannot be asked with {request.method}; /openapi.json says what it takes"
        headers["Allow"] = ", ".join(_methods_of(request))  # the framework names those of the first route of the path
    return problem(error.status_code, detail, headers)


def _methods_of(request: Request) -> list[str]:
    """Return the methods with which the path of a request can be asked."""
    return [
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]


async def _ended_early(_request: Request, _error: Exception) -> JSONResponse:
    return problem(400, "the body ends early; send all of it")  # mostly nobody hears it any more


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("a request failed unexpectedly", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "the server failed; its log says why")
