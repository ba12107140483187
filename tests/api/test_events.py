"""Jobs followed as server-sent events."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from freeda_svc.captions.caption import make_caption
from freeda_svc.jobs import Priority, job_events, submit_ingest
from freeda_svc.jobs.claims import claim_next, finish_item
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import CeleryDispatcher
from tests.api.conftest import Service

LISTENERS = 60  # more than there are threads that answer requests


def _parts(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The events of a stream: what a browser would hand on."""
    part: dict[str, Any] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            part[name] = json.loads(value) if name == "data" else value
        elif part:
            yield part
            part = {}
    assert not part, "the stream ended in the midst of an event"


def _follow(client: httpx.Client | TestClient, job: str, last: str = "", **query: bool) -> list[dict[str, Any]]:
    headers = {"Last-Event-ID": last} if last else {}
    answer = client.get(f"/v1/jobs/{job}/events", headers=headers, params=query)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(_parts(iter(answer.text.split("\n"))))


@pytest.fixture
def ended_job(settings: Settings, described_pack: str) -> str:
    mine = load_settings(home=settings.home, pack=described_pack, captions_per_item=1)
    captions = [make_caption(f"a cat on hill {number}") for number in range(3)]
    job = submit_ingest(mine, captions, source="/home/me/my captions.txt", dispatcher=CeleryDispatcher(mine))
    while (claim := claim_next(mine, "gpu-1@node7:/srv/my home")) is not None:
        finish_item(mine, claim, {"prototypes": 1})
    return job


def test_a_job_that_has_ended_is_told_from_the_beginning(
    client: TestClient, settings: Settings, ended_job: str
) -> None:
    *events, progress, end = _follow(client, ended_job)
    wanted = job_events(settings, ended_job)
    assert [part["data"]["kind"] for part in events] == [event.kind for event in wanted]
    assert [part["id"] for part in events] == [str(event.id) for event in wanted]
    assert events[0]["data"] == {
        "id": wanted[0].id,
        "item": None,
        "attempt": None,
        "kind": "submitted",
        "message": "3 items from my captions.txt",
        "at": wanted[0].at.isoformat(),
    }
    assert events[1]["data"]["message"] == "gpu-1"
    assert not any("node7" in part["data"]["message"] or "/srv" in part["data"]["message"] for part in events)
    assert (progress["event"], end["event"]) == ("progress", "end")
    assert (end["data"]["state"], end["data"]["progress"]["done"]) == ("done", 3)


def test_it_goes_on_after_the_last_event_and_not_again_after_the_end(client: TestClient, ended_job: str) -> None:
    everything = _follow(client, ended_job)
    assert _follow(client, ended_job, last=everything[1]["id"]) == everything[2:]
    again = client.get(f"/v1/jobs/{ended_job}/events", headers={"Last-Event-ID": everything[-1]["id"]})
    assert (again.status_code, again.content) == (204, b"")


def test_progress_alone_is_told_without_events(client: TestClient, ended_job: str) -> None:
    parts = _follow(client, ended_job, progress_only=True)
    assert [part["event"] for part in parts] == ["progress", "end"]
    again = client.get(f"/v1/jobs/{ended_job}/events?progress_only=1", headers={"Last-Event-ID": parts[-1]["id"]})
    assert again.status_code == 204


def test_long_histories_are_told_in_pieces_without_a_gap(
    client: TestClient, ended_job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _follow(client, ended_job)
    monkeypatch.setattr("freeda_svc.api.events.EVENTS_AT_ONCE", 2)
    pieces = _follow(client, ended_job)
    assert [part["id"] for part in pieces if "id" in part] == [part["id"] for part in whole if "id" in part]


def test_a_job_that_is_not_there_and_a_wrong_id_are_refused(client: TestClient, ended_job: str) -> None:
    assert client.get("/v1/jobs/ffffffffffff/events").status_code == 404
    wrong = client.get(f"/v1/jobs/{ended_job}/events", headers={"Last-Event-ID": "x"})
    assert wrong.status_code == 422


@pytest.mark.end_to_end
def test_many_listen_at_once_and_all_hear_the_end(service: Service) -> None:
    settings = service.settings
    captions = [make_caption(f"a house near tree {number}") for number in range(200)]
    job = submit_ingest(settings, captions, source="x", dispatcher=CeleryDispatcher(settings), priority=Priority.LOW)
    limits = httpx.Limits(max_connections=LISTENERS + 10)
    with (
        ExitStack() as stack,
        httpx.Client(base_url=service.address, timeout=120, trust_env=False, limits=limits) as client,
    ):
        heard = []
        for _ in range(LISTENERS):
            answer = stack.enter_context(client.stream("GET", f"/v1/jobs/{job}/events"))
            assert answer.status_code == 200
            parts = _parts(answer.iter_lines())
            assert next(parts)["data"]["kind"] == "submitted"
            heard.append(parts)
        assert client.get("/health/live").status_code == 200
        assert client.delete(f"/v1/jobs/{job}").status_code == 200
        for parts in heard:
            *_, end = parts
            assert (end["event"], end["data"]["state"]) == ("end", "cancelled")
