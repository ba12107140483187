"""What the server tells Prometheus."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from freeda_svc.captions.caption import make_caption
from freeda_svc.jobs import submit_ingest
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import CeleryDispatcher


def _values(client: TestClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def _of(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def test_requests_are_counted_by_route_and_never_by_what_was_asked(client: TestClient) -> None:
    for number in range(3):
        client.get(f"/v1/jobs/{number:012x}")
        client.get(f"/nothing/{number}")
        client.request(f"ODD{number}", "/health/live")
    client.get("/health/live")
    values = _values(client)
    route = {"method": "GET", "route": "/v1/jobs/{job_id}"}
    assert values[_of("freeda_api_requests_total", **route, status="404")] == 3
    assert values[_of("freeda_api_request_seconds_count", **route)] == 3
    assert values[_of("freeda_api_requests_total", method="GET", route="/health/live", status="200")] == 1
    assert values[_of("freeda_api_requests_total", method="GET", route="other", status="404")] == 3
    assert values[_of("freeda_api_requests_running")] == 1
    routes = {dict(labels).get("route") for name, labels in values if name == "freeda_api_requests_total"}
    assert routes == {"/v1/jobs/{job_id}", "/health/live", "other"}


@pytest.fixture
def settings(tmp_path: Path, described_pack: str) -> Settings:
    return load_settings(home=tmp_path / "home", pack=described_pack, reconcile_seconds=0.001)


def test_jobs_are_counted_by_state(client: TestClient, settings: Settings) -> None:
    captions = [make_caption("a cat on a hill")]
    assert _values(client)[_of("freeda_jobs", state="queued")] == 0
    for _ in range(2):
        submit_ingest(settings, captions, source="x", dispatcher=CeleryDispatcher(settings))
    values = _values(client)
    assert values[_of("freeda_jobs", state="queued")] == 2
    assert values[_of("freeda_items", kind="ingest", state="queued")] == 2
    assert values[_of("freeda_database_up")] == 1
