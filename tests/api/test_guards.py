"""What every request passes before it meets a route."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Receive, Send
from structlog.testing import capture_logs

from freeda_svc.api import make_application
from freeda_svc.api.body_limits import MOST_BYTES_READ_WHOLE, READ_PIECE_BY_PIECE, BodyLimits
from freeda_svc.api.guards import Bounded
from freeda_svc.api.problems import MEDIA_TYPE
from freeda_svc.api.request_logs import CLOSED_EARLY
from freeda_svc.jobs import Scope, create_key
from freeda_svc.settings import Settings

router = APIRouter()


@router.post("/v1/length")
async def length(request: Request) -> int:
    return len(await request.body())


@router.post("/v1/unread")
async def unread() -> str:
    return "fine"


@router.get("/v1/fails")
def fails() -> None:
    raise RuntimeError("sesame")


@router.get("/v1/own", response_class=HTMLResponse)
def own() -> HTMLResponse:
    return HTMLResponse("x", headers={"Content-Security-Policy": "default-src 'self'", "Cache-Control": "no-cache"})


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    application = make_application(settings.model_copy(update={"api_max_body_bytes": 2048}))
    application.include_router(router)
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking


def test_a_request_for_another_name_is_refused(client: TestClient) -> None:
    answer = client.get("/health/live", headers={"Host": "elsewhere.example.org"})
    assert (answer.status_code, answer.headers["content-type"]) == (421, MEDIA_TYPE)
    assert answer.json()["detail"] == (
        "this server is not called elsewhere.example.org: the setting api_names lists its names"
    )


def test_a_page_of_another_site_changes_nothing_and_is_given_no_cors(client: TestClient) -> None:
    foreign = {"Origin": "http://elsewhere.example.org"}
    answer = client.post("/v1/length", content=b"a", headers=foreign)
    assert (answer.status_code, answer.json()["detail"]) == (403, "a page of another site may not change anything here")
    asked = {**foreign, "Access-Control-Request-Method": "DELETE"}
    for answer in (client.options("/v1/length", headers=asked), client.get("/health/live", headers=foreign)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_every_answer_tells_browsers_what_they_may(client: TestClient) -> None:
    for path, policy in (("/v1/fails", "default-src 'none'; "), ("/nothing", "script-src 'self'")):
        answer = client.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert policy in answer.headers["content-security-policy"]
    assert client.get("/v1/fails").headers["cache-control"] == "no-store"
    own_answer = client.get("/v1/own")
    assert own_answer.headers["content-security-policy"] == "default-src 'self'"
    assert own_answer.headers["cache-control"] == "no-cache"


def test_bodies_up_to_the_limit_are_taken(client: TestClient) -> None:
    assert client.post("/v1/length", content=b"a" * 2048).json() == 2048
    assert client.post("/v1/length", content=iter([b"a" * 1024, b"b" * 1024])).json() == 2048


@pytest.mark.parametrize("path", ["/v1/length", "/v1/unread"])
def test_a_body_that_says_it_is_too_large_is_refused_unread(client: TestClient, path: str) -> None:
    answer = client.post(path, content=b"a" * 2049)
    assert (answer.status_code, answer.headers["content-type"], answer.headers["connection"]) == (
        413,
        MEDIA_TYPE,
        "close",
    )
    assert answer.json()["detail"].startswith("the body has more than 2,048 bytes (api_max_body_bytes)")


def test_a_body_that_turns_out_too_large_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/length", content=iter([b"a" * 1024] * 3))
    assert (answer.status_code, answer.headers["content-type"]) == (413, MEDIA_TYPE)


def test_json_that_is_read_whole_is_small(settings: Settings) -> None:
    large = b'{"jobs": [' + b" " * MOST_BYTES_READ_WHOLE + b"]}"
    application = make_application(settings)
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as client:
        for content in (large, iter([large[:100], large[100:]])):
            answer = client.post("/v1/prune", content=content, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.headers["content-type"]) == (413, MEDIA_TYPE)
            assert answer.json()["detail"].startswith("the body has more than 16,777,216 bytes (of JSON)")
        streamed = client.post("/v1/segmentations", content=large, headers={"Content-Type": "image/png"})
        assert "categories" in streamed.json()["detail"]  # its size is not what is wrong
        described = client.get("/openapi.json").json()["paths"]
    with_files = {path for path, methods in described.items() if _takes_files(methods.get("post", {}))}
    assert with_files == READ_PIECE_BY_PIECE


def _takes_files(operation: dict[str, Any]) -> bool:
    return "multipart/form-data" in operation.get("requestBody", {}).get("content", {})


SCOPE = {"type": "http", "method": "POST", "path": "/v1/length", "headers": [], "state": {}}


def exchange(application: ASGIApp, messages: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Ask an ASGI application with messages, after which nothing comes any more."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application({**SCOPE}, receive, send))
    assert sent[-1].get("more_body", False) is False
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body)


@pytest.mark.parametrize("given", [{"idle_seconds": 0.05}, {"grace_seconds": 0.05}])
def test_a_body_that_comes_too_slowly_is_refused(settings: Settings, given: dict[str, float]) -> None:
    async def reads(_scope: object, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass

    limited = BodyLimits(reads, settings, **given)
    status, answered = exchange(limited, [{"type": "http.request", "body": b"a", "more_body": True}])
    assert (status, answered["detail"]) == (408, "the body comes too slowly; send it again")


def test_who_has_sent_a_body_may_wait_as_long_as_it_takes(settings: Settings) -> None:
    async def waits(_scope: object, receive: Receive, send: Send) -> None:
        assert (await receive())["body"] == b"a"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.3)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1"})

    limited = BodyLimits(waits, settings, idle_seconds=0.05, grace_seconds=0.05)
    assert exchange(limited, [{"type": "http.request", "body": b"a", "more_body": False}]) == (200, 1)


def test_what_is_too_much_at_once_is_asked_to_come_again() -> None:
    async def run() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        free, begun = asyncio.Event(), asyncio.Event()

        async def slow(_scope: object, _receive: object, _send: object) -> None:
            begun.set()
            await free.wait()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        bounded = Bounded(slow, 1)
        first = asyncio.create_task(bounded({**SCOPE}, None, send))  # type: ignore[arg-type]
        await begun.wait()
        await bounded({**SCOPE}, None, send)  # type: ignore[arg-type]
        free.set()
        await first
        await bounded({**SCOPE}, None, send)  # type: ignore[arg-type]
        return sent

    start, body = asyncio.run(run())
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (start["status"], headers["retry-after"], headers["content-type"]) == (503, "2", MEDIA_TYPE)
    assert json.loads(body["body"])["detail"] == "the server answers 1 requests already; try again in a moment"


def test_a_request_is_one_line_of_the_log_without_its_secrets(client: TestClient, settings: Settings) -> None:
    _, key = create_key(settings, "laptop", Scope.READ)
    with capture_logs() as lines:
        headers = {"Authorization": f"Bearer {key}", "X-Request-ID": "mine-1"}
        answer = client.get("/v1/nothing?token=sesame", headers=headers)
        client.get("/health/live")
    (line,) = [line for line in lines if line["event"] == "request" and line["log_level"] == "info"]
    assert (line["method"], line["path"], line["status"], line["key"]) == ("GET", "/v1/nothing", 404, "laptop")
    assert line["request"] == answer.headers["x-request-id"] == "mine-1"
    assert "sesame" not in str(lines)
    assert key not in str(lines)


def test_a_request_gets_an_id_where_the_client_gives_none_that_is_plain(client: TestClient) -> None:
    for given in ({}, {"X-Request-ID": "a b"}, {"X-Request-ID": "x" * 65}):
        assert len(client.get("/health/live", headers=given).headers["x-request-id"]) == 16


def test_an_unexpected_error_has_headers_and_an_id_too(client: TestClient) -> None:
    with capture_logs() as lines:
        answer = client.get("/v1/fails")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")
    assert "sesame" not in answer.text
    assert [line["status"] for line in lines if line["event"] == "request"] == [500]
    assert CLOSED_EARLY not in [line.get("status") for line in lines]


def test_each_route_documents_what_the_guards_answer(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    assert {"400", "421", "503"} <= described["/health/live"]["get"]["responses"].keys()
    assert {"401", "403"} <= described["/v1/jobs"]["get"]["responses"].keys()
    assert {"403", "408", "413"} <= described["/v1/jobs/{job_id}/retry"]["post"]["responses"].keys()
