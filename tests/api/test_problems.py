"""Errors as problem+json."""

import pytest
from fastapi.testclient import TestClient

from freeda_svc.api.problems import MEDIA_TYPE, ProblemError, status_of
from freeda_svc.errors import BusyError, FreedaError, InputError, NotFoundError, UnavailableError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("x"), 422),
        (NotFoundError("x"), 404),
        (BusyError("x"), 409),
        (UnavailableError("x"), 503),
        (ProblemError(413, "x"), 413),
        (FreedaError("x"), 500),
    ],
)
def test_each_kind_of_error_has_its_status(error: FreedaError, status: int) -> None:
    assert status_of(error) == status


def test_a_path_that_is_not_there_is_a_problem(client: TestClient) -> None:
    answer = client.get("/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is nothing at /v1/nothing; /openapi.json says what there is",
    }


def test_a_wrong_method_is_a_problem(client: TestClient) -> None:
    answer = client.post("/health/live")
    assert (answer.status_code, answer.headers["content-type"], answer.headers["allow"]) == (
        405,
        MEDIA_TYPE,
        "GET, HEAD",
    )
    assert answer.json()["detail"].startswith("/health/live cannot be asked with POST")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs/abc", "GET, HEAD, DELETE"),
        ("POST", "/v1/banks/animals/prototypes/9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d/outlier", "PUT, DELETE"),
        ("OPTIONS", "/v1/banks", "GET, HEAD, POST"),
        ("DELETE", "/v1/jobs/abc/results.zip", "GET, HEAD"),
        ("HEAD", "/v1/jobs/abc/events", "GET"),
        ("HEAD", "/v1/captions", "POST"),
    ],
)
def test_every_method_of_a_path_is_allowed(client: TestClient, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_without_a_worker_the_server_lives_and_is_not_ready(client: TestClient) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"] == "there is no worker: whoever runs this server has to start one"
