"""Jobs over HTTP."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from freeda_svc.captions.caption import make_caption
from freeda_svc.cli.main import freeda
from freeda_svc.jobs import ItemState, JobKind, Move, job_items, submit_ingest, submit_move
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.settings import Settings, load_settings


@dataclass
class Nowhere:
    """Takes messages, and keeps none: no worker is to work here."""

    sent: list[int] = field(default_factory=list)

    def check(self) -> None:
        pass

    def send(self, _kind: JobKind, items: Sequence[int]) -> bool:
        self.sent += items
        return True


@pytest.fixture
def settings(tmp_path: Path, described_pack: str) -> Settings:
    return load_settings(home=tmp_path / "home", pack=described_pack, captions_per_item=2, max_attempts=1)


Submit = Callable[..., str]


@pytest.fixture
def submit(settings: Settings) -> Submit:
    def make(captions: int = 4, source: str = "/home/me/captions.txt") -> str:
        given = [make_caption(f"a cat on hill {number}") for number in range(captions)]
        return submit_ingest(settings, given, source=source, dispatcher=Nowhere())

    return make


def _fail(settings: Settings, reason: str) -> None:
    claim = claim_next(settings, "worker")
    assert claim is not None
    fail_item(settings, claim, reason, final=True)


def _finish(settings: Settings, result: dict[str, Any]) -> None:
    claim = claim_next(settings, "worker")
    assert claim is not None
    finish_item(settings, claim, result)


def _as_command(settings: Settings, *arguments: str) -> Any:  # noqa: ANN401
    ran = CliRunner().invoke(freeda, ["--home", str(settings.home), *arguments], env={"FREEDA_PACK": settings.pack})
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


def test_a_job_is_what_the_command_line_prints_without_the_paths(
    client: TestClient, settings: Settings, submit: Submit
) -> None:
    job_id = submit()
    _finish(settings, {"prototypes": 3, "images": 2})
    _fail(settings, f"{settings.home}/artifacts/x.png cannot be read")
    printed = _as_command(settings, "jobs", "show", job_id, "--json")
    got = client.get(f"/v1/jobs/{job_id[:5]}").json()
    assert got.pop("errors") == [
        {
            "number": 2,
            "name": "2 captions",
            "attempts": 1,
            "error": "x.png cannot be read",
            "at": got_time(client, job_id),
        }
    ]
    items = printed.pop("items")
    assert {**printed, "source": "captions.txt", "pack": Path(settings.pack).name} == got
    assert got["totals"] == {"prototypes": 3, "images": 2}
    assert (got["state"], got["progress"]["done"], got["progress"]["failed"]) == ("partly failed", 1, 1)
    listed = client.get(f"/v1/jobs/{job_id}/items").json()
    items[1]["error"] = "x.png cannot be read"
    assert listed == {"items": items, "next": None}
    assert str(settings.home.parent) not in client.get("/v1/jobs").text


def got_time(client: TestClient, job_id: str) -> str:
    return str(client.get(f"/v1/jobs/{job_id}").json()["errors"][0]["at"])


def test_jobs_are_listed_in_pages_without_missing_or_repeating_any(client: TestClient, submit: Submit) -> None:
    made = [submit(source=f"captions-{number}.txt") for number in range(5)]
    seen, after = [], ""
    while after is not None:
        page = client.get("/v1/jobs", params={"limit": 2, "after": after}).json()
        seen += [job["id"] for job in page["items"]]
        after = page["next"]
    assert seen == made[::-1]


def test_filters_narrow_the_list(client: TestClient, settings: Settings, submit: Submit) -> None:
    failed = submit(captions=1, source="first.txt")
    _fail(settings, "broken")
    waiting = submit(source="second.txt")

    def ids(**wanted: str) -> list[str]:
        return [job["id"] for job in client.get("/v1/jobs", params=wanted).json()["items"]]

    assert ids(state="failed") == ids(state="ended") == ids(source="FIRST") == [failed]
    assert ids(state="open") == [waiting]
    assert ids(kind="segment") == []
    assert ids(kind="ingest", since="1d") == [waiting, failed]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("state=lost", "state is 'lost', but must be one of queued, running"),
        ("since=soon", "'soon' is no time span"),
        ("after=x", "after is 'x', which is no `next` of a page"),
        ("after=999999999999999999-", "which is no `next` of a page"),
        ("limit=0", "the query, limit: "),
        ("kind=jobs", "the query, kind.0: "),
    ],
)
def test_a_wrong_filter_is_refused_in_a_sentence(client: TestClient, query: str, sentence: str) -> None:
    answer = client.get(f"/v1/jobs?{query}")
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]


def test_items_are_listed_in_pages_and_by_state(client: TestClient, settings: Settings, submit: Submit) -> None:
    job_id = submit(captions=10)
    _fail(settings, "broken")
    first = client.get(f"/v1/jobs/{job_id}/items", params={"limit": 3}).json()
    second = client.get(f"/v1/jobs/{job_id}/items", params={"limit": 3, "after": first["next"]}).json()
    assert [item["number"] for item in (*first["items"], *second["items"])] == [1, 2, 3, 4, 5]
    assert second["next"] is None
    failed = client.get(f"/v1/jobs/{job_id}/items", params={"state": "failed"}).json()["items"]
    assert [(item["number"], item["error"]) for item in failed] == [(1, "broken")]


def test_a_move_names_no_folder_of_the_server(client: TestClient, settings: Settings) -> None:
    move = Move(JobKind.EXPORT, "default@1", {"folder": "/srv/secret place/archive"})
    job_id = submit_move(settings, move, pack="x", prototypes=5, dispatcher=Nowhere())
    _finish(settings, {"bank": "default@1", "folder": "/srv/secret/archive", "prototypes": 5})
    for path in ("", "/items"):
        text = client.get(f"/v1/jobs/{job_id}{path}").text
        assert "archive" in text
        assert "srv" not in text


def test_cancelling_leaves_what_is_done(client: TestClient, settings: Settings, submit: Submit) -> None:
    job_id = submit(captions=6)
    _finish(settings, {})
    assert client.delete(f"/v1/jobs/{job_id}").json() == {"job": job_id, "cancelled": 2}
    states = [item.state for item in job_items(settings, job_id)]
    assert states == [ItemState.DONE, ItemState.CANCELLED, ItemState.CANCELLED]
    again = client.delete(f"/v1/jobs/{job_id}")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        f"job {job_id} is cancelled already; only a queued or running job can be cancelled",
    )


def test_failed_items_are_queued_again(client: TestClient, settings: Settings, submit: Submit) -> None:
    job_id = submit(captions=2)
    _fail(settings, "broken")
    assert client.post(f"/v1/jobs/{job_id}/retry").json() == {"job": job_id, "queued": 1}
    assert [item.state for item in job_items(settings, job_id)] == [ItemState.QUEUED]
    again = client.post(f"/v1/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["detail"]) == (409, f"job {job_id} has no failed items")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("job_id", ["ffffffffffff", "nothing", "%00"])
def test_a_job_that_is_not_there_is_a_404(client: TestClient, method: str, job_id: str) -> None:
    answer = client.request(method, f"/v1/jobs/{job_id}")
    assert answer.status_code == 404
    assert "there is no job" in answer.json()["detail"]
