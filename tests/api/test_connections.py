"""Connections that are slow, half open or too many; the server goes on answering the others."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn
from fastapi import Request
from fastapi.responses import StreamingResponse

from freeda_svc.api import make_application
from freeda_svc.api.connections import protocol_of
from freeda_svc.settings import Settings

REQUEST = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextmanager
def served(settings: Settings, **seconds: float) -> Iterator[int]:
    """Serve from a thread as long as the block lasts; gives the port."""
    application = make_application(settings)

    @application.post("/v1/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @application.get("/v1/endless")
    def endless() -> StreamingResponse:
        return StreamingResponse(b"x" * 65536 for _ in range(1 << 20))

    with socket.create_server(("127.0.0.1", 0)) as bound:
        config = uvicorn.Config(
            application,
            http=protocol_of(settings, **seconds),
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield bound.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=120)


def everything(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def is_answered(connection: socket.socket) -> bool:
    """Whether an answer comes, with all of its body."""
    found = b""
    while not found.endswith(b'{"status":"ok"}'):
        part = connection.recv(65536)
        assert part, found
        found += part
    return found.startswith(b"HTTP/1.1 200")


def answers(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/health/live", trust_env=False, timeout=120).status_code == 200


@pytest.mark.parametrize("said", [b"", b"GET /health", REQUEST])
def test_who_does_not_ask_in_time_is_told_and_cut_off(settings: Settings, said: bytes) -> None:
    with served(settings, ask_seconds=0.3) as port, connect(port) as connection:
        connection.sendall(said)
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "the request comes too slowly"
        assert answers(port)


def test_a_connection_that_is_kept_is_not_too_slow(settings: Settings) -> None:
    with served(settings, ask_seconds=0.3) as port, connect(port) as connection:
        for _ in range(3):
            connection.sendall(REQUEST + b"\r\n")
            assert is_answered(connection)
            threading.Event().wait(0.5)


def test_the_next_request_on_a_connection_must_come_in_time_too(settings: Settings) -> None:
    with served(settings, ask_seconds=0.3) as port, connect(port) as connection:
        connection.sendall(REQUEST + b"\r\n")
        assert is_answered(connection)
        connection.sendall(b"GET /he")
        assert everything(connection).startswith(b"HTTP/1.1 408")


def test_what_is_no_http_is_a_problem(settings: Settings) -> None:
    with served(settings) as port, connect(port) as connection:
        connection.sendall(b"hello\r\n\r\n")
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n")
        assert answers(port)


def test_connections_beyond_the_limit_are_asked_to_come_again(settings: Settings) -> None:
    few = settings.model_copy(update={"api_max_requests": 4})
    with served(few, ask_seconds=60) as port:
        with ExitStack() as stack:
            kept = [stack.enter_context(connect(port)) for _ in range(6)]
            refused = stack.enter_context(connect(port))
            answer = everything(refused)
            assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            assert b"\r\nRetry-After: 2\r\n" in answer
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 503
            kept[0].sendall(REQUEST + b"\r\n")
            assert is_answered(kept[0])
        for _ in range(100):
            with connect(port) as connection:
                connection.sendall(REQUEST + b"Connection: close\r\n\r\n")
                if everything(connection).startswith(b"HTTP/1.1 200"):
                    return
            threading.Event().wait(0.05)
        raise AssertionError("it does not answer again")


def test_who_does_not_listen_is_cut_off(settings: Settings) -> None:
    with served(settings, listen_seconds=0.3) as port, connect(port) as connection:
        connection.sendall(b"GET /v1/endless HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        threading.Event().wait(1)
        assert not everything(connection).endswith(b"0\r\n\r\n")
        assert answers(port)


def test_a_body_that_ends_early_leaves_the_server_answering(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(settings) as port:
        for _ in range(20):
            with connect(port) as connection:
                connection.sendall(b"POST /v1/length HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc")
        assert answers(port)
    assert "unexpectedly" not in capsys.readouterr().out


def test_a_client_that_sends_too_much_still_reads_why(settings: Settings) -> None:
    small = settings.model_copy(update={"api_max_body_bytes": 1024})
    body = b"a" * (16 << 20)
    begin = b"POST /v1/length HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with served(small) as port:
        for content in (
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
            b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        ):
            with connect(port) as connection:
                connection.sendall(begin + content)  # as most clients do: all of it, then the answer is read
                assert everything(connection).startswith(b"HTTP/1.1 413")


def test_a_client_without_a_key_that_sends_much_still_reads_why(settings: Settings) -> None:
    body = b"a" * (16 << 20)
    with served(settings.model_copy(update={"api_keys": "always"})) as port, connect(port) as connection:
        begin = b"POST /v1/length HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        connection.sendall(begin + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert everything(connection).startswith(b"HTTP/1.1 401")
