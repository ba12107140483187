"""Submitting images: accepted whole or not at all, and answered with results where the client waits."""

import io
import json
import os
import threading
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.api.problems import MEDIA_TYPE
from freeda_svc.api.segmentations import MOST_IMAGES, SegmentationFields
from freeda_svc.jobs import job_summary, list_jobs
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.miniature.scenes import EASY, paint_scene
from freeda_svc.settings import Settings, load_settings
from tests.api.conftest import Service

URL = "/v1/segmentations"
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
WORDS = {"categories": "ball|globe, sky, grass"}


def png(size: tuple[int, int] = (8, 6), seed: int = 0) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, (seed, 20, 30)).save(content, "PNG")
    return content.getvalue()


def scene(seed: int = 0) -> bytes:
    content = io.BytesIO()
    Image.fromarray(paint_scene((21, seed), EASY).image).save(content, "PNG")
    return content.getvalue()


def files(*named: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (name, content)) for name, content in named]


def refused(answer: httpx.Response, settings: Settings, status: int, *words: str) -> str:
    """See that a request was refused in one sentence, that nothing was accepted, and nothing was left."""
    detail = str(answer.json()["detail"])
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), detail
    assert "\n" not in detail
    for word in words:
        assert word in detail
    assert str(settings.home) not in answer.text
    assert "uploads" not in answer.text
    assert list_jobs(settings) == []
    return detail


def inputs(settings: Settings, job: str) -> list[dict[str, Any]]:
    with reading(settings) as session:
        return [dict(item.input) for item in session.query(WorkItem).filter_by(job_id=job).order_by(WorkItem.number)]


def nothing_left(settings: Settings) -> bool:
    """See that nothing is left of an upload, which is removed without the answer waiting for it."""
    for _ in range(200):
        if not [name for _, _, names in os.walk(settings.uploads_folder) for name in names]:  # also while it goes
            return True
        threading.Event().wait(0.05)
    return False


def test_a_form_is_accepted_as_a_job(client: TestClient, settings: Settings) -> None:
    fields = {**WORDS, "k": "7", "beta": "0.5", "priority": "high", "explain": "true", "unknown": "channel"}
    answer = client.post(URL, files=files(("a.png", png()), ("sub/b.png", png(seed=1))), data=fields)
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    assert answer.json() == {"job": job, "state": "queued", "location": f"/v1/jobs/{job}", "left_out": []}
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert "preference-applied" not in answer.headers
    found = job_summary(settings, job)
    assert found.source == "2 uploaded images"
    assert found.priority.name == "HIGH"
    assert found.parameters["overrides"] == {"k": 7, "beta": 0.5, "unknown": "channel"}
    assert [category["name"] for category in found.parameters["categories"]] == ["ball|globe", "sky", "grass"]
    assert found.parameters["explain"] is True
    assert [(one["name"], one["stem"], "path" in one) for one in inputs(settings, job)] == [
        ("a.png", "a", False),
        ("sub/b.png", "sub/b", False),
    ]
    kept = settings.artifacts_folder / inputs(settings, job)[0]["image"]
    assert kept.read_bytes() == png()


def test_all_ways_of_asking_are_the_same_request(client: TestClient, settings: Settings) -> None:
    asked = {
        "categories": ["ball|globe", {"name": "sky"}],
        "k": 9,
        "origins": ["exemplar"],
        "background": ["wall", "road"],
    }
    ways = [
        client.post(URL, files=files(("a.png", png())), data={"request": json.dumps(asked)}),
        client.post(
            URL,
            files=[("images", ("a.png", png()))],
            data={"categories": "ball|globe, sky", "k": "9", "origins": "exemplar", "background": "wall, road"},
        ),
        client.post(
            URL,
            params={
                "categories": '["ball|globe", {"name": "sky"}]',
                "k": 9,
                "origins": "exemplar",
                "background": "wall,road",
            },
            content=png(),
            headers={"Content-Type": "image/png", "Content-Disposition": 'attachment; filename="a.png"'},
        ),
    ]
    jobs = [job_summary(settings, answer.json()["job"]) for answer in ways]
    assert jobs[0].parameters["overrides"] == {"k": 9, "origins": ["exemplar"]}
    assert jobs[0].parameters == jobs[1].parameters == jobs[2].parameters
    assert {job.source for job in jobs} == {"a.png"}


