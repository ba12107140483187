"""Banks and prototypes over HTTP."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.api import bank_nouns
from freeda_svc.api.bank_nouns import KeptNouns
from freeda_svc.captions.caption import make_caption
from freeda_svc.cli.main import freeda
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import follow_job, submit_ingest
from freeda_svc.miniature.scenes import EASY, paint_scene
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from tests.api.conftest import Service

NOWHERE = "00000000-0000-5000-8000-000000000000"


@pytest.fixture(scope="module")
def asked(service: Service) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def own(service: Service, asked: httpx.Client) -> str:
    """A bank of this module's own with a few prototypes."""
    made = asked.post("/v1/banks", json={"bank": "own"})
    assert (made.status_code, made.json(), made.headers["location"]) == (201, {"bank": "own@1"}, "/v1/banks/own@1")
    captions = [make_caption(text) for text in ("a boat on the water", "a house on the grass", "a boat near a tree")]
    job = submit_ingest(
        service.settings, captions, source="x", bank="own", dispatcher=CeleryDispatcher(service.settings)
    )
    *_, ended = follow_job(service.settings, job, every_seconds=0.1)
    assert ended.state == "done"
    return "own"


def _as_command(service: Service, *arguments: str) -> Any:  # noqa: ANN401
    ran = CliRunner().invoke(freeda, ["--home", str(service.settings.home), *arguments, "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.mark.end_to_end
class TestWithAWorker:
    def test_banks_are_listed_and_counted_as_by_the_command_line(
        self, service: Service, asked: httpx.Client, own: str
    ) -> None:
        assert asked.get("/v1/banks").json() == {"items": _as_command(service, "bank", "list"), "next": None}
        assert asked.get(f"/v1/banks/{own}").json() == _as_command(service, "bank", "stats", "--bank", own)

    def test_nouns_are_completed_those_with_most_prototypes_first(self, service: Service, asked: httpx.Client) -> None:
        counts = _as_command(service, "bank", "nouns")
        nouns = asked.get("/v1/banks/default/nouns", params={"limit": 1000}).json()
        assert [(entry["noun"], entry["prototypes"]) for entry in nouns["items"]] == list(counts.items())
        assert nouns["next"] is None
        begin = next(iter(counts))[:1].upper()
        found = asked.get("/v1/banks/default/nouns", params={"prefix": begin}).json()["items"]
        assert [entry["noun"] for entry in found] == [noun for noun in counts if noun.startswith(begin.lower())]
        seen, after = [], ""
        while after is not None:
            page = asked.get("/v1/banks/default/nouns", params={"limit": 3, "after": after}).json()
            seen += [entry["noun"] for entry in page["items"]]
            after = page["next"]
        assert seen == list(counts)

    def test_what_is_known_of_words_is_said(self, service: Service, asked: httpx.Client, own: str) -> None:
        counts = _as_command(service, "bank", "nouns", "--bank", own)
        words = asked.get(f"/v1/banks/{own}/words", params={"text": ["BOAT|ship", "sky"]}).json()["items"]
        assert [word["text"] for word in words] == ["BOAT", "ship", "sky"]
        assert words[0]["prototypes"] == counts["boat"]
        assert words[1]["prototypes"] == 0
        assert words[1]["nearest"][0]["noun"] in counts
        asked.post("/v1/banks", json={"bank": "empty"})
        (word,) = asked.get("/v1/banks/empty/words", params={"text": "boat"}).json()["items"]
        assert word == {"text": "boat", "prototypes": 0, "retrieved": 0, "nearest": []}

    def test_prototypes_are_found_and_shown_with_their_pictures(
        self, service: Service, asked: httpx.Client, own: str
    ) -> None:
        found = asked.get(f"/v1/banks/{own}/search", params={"text": "boat", "limit": 2}).json()["items"]
        printed = _as_command(service, "bank", "search", "boat", "--limit", "2", "--bank", own)
        assert [entry["id"] for entry in found] == [entry["id"] for entry in printed]
        first = found[0]
        shown = asked.get(f"/v1/banks/{own}/prototypes/{first['id']}").json()
        assert shown == {name: value for name, value in first.items() if name != "score"}
        assert {name: value for name, value in shown.items() if name not in {"image", "mask", "attribution"}} == {
            name: value for name, value in printed[0].items() if name not in {"image", "mask", "attribution", "score"}
        }
        pictures = {}
        for name in ("image", "mask", "attribution"):
            answer = asked.get(shown[name])
            assert answer.headers["content-type"] == "image/png"
            pictures[name] = np.asarray(Image.open(io.BytesIO(answer.content)))
            kept = service.settings.artifacts_folder / printed[0][name]
            np.testing.assert_array_equal(pictures[name], np.asarray(Image.open(kept)))
        together = asked.get(f"/v1/banks/{own}/prototypes/{first['id']}/picture.png")
        assert Image.open(io.BytesIO(together.content)).width > 2 * pictures["image"].shape[1]
        assert str(service.settings.home) not in asked.get(f"/v1/banks/{own}/search?text=boat").text

    def test_a_marked_prototype_is_not_found_until_the_mark_is_taken_back(self, asked: httpx.Client, own: str) -> None:
        def found() -> set[str]:
            items = asked.get(f"/v1/banks/{own}/search", params={"text": "boat", "limit": 100}).json()["items"]
            return {item["id"] for item in items}

        before = found()
        chosen = min(before)
        url = f"/v1/banks/{own}/prototypes/{chosen}/outlier"
        assert asked.put(url, json={"reason": "a ship"}).json()["outlier"] == "a ship"
        assert found() == before - {chosen}
        outliers = asked.get(f"/v1/banks/{own}/prototypes", params={"outlier": True}).json()["items"]
        assert [(item["id"], item["outlier"]) for item in outliers] == [(chosen, "a ship")]
        assert asked.delete(url).json()["outlier"] == ""
        assert found() == before
        refused = asked.put(url, json={"reason": "curation: x"})
        assert (refused.status_code, "is one of curation" in refused.json()["detail"]) == (422, True)

    def test_prototypes_of_a_noun_are_listed_in_pages(self, service: Service, asked: httpx.Client, own: str) -> None:
        counts = _as_command(service, "bank", "nouns", "--bank", own)
        seen: list[str] = []
        after = ""
        while after is not None:
            page = asked.get(f"/v1/banks/{own}/prototypes", params={"noun": "Boat", "limit": 1, "after": after}).json()
            assert all(item["noun"] == "boat" for item in page["items"])
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
        assert len(seen) == len(set(seen)) == counts["boat"]
        assert asked.get(f"/v1/banks/{own}/prototypes").status_code == 422

    def test_prototypes_are_forgotten_by_selection_and_by_id(self, asked: httpx.Client, own: str) -> None:
        def total() -> int:
            return int(asked.get(f"/v1/banks/{own}").json()["prototypes"])

        count = total()
        wanted = {"noun": "tree", "dry_run": True}
        dry = asked.post(f"/v1/banks/{own}/forget", json=wanted).json()
        assert (dry["bank"], dry["removed"], dry["found"] > 0, total()) == ("own@1", 0, True, count)
        real = asked.post(f"/v1/banks/{own}/forget", json={"noun": "tree"}).json()
        assert (real["removed"], total()) == (dry["found"], count - dry["found"])
        one = asked.get(f"/v1/banks/{own}/search?text=boat&limit=1").json()["items"][0]["id"]
        assert asked.delete(f"/v1/banks/{own}/prototypes/{one}").json() == {"bank": "own@1", "found": 1, "removed": 1}
        assert asked.get(f"/v1/banks/{own}/prototypes/{one}").status_code == 404
        for nothing, sentence in (
            ({}, "say which prototypes are to be forgotten"),
            ({"noun": " "}, "noun is empty"),
            ({"dry_run": "perhaps", "nouns": "tree"}, "there is no parameter 'nouns'; /openapi.json says which"),
        ):
            answer = asked.post(f"/v1/banks/{own}/forget", json=nothing)
            assert (answer.status_code, answer.json()["detail"].startswith(sentence)) == (422, True), answer.text

    def test_curation_marks_and_takes_back(self, asked: httpx.Client, own: str) -> None:
        outcome = asked.post(f"/v1/banks/{own}/curation", json={"keep": 0.5, "dry_run": True}).json()
        assert (outcome["bank"], outcome["newly_marked"]) == ("own@1", 0)
        assert asked.delete(f"/v1/banks/{own}/curation").json() == {"bank": "own@1", "unmarked": 0}

    def test_versions_are_switched_and_dropped(self, asked: httpx.Client, own: str) -> None:
        assert asked.post("/v1/banks", json={"bank": "own@2"}).json() == {"bank": "own@2"}
        assert asked.get(f"/v1/banks/{own}").json()["bank"] == "own@1"
        assert asked.post("/v1/banks/own@2/switch").json() == {"bank": "own@2", "current": True}
        assert asked.get(f"/v1/banks/{own}").json()["bank"] == "own@2"
        assert asked.post("/v1/banks/own@1/switch").json()["bank"] == "own@1"
        assert asked.delete("/v1/banks/own@2").json() == {"bank": "own@2", "prototypes": 0}
        assert asked.get("/v1/banks/own@2").status_code == 404

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", f"/v1/banks/default/prototypes/{NOWHERE}"),
            ("GET", f"/v1/banks/default@1/prototypes/{NOWHERE}/image.png"),
            ("PUT", f"/v1/banks/default/prototypes/{NOWHERE}/outlier"),
        ],
    )
    def test_a_prototype_that_is_missing_is_missing_in_a_bank_with_a_name(
        self, asked: httpx.Client, method: str, path: str
    ) -> None:
        answer = asked.request(method, path, json={} if method == "PUT" else None)
        assert answer.json()["detail"] == f"the bank default@1 has no prototype {NOWHERE}: has it been removed?"

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/v1/banks/nowhere", 404),
            ("GET", "/v1/banks/nowhere/nouns", 404),
            ("GET", "/v1/banks/No%20Name", 422),
            ("DELETE", "/v1/banks/default", 422),  # without a version
            ("POST", "/v1/banks/default/switch", 422),
            ("GET", f"/v1/banks/default/prototypes/{NOWHERE}", 404),
            ("GET", f"/v1/banks/default/prototypes/{NOWHERE}/image.png", 404),
            ("DELETE", f"/v1/banks/default/prototypes/{NOWHERE}", 404),
            ("GET", "/v1/banks/default/prototypes/x", 422),
            ("GET", "/v1/banks/default/search?text=%20", 422),
            ("GET", "/v1/banks/default/words?text=|", 422),
            ("GET", "/v1/banks/default/nouns?after=x", 422),
        ],
    )
    def test_what_is_wrong_has_its_status(self, asked: httpx.Client, method: str, path: str, status: int) -> None:
        answer = asked.request(method, path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/banks", "/v1/banks/default/nouns", "/v1/banks/default/search?text=cat"])
def test_without_a_worker_nobody_answers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "there is no worker" in answer.json()["detail"]


class Worker:
    """Answers as a worker does, and counts what it was asked."""

    def __init__(self) -> None:
        self.nouns, self.version, self.busy = {"cat": 2}, 1, False
        self.asked: list[str] = []

    def __call__(self, _settings: Settings, question: str, **_given: object) -> object:
        self.asked.append(question)
        if self.busy:
            raise UnavailableError("the worker is busy")
        return {"resolve_bank": "default@1", "bank_revision": {"additions": self.version}, "count_nouns": self.nouns}[
            question
        ]


def test_nouns_are_remembered_as_long_as_the_bank_is_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, now = Worker(), [100.0]
    monkeypatch.setattr(bank_nouns, "ask_worker", worker)
    monkeypatch.setattr(bank_nouns.time, "monotonic", lambda: now[0])
    kept = KeptNouns()
    assert kept.ranked(settings, "default") == [("cat", "cat", 2)]
    assert kept.ranked(settings, "default") == [("cat", "cat", 2)]
    assert worker.asked.count("count_nouns") == 1
    now[0] += 3
    kept.ranked(settings, "default")
    assert (worker.asked.count("bank_revision"), worker.asked.count("count_nouns")) == (2, 1)
    worker.nouns, worker.version = {"Dog": 1, "cat": 2, "ant": 2}, 2
    now[0] += 3
    assert kept.ranked(settings, "default") == [("ant", "ant", 2), ("cat", "cat", 2), ("Dog", "dog", 1)]
    worker.busy = True
    now[0] += 50
    assert len(kept.ranked(settings, "default")) == 3  # what it was a while ago
    now[0] += 50
    with pytest.raises(UnavailableError, match="busy"):
        kept.ranked(settings, "default")


def test_nouns_are_asked_for_again_once_a_job_has_ended(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker()
    monkeypatch.setattr(bank_nouns, "ask_worker", worker)
    monkeypatch.setattr(bank_nouns.time, "monotonic", lambda: 100.0)
    kept = KeptNouns()
    kept.ranked(settings, "default")
    worker.nouns, worker.version = {"dog": 1, "cat": 2}, 2
    assert kept.ranked(settings, "default") == [("cat", "cat", 2)]
    kept.note_job_end()
    assert kept.ranked(settings, "default") == [("cat", "cat", 2), ("dog", "dog", 1)]
    kept.note_job_end()  # of a job that taught nothing
    assert len(kept.ranked(settings, "default")) == 2
    assert worker.asked.count("count_nouns") == 2
    worker.busy = True
    kept.note_job_end()
    assert len(kept.ranked(settings, "default")) == 2  # what it was an instant ago


@pytest.mark.parametrize("how", ["the answer", "the job", "its events"])
@pytest.mark.end_to_end
def test_a_noun_is_listed_as_soon_as_its_job_is_seen_to_have_ended(service: Service, how: str) -> None:
    noun = f"numbat of {how}"
    painted = np.asarray(paint_scene((16, 0), EASY).image)
    mask = np.where(np.indices(painted.shape[:2])[0] > 40, 255, 0).astype(np.uint8)
    files = {}
    for name, pixels in (("image", painted), ("mask", mask)):
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "PNG")
        files[name] = ("1.png", content.getvalue(), "image/png")

    with service.client() as client:

        def listed() -> list[str]:
            answer = client.get("/v1/banks/default/nouns", params={"prefix": noun})
            return [one["noun"] for one in answer.json()["items"]]

        assert listed() == []
        headers = {"Prefer": "wait=120"} if how == "the answer" else {}
        answer = client.post("/v1/exemplars", files=files, data={"noun": noun}, headers=headers)
        assert answer.is_success, answer.text
        job = f"/v1/jobs/{answer.json().get('job')}"
        if how == "its events":
            with client.stream("GET", f"{job}/events") as events:
                assert "event: end" in list(events.iter_lines())
        while how == "the job" and client.get(job).json()["progress"]["done"] == 0:
            listed()
        try:
            assert listed() == [noun]
        finally:
            client.post("/v1/banks/default/forget", json={"noun": noun})
