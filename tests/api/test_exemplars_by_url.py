"""Submitting exemplars whose images are named by their addresses."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from freeda_svc.api import make_application
from freeda_svc.api.exemplars import MOST_FILES
from freeda_svc.jobs import job_summary, list_jobs
from freeda_svc.settings import Settings
from tests.api.image_host import Host
from tests.api.test_exemplars import MARKED, MASK, SQUARE, URL, image, kept


@pytest.fixture
def client(settings: Settings, host: Host) -> Iterator[TestClient]:
    host.at = {f"/photos/{name}.png?size=big": (200, {}, [image(seed)]) for seed, name in enumerate("ab")}
    application = make_application(settings.model_copy(update={"image_hosts": f"127.0.0.1:{host.port}"}))
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking


@pytest.fixture
def urls(host: Host) -> list[str]:
    return [host.url(f"/photos/{name}.png?size=big") for name in "ab"]


def test_json_names_an_image_and_what_is_marked(client: TestClient, settings: Settings, urls: list[str]) -> None:
    answer = client.post(URL, json={"urls": urls[:1], "noun": "bucket", "segmentation": SQUARE})
    assert answer.status_code == 202, answer.text
    (one,) = kept(settings, answer.json()["job"])
    assert (one["noun"], one["name"], (one["mask"] == MARKED).all()) == ("bucket", "a.png", True)
    assert (settings.artifacts_folder / one["image"]).read_bytes() == image(0)
    assert job_summary(settings, answer.json()["job"]).source == "a.png"


def test_several_are_called_as_their_addresses_end(client: TestClient, settings: Settings, urls: list[str]) -> None:
    marked = [
        {"image": f"{name}.png", "noun": noun, "segmentation": SQUARE} for name, noun in (("b", "cup"), ("a", "jug"))
    ]
    answer = client.post(URL, json={"urls": urls, "exemplars": marked})
    found = kept(settings, answer.json()["job"])
    assert [(one["name"], one["noun"]) for one in found] == [("b.png", "cup"), ("a.png", "jug")]
    assert [(settings.artifacts_folder / one["image"]).read_bytes() for one in found] == [image(1), image(0)]


def test_a_form_has_masks_for_images_of_both_kinds(client: TestClient, settings: Settings, urls: list[str]) -> None:
    files = [("image", ("c.png", image(3))), ("mask", ("1.png", MASK)), ("mask", ("2.png", MASK))]
    answer = client.post(URL, files=files, data={"noun": "bucket", "urls": urls[1]})
    assert [one["name"] for one in kept(settings, answer.json()["job"])] == ["c.png", "b.png"]


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"urls": ["http://elsewhere.example.org/d.png"]}, 422, "image_hosts does not list"),
        ({"urls": ["ftp://127.0.0.1/d.png"]}, 422, "no http or https address"),
        ({"urls": ["http://127.0.0.1/"] * (MOST_FILES + 1)}, 413, "2,000"),
        ({}, 422, "no images were given"),
        ({"noun": 7}, 422, "noun"),
    ],
)
def test_what_is_refused_leaves_nothing(
    client: TestClient, settings: Settings, given: dict[str, Any], status: int, words: str
) -> None:
    answer = client.post(URL, json={"noun": "bucket", "segmentation": SQUARE, **given})
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert list_jobs(settings) == []
    assert not [path for path in settings.uploads_folder.rglob("*") if path.is_file()]


def test_what_is_fetched_is_checked_like_what_is_uploaded(client: TestClient, settings: Settings, host: Host) -> None:
    host.at = {"/a.png": (200, {}, [b"no image"]), "/b.png": (404, {}, [])}
    for path, words in (("/a.png", "a.png is not an image"), ("/b.png", "image URL 1 answered with status 404")):
        body = json.dumps({"urls": [host.url(path)], "noun": "bucket", "segmentation": SQUARE})
        answer = client.post(URL, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text
    assert list_jobs(settings) == []
