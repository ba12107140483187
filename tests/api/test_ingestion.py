"""Submitting captions: files of every format, and JSON lists."""

import gzip
import io
import json
import uuid
from typing import Any

import pytest
from fastapi.testclient import TestClient

from freeda_svc.jobs import job_summary, list_jobs
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings
from tests.api.conftest import Service

URL = "/v1/captions"
PLAIN, JSON = {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}
BYTES = {"Content-Type": "application/octet-stream"}
FILE = [("file", ("a.txt", b"a b\n"))]
LINES = "a ball on the grass\na boat on the water\n"
TEXTS = ["a ball on the grass", "a boat on the water"]


def captions_of(settings: Settings, job: str) -> list[str]:
    with reading(settings) as session:
        items = session.query(WorkItem).filter_by(job_id=job).order_by(WorkItem.number)
        return [text for item in items for text in item.input["captions"]]


def parquet(texts: list[str]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer  # noqa: PLC0415

    content = io.BytesIO()
    writer.write_table(pyarrow.table({"caption": texts}), content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("text/plain", LINES),
        ("text/plain; charset=utf-8", LINES),
        ("text/csv", "caption\n" + LINES),
        ("text/tab-separated-values", "id\tcaption\n1\ta ball on the grass\n2\ta boat on the water\n"),
        ("application/json", json.dumps(TEXTS)),
        ("application/json", json.dumps([{"caption": text, "id": 1.5} for text in TEXTS])),
        ("application/json", "\ufeff\n " + json.dumps(TEXTS)),
        ("application/json", json.dumps({"annotations": [{"caption": text} for text in TEXTS]})),
        ("application/x-ndjson", "".join(f"{json.dumps({'text': text})}\n" for text in TEXTS)),
    ],
)
def test_a_body_of_each_type(client: TestClient, settings: Settings, content_type: str, content: str) -> None:
    answer = client.post(URL, content=content.encode(), headers={"Content-Type": content_type})
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    assert answer.json() == {
        "job": job,
        "state": "queued",
        "location": f"/v1/jobs/{job}",
        "left_out": {},
        "warnings": [],
    }
    assert answer.headers["location"] == f"/v1/jobs/{job}"
    assert captions_of(settings, job) == TEXTS


def test_files_by_their_names(client: TestClient, settings: Settings) -> None:
    files = [
        ("file", ("a.txt", b"a ball on the grass\n")),
        ("files", ("sub/b.jsonl", b'{"title": "a boat on the water"}\n')),
        ("file[]", ("c.csv.gz", gzip.compress(b"Title,n\na box on the sand,3\n"))),
        ("file", ("d.json", b'["a sun in the sky"]')),
    ]
    answer = client.post(URL, files=files[:1])
    assert job_summary(settings, answer.json()["job"]).source == "a.txt"
    answer = client.post(URL, files=files[1:3], data={"column": "title", "priority": "low"})
    found = job_summary(settings, answer.json()["job"])
    assert (found.source, found.priority.name) == ("sub/b.jsonl, c.csv.gz", "LOW")
    assert captions_of(settings, found.id) == ["a boat on the water", "a box on the sand"]
    answer = client.post(URL, files=[files[0], files[3]], data={"captions": "one tree\n\ntwo stars\n", "limit": "3"})
    assert captions_of(settings, answer.json()["job"]) == ["a ball on the grass", "a sun in the sky", "one tree"]


def test_parquet(client: TestClient, settings: Settings) -> None:
    answer = client.post(URL, content=parquet(TEXTS), headers={"Content-Type": "application/vnd.apache.parquet"})
    assert captions_of(settings, answer.json()["job"]) == TEXTS


def test_a_request_of_json_alone(client: TestClient, settings: Settings) -> None:
    form = {"request": (None, json.dumps({"captions": [TEXTS[0], {"caption": TEXTS[1]}], "priority": "high"}))}
    answer = client.post(URL, files=form)
    assert captions_of(settings, answer.json()["job"]) == TEXTS
    assert job_summary(settings, answer.json()["job"]).source == "2 captions"


def test_what_is_left_out_is_counted(client: TestClient) -> None:
    content = "a ball\na ball\n\n" + "word " * 300 + "\nein Ball auf der Wiese und ein Boot auf dem See\n"
    answer = client.post(URL, content=content.encode(), headers={"Content-Type": "text/plain"})
    assert answer.json()["left_out"] == {"empty": 1, "too long": 1, "not English": 1, "repeated": 1}


