import json

import httpx
import pytest
from pydantic import TypeAdapter
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from freeda_svc.bank.qdrant.connection import asking, connect
from freeda_svc.errors import FreedaError, InputError, NotFoundError, UnavailableError

ADDRESS = "https://bank.example:6333"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost", "http://localhost:6333"),
        ("http://localhost:80/", "http://localhost:80"),
        ("https://bank.example:443/qdrant/", "https://bank.example:443/qdrant"),
        ("http://[::1]:6333", "http://[::1]:6333"),
    ],
)
def test_an_address_is_completed(url: str, address: str) -> None:
    connection = connect(url)
    assert connection.address == address
    client = connection.client()
    assert client.http.client.host == address
    client.close()


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6333",
        "ftp://host",
        "http://",
        "",
        "http://host:port",
        "http://[::1",
        "http://host:99999",
        "http://me:secret@host:6333",
    ],
)
def test_what_is_no_address_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(InputError) as caught:
        connect(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_the_timeout_is_positive(timeout: float) -> None:
    with pytest.raises(InputError, match="timeout"):
        connect("http://localhost", timeout=timeout)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_api_key_is_sent_but_not_shown(scheme: str) -> None:
    connection = connect(f"{scheme}://host", "secret")
    assert "secret" not in repr(connection)
    client = connection.client()
    assert client.init_options["headers"]["api-key"] == "secret"
    client.close()


def answer(status: int, reason: str | None = None, phrase: str = "Phrase") -> UnexpectedResponse:
    content = b"<html>" if reason is None else json.dumps({"status": {"error": reason}}).encode()
    return UnexpectedResponse(status, phrase, content, httpx.Headers())


def no_json() -> Exception:
    try:
        json.loads("<html>")
    except ValueError as error:
        return error
    raise AssertionError


def another_answer() -> Exception:
    try:
        TypeAdapter(int).validate_python("<html>")
    except ValueError as error:
        return ResponseHandlingException(error)
    raise AssertionError


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (answer(404, "Not found: Collection `x` doesn't exist!"), NotFoundError, "does not have the bank x@1"),
        (answer(401, "Invalid API key"), InputError, "401: Invalid API key.*give an API key"),
        (answer(403), InputError, "403: Phrase.*give an API key"),
        (answer(400, "Wrong input:\n  odd"), InputError, "refuses what was asked of the bank x@1.*Wrong input: odd"),
        (answer(413), InputError, "413"),
        (answer(500, "No space left on device"), UnavailableError, "500: No space left on device"),
        (answer(503, phrase=""), UnavailableError, "503: no reason given"),
        (answer(429), UnavailableError, "429"),
        (answer(500, "long " * 1000), UnavailableError, r"long long.*\.\.\.\)"),
        (ResourceExhaustedResponse("too fast", 7), UnavailableError, "too fast.*in 7 seconds"),
        (ResponseHandlingException(httpx.ReadTimeout("timed out")), UnavailableError, "did not answer in time"),
        (
            ResponseHandlingException(httpx.ConnectError("[Errno 111] refused")),
            UnavailableError,
            "cannot be reached.*111",
        ),
        (ResponseHandlingException(httpx.ReadError("")), UnavailableError, r"cannot be reached \(ReadError\)"),
        (another_answer(), UnavailableError, "not a Qdrant server"),
        (no_json(), UnavailableError, "not a Qdrant server"),
    ],
    ids=range(15),
)
def test_a_failure_becomes_one_line_that_names_the_server(
    failure: Exception, kind: type[FreedaError], message: str
) -> None:
    with pytest.raises(FreedaError, match=message) as caught, asking(ADDRESS, "the bank x@1"):
        raise failure
    assert type(caught.value) is kind
    text = str(caught.value)
    assert ADDRESS in text
    assert "\n" not in text
    assert len(text) < 600
    assert caught.value.__cause__ is failure


def test_mistakes_of_the_program_stay_what_they_are() -> None:
    with pytest.raises(KeyError), asking(ADDRESS, "the bank x@1"):
        raise KeyError("x")
