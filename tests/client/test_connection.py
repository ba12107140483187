import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from freeda_svc.client import Connection
from freeda_svc.client import connection as asking
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError
from tests.client.broken_server import answer, broken_server, sends

PROBLEM = "application/problem+json"


@contextmanager
def connected(address: str, **options: object) -> Iterator[Connection]:
    connection = Connection(address, **options)  # type: ignore[arg-type]
    try:
        yield connection
    finally:
        connection.close()


def problem(status: str, detail: str, more: str = "") -> bytes:
    return answer(status, json.dumps({"detail": detail, "status": int(status[:3])}).encode(), PROBLEM, more)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("422 Unprocessable Content", InputError),
        ("400 Bad Request", InputError),
        ("401 Unauthorized", InputError),
        ("403 Forbidden", InputError),
        ("413 Content Too Large", InputError),
        ("404 Not Found", NotFoundError),
        ("409 Conflict", BusyError),
        ("500 Internal Server Error", UnavailableError),
    ],
)
def test_problem_is_the_error_that_it_stands_for_with_its_own_sentence(status: str, kind: type[FreedaError]) -> None:
    with broken_server(sends(problem(status, "that is wrong"))) as server, connected(server.address) as connection:
        with pytest.raises(kind, match=r"^that is wrong$") as raised:
            connection.ask("GET", "/v1/jobs")
        assert type(raised.value) is kind


def test_the_sentence_of_the_command_line_comes_first() -> None:
    sentences = {"detail": "the list of jobs shows them", "command_line": "`freeda jobs list` shows them"}
    found = answer("404 Not Found", json.dumps(sentences).encode(), PROBLEM)
    with (
        broken_server(sends(found)) as server,
        connected(server.address) as connection,
        pytest.raises(NotFoundError, match=r"^`freeda jobs list` shows them$"),
    ):
        connection.ask("GET", "/v1/jobs/zzz")


def test_nobody_there_is_said_at_once_and_names_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with connected(address) as connection, pytest.raises(UnavailableError, match=f"{address} cannot be reached"):
        connection.ask("GET", "/v1/jobs")
    assert time.monotonic() - began < 10


def test_page_of_a_proxy_is_no_answer() -> None:
    page = answer("502 Bad Gateway", b"<html>bad gateway</html>", "text/html")
    with (
        broken_server(sends(page)) as server,
        connected(server.address, patience=0) as connection,
        pytest.raises(UnavailableError, match="is no freeda server, or something stands in between: it sent 502"),
    ):
        connection.ask("GET", "/v1/jobs")


def test_page_of_another_program_is_no_answer() -> None:
    page = answer("200 OK", b"<html>welcome</html>", "text/html; charset=utf-8")
    with (
        broken_server(sends(page)) as server,
        connected(server.address) as connection,
        pytest.raises(UnavailableError, match="is no freeda server: it sent text/html where JSON is expected"),
    ):
        connection.ask("GET", "/v1/jobs")


def test_page_in_the_place_of_a_file_is_not_kept(tmp_path: Path) -> None:
    page = answer("200 OK", b"<html>log in</html>", "text/html")
    with (
        broken_server(sends(page)) as server,
        connected(server.address) as connection,
        pytest.raises(UnavailableError, match=r"where 1\.mask\.png is expected"),
    ):
        connection.download("/v1/jobs/x/results/1.mask.png", tmp_path / "mask.png")
    assert not list(tmp_path.iterdir())


def test_redirect_is_not_followed_and_the_key_goes_nowhere() -> None:
    with broken_server(sends(answer("200 OK"))) as other:
        moved = answer("307 Temporary Redirect", more=f"Location: {other.address}/v1/jobs?key=secret\r\n")
        with (
            broken_server(sends(moved)) as server,
            connected(server.address, key="freeda_secret") as connection,
            pytest.raises(InputError, match=f"refers to {other.address}/v1/jobs; give that address") as raised,
        ):
            connection.ask("GET", "/v1/jobs")
        assert not other.heads
        assert b"freeda_secret" in server.heads[0]
        assert "secret" not in str(raised.value)


def test_broken_json_is_one_sentence() -> None:
    with (
        broken_server(sends(answer("200 OK", b'{"items": ['))) as server,
        connected(server.address) as connection,
        pytest.raises(UnavailableError, match="sent JSON that cannot be read"),
    ):
        connection.ask("GET", "/v1/jobs")


