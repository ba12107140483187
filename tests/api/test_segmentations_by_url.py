"""Submitting images by their addresses."""

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from freeda_svc.api import make_application
from freeda_svc.api.segmentations import MOST_IMAGES
from freeda_svc.jobs import callback_of, job_summary
from freeda_svc.settings import Settings
from tests.api.image_host import Host
from tests.api.test_segmentations import URL, files, inputs, nothing_left, png, refused


@pytest.fixture
def client(settings: Settings, host: Host) -> Iterator[TestClient]:
    hosts = {"image_hosts": f"127.0.0.1:{host.port}", "callback_hosts": "hooks.example.org"}
    application = make_application(settings.model_copy(update={**hosts, "callback_secret": "x" * 16}))
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking


def test_json_names_images_that_are_fetched_and_kept(client: TestClient, settings: Settings, host: Host) -> None:
    host.at = {f"/photos/{name}.png": (200, {}, [png(seed=seed)]) for seed, name in enumerate("ab")}
    asked = {"urls": [host.url(path) for path in host.at], "categories": ["ball", "sky"], "k": 7}
    answer = client.post(URL, json=asked, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    assert job_summary(settings, job).source == "2 uploaded images"
    kept = inputs(settings, job)
    assert [(one["name"], "path" in one) for one in kept] == [("a.png", False), ("b.png", False)]
    assert [(settings.artifacts_folder / one["image"]).read_bytes() for one in kept] == [png(), png(seed=1)]
    assert client.post(URL, json=asked, headers={"Idempotency-Key": "one"}).json()["job"] == job


def test_a_form_may_name_some_and_hold_others(client: TestClient, settings: Settings, host: Host) -> None:
    host.at = {"/b.png": (200, {}, [png(seed=1)])}
    fields = {"categories": "ball, sky", "urls": host.url("/b.png")}
    answer = client.post(URL, files=files(("a.png", png())), data=fields)
    assert [one["name"] for one in inputs(settings, answer.json()["job"])] == ["a.png", "b.png"]


def test_one_that_cannot_be_fetched_or_is_no_image_keeps_all_from_being_accepted(
    client: TestClient, settings: Settings, host: Host
) -> None:
    host.at = {"/a.png": (200, {}, [png()]), "/b.png": (404, {}, []), "/c.png": (200, {}, [b"text"])}
    urls = [host.url(path) for path in ("/a.png", "/b.png")]
    refused(client.post(URL, json={"urls": urls, "categories": ["sky"]}), settings, 422, "image URL 2", "status 404")
    urls[1] = host.url("/c.png")
    refused(client.post(URL, json={"urls": urls, "categories": ["sky"]}), settings, 422, "c.png")
    urls[1] = "http://elsewhere.example.org/d.png"
    refused(client.post(URL, json={"urls": urls, "categories": ["sky"]}), settings, 422, "image_hosts does not list")
    assert nothing_left(settings)


def test_bad_json_is_one_sentence(client: TestClient, settings: Settings) -> None:
    as_json = {"Content-Type": "application/json"}
    for content, status, words in (
        (b"{", 422, "not valid JSON"),
        (b"[]", 422, "must be a JSON object"),
        (b'{"urls": "\xff"}', 422, "not UTF-8"),
        (b'{"categories": ["sky"]}', 422, "image"),
        (b" " * (1 << 20) + b"{}", 413, "1,048,576 bytes"),
        (json.dumps({"urls": ["http://127.0.0.1/"] * (MOST_IMAGES + 1), "categories": ["sky"]}).encode(), 413, "1,000"),
        (b'{"urls": [7], "categories": ["sky"]}', 422, "urls"),
    ):
        refused(client.post(URL, content=content, headers=as_json), settings, status, words)


def test_a_submission_names_a_callback(client: TestClient, settings: Settings) -> None:
    fields = {"categories": "sky", "callback": "https://hooks.example.org/a"}
    job = client.post(URL, files=files(("a.png", png())), data=fields).json()["job"]
    found = callback_of(settings, job)
    assert found is not None
    assert found.url == "https://hooks.example.org/a"
    assert client.get(f"/v1/jobs/{job}/deliveries").json()["host"] == "hooks.example.org"


def test_a_callback_to_another_host_is_refused(client: TestClient, settings: Settings) -> None:
    fields = {"categories": "sky", "callback": "https://elsewhere.example.org/a"}
    answer = client.post(URL, files=files(("a.png", png())), data=fields)
    refused(answer, settings, 422, "the callback names the host elsewhere.example.org")