def test_blank_fields_count_as_not_given(client: TestClient, settings: Settings) -> None:
    fields = {"vocabulary": "voc20", "categories": "", "background": " ", "k": "", "bank": ""}
    answer = client.post(URL, files=files(("a.png", png())), data=fields)
    parameters = job_summary(settings, answer.json()["job"]).parameters
    assert len(parameters["categories"]) == 20
    assert len(parameters["colours"]) == 20
    assert parameters["overrides"] == {}


def test_names_of_files_are_only_names(client: TestClient, settings: Settings) -> None:
    given = ["../../etc/passwd.png", "/abs/x.png", "x.png", "", "naïve 图.png", "a" * 300 + ".png"]
    answer = client.post(URL, files=[("image", (name or "z", png())) for name in given], data=WORDS)
    found = inputs(settings, answer.json()["job"])
    assert [one["name"] for one in found[:3]] == ["passwd.png", "x.png", "x.png"]
    assert [one["stem"] for one in found[:3]] == ["passwd", "x", "x-2"]
    assert found[4]["name"] == "naïve 图.png"
    assert len(found[5]["name"]) == 200
    assert found[5]["name"].endswith("a.png")
    assert nothing_left(settings)


def test_a_key_makes_one_job(client: TestClient, settings: Settings) -> None:
    key = {"Idempotency-Key": "upload 1"}
    first, again = (client.post(URL, files=files(("a.png", png())), data=WORDS, headers=key) for _ in range(2))
    assert first.json() == again.json()
    other = client.post(URL, files=files(("a.png", png(seed=9))), data=WORDS, headers=key)
    assert (other.status_code, "was used for another request" in other.json()["detail"]) == (422, True)
    assert len(list_jobs(settings)) == 1
    assert client.post(URL, files=files(("a.png", png())), data=WORDS).json()["job"] != first.json()["job"]


def test_one_bad_image_in_many_refuses_all(client: TestClient, settings: Settings) -> None:
    answer = client.post(
        URL, files=files(("a.png", png()), ("sub/note.png", b"a sentence"), ("c.png", png()[:40])), data=WORDS
    )
    refused(answer, settings, 422, "sub/note.png is not an image in a known format", "(and 1 more of 3 files)")
    assert not (settings.artifacts_folder / "inputs").exists()
    assert nothing_left(settings)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.png", png()[:-20], "cut.png is cut off or damaged"),
        ("empty.png", b"", "empty.png is empty"),
        ("page.pdf", b"%PDF-1.7 and so on", "page.pdf is a PDF file, a format that is not read here"),
    ],
)
def test_what_is_no_image_is_named(
    client: TestClient, settings: Settings, name: str, content: bytes, words: str
) -> None:
    refused(client.post(URL, files=files((name, content)), data=WORDS), settings, 422, words)