def test_a_key_makes_one_job(client: TestClient, settings: Settings) -> None:
    headers = {"Content-Type": "text/plain", "Idempotency-Key": "nightly"}
    first, again = (client.post(URL, content=LINES.encode(), headers=headers).json() for _ in range(2))
    assert first == again
    other = client.post(URL, content=b"a tree\n", headers=headers)
    assert (other.status_code, "was used for another request" in other.json()["detail"]) == (422, True)
    assert len(list_jobs(settings)) == 1


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"content": b"", "headers": PLAIN}, 422, "the body is empty"),
        ({"content": b"\n \n", "headers": PLAIN}, 422, "file.txt has no captions"),
        ({"content": b"a b", "headers": {"Content-Type": "image/png"}}, 415, "'image/png' is not taken"),
        (
            {"content": b"a b", "headers": BYTES},
            422,
            "name its format with format",
        ),
        (
            {"content": b"[1]", "headers": JSON},
            422,
            "file.json, line 1: expected an object",
        ),
        ({"content": b'["a b"', "headers": JSON}, 422, "file.json is not valid JSON"),
        ({"content": b"{}", "headers": JSON}, 422, "file.json has no captions"),
        ({"content": b"caption\nx\xff\n", "headers": {"Content-Type": "text/csv"}}, 422, "UTF-8"),
        ({"files": FILE, "data": {"column": "x"}}, 422, "leave column out"),
        (
            {"files": FILE, "data": {"format": "xml"}},
            422,
            "there is no caption format 'xml'",
        ),
        ({"files": [("file", ("a.csv", b"a\nb\n"))], "data": {"separator": "ab"}}, 422, "a separator is one character"),
        ({"files": [("file", ("a.csv", b"a\nb\n"))]}, 422, "caption"),
        ({"files": FILE, "data": {"limit": "0"}}, 422, "limit is 0"),
        ({"files": FILE, "data": {"colour": "red"}}, 422, "there is no parameter 'colour'"),
        ({"files": {"captions": (None, "[1]")}}, 422, "captions"),
        ({"files": {"captions": (None, '[{"title": "x"}]')}}, 422, "captions, entry 1: expected a text"),
        ({"files": {"priority": (None, "low")}}, 422, "there are no captions"),
        ({"files": FILE, "data": {"bank": "none"}}, 404, "none"),
        ({"files": [("file", (f"{number}.txt", b"a\n")) for number in range(101)]}, 413, "more than 100 files"),
        (
            {"files": FILE, "data": {"callback": "http://x.test/"}},
            422,
            "callbacks are not taken",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    client: TestClient, settings: Settings, given: dict[str, Any], status: int, words: str
) -> None:
    answer = client.post(URL, **given)
    detail = str(answer.json()["detail"])
    assert (answer.status_code, words in detail) == (status, True), detail
    assert str(settings.home) not in answer.text
    assert "--" not in detail
    assert list_jobs(settings) == []


def test_preferences_on_two_lines_are_as_on_one(client: TestClient) -> None:
    given = [("Content-Type", "text/plain"), ("Prefer", "respond-async"), ("Prefer", "wait=1")]
    answer = client.post(URL, content=LINES.encode(), headers=given)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "wait=1")


def test_large_numbers_of_captions_are_streamed(client: TestClient, settings: Settings) -> None:
    texts = [f"a ball number {number} on the grass" for number in range(5000)]
    answer = client.post(URL, content=json.dumps(texts).encode(), headers={"Content-Type": "application/json"})
    assert captions_of(settings, answer.json()["job"]) == texts


@pytest.mark.end_to_end
def test_waiting_answers_with_the_job(service: Service) -> None:
    with service.client() as asking:
        headers = {"Content-Type": "text/plain", "Prefer": "wait=120", "Idempotency-Key": str(uuid.uuid4())}
        content = b"a red ball on the sand\na red ball on the sand\n"
        answer = asking.post(URL, content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        job = answer.json()
        assert (job["state"], job["kind"], job["left_out"]) == ("done", "ingest", {"repeated": 1})
        assert job["totals"]["images"] == 1
        assert job["progress"]["units"] == {"name": "captions", "total": 1, "ended": 1, "done": 1}