def test_what_is_asked_is_asked_again_after_a_lost_answer() -> None:
    with broken_server(sends(b""), sends(answer("200 OK", b'{"a": 1}'))) as server:
        with connected(server.address) as connection:
            assert connection.ask("GET", "/v1/jobs") == {"a": 1}
        assert len(server.heads) == 2


def test_what_would_be_done_twice_is_not_asked_again() -> None:
    with broken_server(sends(b""), sends(answer("200 OK"))) as server:
        with connected(server.address) as connection, pytest.raises(UnavailableError, match="broke off before"):
            connection.ask("POST", "/v1/jobs/x/retry")
        assert len(server.heads) == 1


def test_overloaded_server_is_asked_again_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(asking.time, "sleep", pauses.append)
    busy = problem("503 Service Unavailable", "the database is away", "Retry-After: 3\r\n")
    answers = sends(busy), sends(busy), sends(answer("200 OK", b"[]"))
    with broken_server(*answers) as server, connected(server.address) as connection:
        assert connection.ask("GET", "/v1/jobs") == []
    assert pauses == [3, 3]


def test_patience_has_an_end_and_the_reason_is_the_servers() -> None:
    busy = problem("503 Service Unavailable", "the database is away", "Retry-After: 30\r\n")
    with broken_server(sends(busy)) as server:
        with (
            connected(server.address, patience=5) as connection,
            pytest.raises(UnavailableError, match=r"^the database is away$"),
        ):
            connection.ask("GET", "/v1/jobs")
        assert len(server.heads) == 1


def test_silent_server_is_given_up(tmp_path: Path) -> None:
    end = threading.Event()
    with broken_server(lambda _connection, _head: (end.wait(10), None)[1]) as server:
        with (
            connected(server.address, timeout=0.2, patience=0) as connection,
            pytest.raises(UnavailableError, match=r"did not answer within 0\.2 s"),
        ):
            connection.ask("GET", "/v1/jobs")
        end.set()


def test_download_that_breaks_off_is_begun_again_and_is_whole(tmp_path: Path) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf"
    whole = answer("200 OK", b"whole", "image/png")
    with broken_server(sends(cut), sends(whole)) as server, connected(server.address) as connection:
        connection.download("/v1/jobs/x/results/1.mask.png", tmp_path / "mask.png")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"whole"]


def test_download_that_always_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf"
    with (
        broken_server(sends(cut)) as server,
        connected(server.address, patience=0) as connection,
        pytest.raises(UnavailableError, match="broke off"),
    ):
        connection.download("/v1/jobs/x/results/1.mask.png", tmp_path / "mask.png")
    assert not list(tmp_path.iterdir())


def test_stream_that_breaks_off_is_the_same_sentence() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\ndata: 1\n"
    with (
        broken_server(sends(cut)) as server,
        connected(server.address, patience=0) as connection,
        pytest.raises(UnavailableError, match="broke off"),
        connection.stream("/v1/jobs/x/events") as response,
    ):
        list(response.iter_lines())


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1:8470",
        "ftp://host",
        "http://",
        "http://host:0",
        "http://host:99999",
        "http://ho st",
        "http://host#a",
        "http://h/?a=1",
    ],
)
def test_address_that_is_none_is_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(InputError, match="expected http://HOST:PORT"):
        Connection(address)


def test_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError, match="give the key by itself as server_key") as raised:
        Connection("http://user:hunter2@host")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("key", ["two\nlines", "with blank", "schlüssel"])
def test_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InputError, match="key for the server") as raised:
        Connection("http://127.0.0.1:1", key)
    assert key not in str(raised.value)


def test_path_of_the_address_is_kept() -> None:
    seen: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={})

    with connected("https://example.org/freeda/", transport=httpx.MockTransport(reply)) as connection:
        connection.ask("GET", "/v1/jobs", params={"after": None, "state": ["a", "b"], "open": True, "empty": ""})
    assert seen == ["https://example.org/freeda/v1/jobs?state=a&state=b&open=true"]


def test_closed_client_says_so() -> None:
    connection = Connection("http://127.0.0.1:1")
    connection.close()
    with pytest.raises(InputError, match="closed"):
        connection.ask("GET", "/v1/jobs")