def test_too_many_pixels_are_refused_by_the_header(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", max_image_pixels=100)
    from freeda_svc.api import make_application  # noqa: PLC0415

    with TestClient(make_application(settings), base_url="http://127.0.0.1:8470") as client:
        answer = client.post(URL, files=files(("large.png", png((11, 10)))), data=WORDS)
        refused(answer, settings, 422, "large.png has more than 100 pixels", "max_image_pixels")
        assert client.post(URL, files=files(("fits.png", png((10, 10)))), data=WORDS).status_code == 202


def test_uploads_need_not_lie_in_the_folders_that_files_are_taken_from(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", input_roots=str(tmp_path / "photos"))
    from freeda_svc.api import make_application  # noqa: PLC0415

    with TestClient(make_application(settings), base_url="http://127.0.0.1:8470") as client:
        assert client.post(URL, files=files(("a.png", png())), data=WORDS).status_code == 202


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "say what to look for with categories, vocabulary or auto"),
        ({"categories": "ball,,sky"}, "a category's name is ''"),
        ({"categories": "ball, ball"}, "the category 'ball' is given twice"),
        ({"categories": ",".join(f"word {number}" for number in range(10_000))}, "10,000 categories were given"),
        ({"categories": "ball", "auto": "yes"}, "auto lets the bank propose the categories"),
        ({"categories": "ball", "only_propose": "1"}, "only_propose goes with auto"),
        ({"vocabulary": "voc21x"}, "vocabulary is 'voc21x', but must be one of voc20"),
        ({**WORDS, "k": "0"}, "k is 0, but must be a whole number of at least 1"),
        ({**WORDS, "k": "many"}, "k is 'many', but must be a whole number of at least 1"),
        ({**WORDS, "beta": "nan"}, "beta is nan, but must be a number from 0 to 1"),
        ({**WORDS, "bta": "0.5"}, "there is no parameter 'bta'; did you mean beta?"),
        ({**WORDS, "explain": "maybe"}, "explain is 'maybe', but must be true or false"),
        ({**WORDS, "priority": "urgent"}, "priority is 'urgent', but must be one of low, normal, high"),
        ({**WORDS, "stride": "9000"}, "stride is 9000, but must be from 1 to window"),
        ({**WORDS, "bank": "no-such"}, "no-such"),
        ({**WORDS, "bank": "NO!"}, "NO!"),
        ({"request": "{"}, "the field request is not valid JSON"),
        ({"request": "[1]"}, "the field request must be a JSON object"),
        ({"request": '{"categories": ["a"], "k": 1, "k": 2}'}, "the parameter 'k' is given twice"),
        ({"request": '{"categories": ["a"], "beta": NaN}'}, "NaN is no number"),
        ({"request": '{"categories": ["a"]}', "categories": "b"}, "the parameter 'categories' is given twice"),
        ({"request": '{"categories": 7}'}, "categories is 7, but must be a list of categories"),
        ({"request": "[" * 100_000}, "the field request is nested too deeply"),
        ({"categories": "a\0b"}, "NUL"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, settings: Settings, fields: dict[str, str], words: str) -> None:
    status = 404 if fields.get("bank") == "no-such" else 422
    refused(client.post(URL, files=files(("a.png", png())), data=fields), settings, status, words)
    assert nothing_left(settings)


def test_no_image(client: TestClient, settings: Settings) -> None:
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    form = b'--x\r\nContent-Disposition: form-data; name="categories"\r\n\r\nball\r\n--x--\r\n'
    refused(client.post(URL, content=form, headers=boundary), settings, 422, "no images were given")
    refused(client.post(URL, content=b"", headers={"Content-Type": "image/png"}), settings, 422, "the body is empty")
    chosen_none = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename=""\r\n\r\n\r\n'
        b'--x\r\nContent-Disposition: form-data; name="categories"\r\n\r\nball\r\n--x--\r\n'
    )
    refused(client.post(URL, content=chosen_none, headers=boundary), settings, 422, "no images were given")


