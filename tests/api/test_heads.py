"""HEAD is answered wherever GET is, but by streams."""

import re

import pytest
from fastapi.testclient import TestClient

from freeda_svc.page import PAGES, STATIC_PATH
from tests.api.conftest import Service

STREAM = "/v1/jobs/{job_id}/events"
CHANGING = {"/metrics"}
"""Of another length each time."""
VALUES = {
    "prototype": "00000000-0000-5000-8000-000000000000",
    "picture": "mask",
    "number": "1",
    "ending": "mask.png",
    "name": "coco",
}


def _url(path: str) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: VALUES.get(found[1], "x"), path)


def test_head_answers_as_get_does_without_a_body(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]
    assert not any("head" in methods for methods in described.values())
    paths = [path for path, methods in described.items() if "get" in methods and path != STREAM]
    assert len(paths) > 25
    for path in (*paths, *PAGES, "/openapi.json", f"{STATIC_PATH}/style.css"):
        got, head = client.get(_url(path)), client.head(_url(path))
        assert head.status_code == got.status_code != 405, path
        assert head.content == b"", path
        left_out = {"x-request-id", *({"content-length"} if path in CHANGING else ())}
        assert {name: value for name, value in head.headers.items() if name not in left_out} == {
            name: value for name, value in got.headers.items() if name not in left_out
        }, path


@pytest.mark.end_to_end
def test_what_a_worker_answers_is_as_long_as_head_says(service: Service) -> None:
    with service.client() as client:
        found = client.get("/v1/banks/default/search", params={"text": "ball", "limit": 1}).json()["items"][0]["id"]
        prototype = f"/v1/banks/default/prototypes/{found}"
        for path in ("/v1/banks", "/v1/banks/default", f"/v1/jobs/{service.ingest}", f"{prototype}/picture.png"):
            got, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b""), path
            assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content)), path


def test_requests_with_head_are_counted_as_such(client: TestClient) -> None:
    client.head("/v1/jobs/000000000000")
    assert 'freeda_api_requests_total{method="HEAD",route="/v1/jobs/{job_id}",status="404"} 1.0' in (
        client.get("/metrics").text
    )
