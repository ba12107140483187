"""Removing jobs over HTTP."""

import io
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.jobs import Scope, create_key, list_jobs
from freeda_svc.settings import Settings, load_settings

URL = "/v1/prune"


@pytest.fixture
def settings(tmp_path: Path, described_pack: str) -> Settings:
    return load_settings(home=tmp_path / "home", pack=described_pack)


@pytest.fixture
def ended(client: TestClient) -> str:
    """A job that has ended: it was cancelled."""
    job = submit(client, 1)
    assert client.delete(f"/v1/jobs/{job}").status_code == 200
    return job


def submit(client: TestClient, level: int) -> str:
    content = io.BytesIO()
    Image.new("L", (8, 8), level).save(content, "PNG")
    answer = client.post(
        "/v1/segmentations", files={"image": (f"{level}.png", content.getvalue())}, data={"categories": "sky"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"])


def copies(settings: Settings) -> list[Path]:
    return [path for path in (settings.artifacts_folder / "inputs").iterdir() if path.is_file()]


def test_a_job_that_is_named_goes_with_its_images(client: TestClient, settings: Settings, ended: str) -> None:
    kept = submit(client, 2)
    dry = client.post(URL, json={"jobs": [ended[:8]], "dry_run": True}).json()
    assert [(job["id"], job["state"], job["source"], job["items"]) for job in dry["jobs"]] == [
        (ended, "cancelled", "1.png", 1)
    ]
    assert (dry["files"], dry["removed"]) == (1, False)
    assert client.get(f"/v1/jobs/{ended}").status_code == 200
    done = client.post(URL, json={"jobs": [ended]})
    assert (done.status_code, done.json()) == (200, {**dry, "removed": True})
    assert client.get(f"/v1/jobs/{ended}").status_code == 404
    assert [job.id for job in list_jobs(settings)] == [kept]
    assert len(copies(settings)) == 1


def test_old_jobs_go(client: TestClient, settings: Settings, ended: str) -> None:
    assert client.post(URL, json={}).json() == {"jobs": [], "files": 0, "bytes": 0, "removed": False}
    assert [job["id"] for job in client.post(URL, json={"older_than": "0s"}).json()["jobs"]] == [ended]
    assert list_jobs(settings) == []


def test_mistakes_are_one_sentence_and_remove_nothing(client: TestClient, settings: Settings, ended: str) -> None:
    going_on = submit(client, 3)
    for body, status, words in (
        ({"jobs": [ended, going_on]}, 409, f"job {going_on} has not ended"),
        ({"jobs": ["0" * 12]}, 404, "there is no job"),
        ({"jobs": [ended], "older_than": "1d"}, 422, "older_than goes without jobs that are named"),
        ({"older_than": "soon"}, 422, "'soon' is no time span"),
        ({"all": True}, 422, "all"),
        ({"jobs": "all"}, 422, "jobs"),
    ):
        answer = client.post(URL, json=body)
        assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert {job.id for job in list_jobs(settings)} == {ended, going_on}


def test_only_who_administers_removes(client: TestClient, settings: Settings, ended: str) -> None:
    _, key = create_key(settings, "submitter", Scope.SUBMIT, None)
    answer = client.post(URL, json={"jobs": [ended]}, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403
    assert [job.id for job in list_jobs(settings)] == [ended]