def test_a_field_given_twice(client: TestClient, settings: Settings) -> None:
    twice = {"categories": ["ball", "sky"]}
    refused(client.post(URL, files=files(("a.png", png())), data=twice), settings, 422, "'categories' is given twice")
    answer = client.post(f"{URL}?k=1&k=2", params=None, content=png(), headers={"Content-Type": "image/png"})
    refused(answer, settings, 422, "'k' is given twice")


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "multipart/form-data with files called image"),
        ({"Content-Type": "text/plain"}, 415, "'text/plain' is not taken"),
        ({"Content-Type": ""}, 415, "there is no content type"),
        ({"Content-Type": "multipart/form-data"}, 400, "boundary"),
        ({"Content-Type": "multipart/form-data; boundary=" + "x" * 1000}, 400, "the form is damaged"),
        ({"Content-Type": "image/png", "Content-Encoding": "gzip"}, 415, "Content-Encoding: gzip"),
        ({"Content-Type": "image/png", "Prefer": "wait=soon"}, 422, "wait=SECONDS"),
        ({"Content-Type": "image/png", "Idempotency-Key": "x" * 201}, 422, "an idempotency key is up to 200"),
    ],
)
def test_wrong_headers(
    client: TestClient, settings: Settings, headers: dict[str, str], status: int, words: str
) -> None:
    answer = client.post(URL, params=WORDS, content=png(), headers=headers)
    refused(answer, settings, status, words)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"no form at all", 400, "the form is damaged"),
        (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + png(),
            400,
            "last boundary",
        ),
        (PART + png() + b"\r\n--x\r\n", 400, "last boundary"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nball\r\n--x--\r\n", 422, "has no name"),
        (b'--x\r\nContent-Disposition: form-data; name="k"\r\n\r\n\xff\r\n--x--\r\n', 422, "'k' is not UTF-8"),
        (
            b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\nabc\r\n--x--\r\n',
            422,
            "there is no field 'picture' that is a file; files are called image",
        ),
    ],
)
def test_damaged_forms(client: TestClient, settings: Settings, body: bytes, status: int, words: str) -> None:
    answer = client.post(URL, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    refused(answer, settings, status, words)
    assert nothing_left(settings)


def test_too_many_files_and_fields(client: TestClient, settings: Settings) -> None:
    many = files(*((f"{number}.png", b"x") for number in range(MOST_IMAGES + 1)))
    refused(client.post(URL, files=many, data=WORDS), settings, 413, f"more than {MOST_IMAGES:,} files")
    fields = {f"f{number}": "1" for number in range(300)}
    refused(client.post(URL, files=files(("a.png", png())), data=fields), settings, 413, "more than 200 fields")
    large = {"categories": "x" * 2_000_000}
    refused(client.post(URL, files=files(("a.png", png())), data=large), settings, 413, "more than 1,048,576 bytes")


def test_a_full_disk_is_unavailable(client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", fail)
    answer = client.post(URL, files=files(("a.png", png())), data=WORDS)
    monkeypatch.undo()
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert answer.json()["detail"] == "the upload cannot be kept: No space left on device"


def test_the_document_has_every_field(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"][URL]["post"]
    content = operation["requestBody"]["content"]
    assert {"multipart/form-data", "image/*", "application/octet-stream", "application/json"} == content.keys()
    properties = content["multipart/form-data"]["schema"]["properties"]
    assert SegmentationFields.model_fields.keys() | {"image", "region_map", "request"} == properties.keys()
    assert properties["k"] == {
        "type": "integer",
        "minimum": 1,
        "description": "Prototypes retrieved for a category (350 in the paper).",
    }
    assert {
        one["name"] for one in operation["parameters"] if one["in"] == "query"
    } == SegmentationFields.model_fields.keys()
    assert "$ref" not in json.dumps(content)
    assert operation["responses"].keys() >= {"200", "202", "400", "404", "413", "415", "422", "503"}


@pytest.mark.end_to_end
def test_waiting_answers_with_the_results(service: Service) -> None:
    with service.client() as asking:
        answer = asking.post(
            URL, files=files(("one.png", scene(0)), ("two.png", scene(1))), data=WORDS, headers={"Prefer": "wait=999"}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["preference-applied"] == "wait=300"
        results = answer.json()
        assert answer.headers["location"] == f"/v1/jobs/{results['job']}"
        assert (results["state"], [item["name"] for item in results["items"]]) == ("done", ["one.png", "two.png"])
        first = results["items"][0]
        assert [category["name"] for category in first["summary"]["categories"]] == ["ball|globe", "sky", "grass"]
        assert first["files"].keys() >= {"mask", "overlay", "image"}
        later = asking.get(f"/v1/jobs/{results['job']}/results").json()
        assert results == {**later, "left_out": []}


@pytest.mark.end_to_end
def test_a_wait_that_is_too_short_is_answered_with_the_job(service: Service) -> None:
    with service.client() as asking:
        key = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "respond-async, wait=0"}
        answer = asking.post(URL, files=files(("one.png", scene(3))), data=WORDS, headers=key)
        assert answer.status_code == 202
        later = asking.post(URL, files=files(("one.png", scene(3))), data=WORDS, headers={**key, "Prefer": "wait=60"})
        assert (later.status_code, later.json()["job"]) == (200, answer.json()["job"])
        done = asking.post(URL, files=files(("one.png", scene(3))), data=WORDS, headers=key)
        assert (done.status_code, done.json()["state"]) == (202, "done")


@pytest.mark.end_to_end
def test_a_job_that_fails_is_answered_with_its_errors(service: Service) -> None:
    with service.client() as asking:
        cut = Image.new("RGB", (64, 64))
        content = io.BytesIO()
        cut.save(content, "JPEG")
        answer = asking.post(
            URL,
            params=WORDS,
            content=content.getvalue()[:-30],
            headers={"Content-Type": "image/jpeg", "Prefer": "wait=60"},
        )
        assert answer.status_code == 200
        assert answer.json()["state"] == "failed"
        assert "image.jpeg is cut off or damaged" in answer.json()["items"][0]["error"]


@pytest.mark.end_to_end
def test_equal_requests_at_once_make_one_job(service: Service) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "wait=60"}
    jobs: list[str] = []

    def ask() -> None:
        with service.client() as asking:
            jobs.append(asking.post(URL, files=files(("one.png", scene(4))), data=WORDS, headers=key).json()["job"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs) == 4
    assert len(set(jobs)) == 1
