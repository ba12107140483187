"""The backend of Label Studio, asked as Label Studio asks."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.annotation_tools import read_label_config, read_marks
from freeda_svc.api import make_application
from freeda_svc.jobs import JobKind, JobState, follow_job, job_summary, list_jobs
from freeda_svc.miniature import NOUNS
from freeda_svc.miniature.scenes import EASY, Scene, paint_scene
from freeda_svc.settings import Settings
from tests.api.conftest import Service
from tests.api.label_studio_stub import ACCESS, LEGACY, PERSONAL, Stub, label_studio_stub

URL = "/label-studio"
BOXES = "".join(f'<Label value="{noun.title()}" predicted_values="{noun}"/>' for noun in NOUNS)
CONFIG = f"""<View>
  <Image name="image" value="$image"/>
  <BrushLabels name="brush" toName="image">{"".join(f'<Label value="{noun}"/>' for noun in NOUNS)}</BrushLabels>
  <RectangleLabels name="box" toName="image">{BOXES}</RectangleLabels>
</View>"""
RECORDED = Path(__file__).with_name("label_studio_requests.json")


def scene(seed: int = 0) -> Scene:
    return paint_scene((31, seed), EASY)


def png(painted: Scene) -> bytes:
    content = io.BytesIO()
    Image.fromarray(painted.image).save(content, "PNG")
    return content.getvalue()


@contextmanager
def backend(settings: Settings, **changes: object) -> Iterator[TestClient]:
    """The backend of an installation with other settings, in this process."""
    application = make_application(settings.model_copy(update=changes))
    with TestClient(application, base_url="http://127.0.0.1:8470", raise_server_exceptions=False) as asking:
        yield asking


@pytest.fixture
def studio() -> Iterator[Stub]:
    with label_studio_stub() as stub:
        yield stub


def predict(client: TestClient | httpx.Client, *images: str, config: str = CONFIG) -> httpx.Response:
    tasks = [{"id": number, "data": {"image": image}} for number, image in enumerate(images, start=1)]
    return client.post(f"{URL}/predict", json={"tasks": tasks, "project": "1.17", "label_config": config})


def test_without_a_worker_label_studio_is_told_that_the_backend_is_away(client: TestClient) -> None:
    for answer in (client.get(f"{URL}/"), client.get(f"{URL}/health")):
        assert answer.status_code == 503
        assert "there is no worker" in answer.json()["detail"]
    assert client.get(f"{URL}/metrics").json() == {"waiting": 0, "running": 0}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"project": "1.17", "schema": "<View/>"}, "no labels that can be predicted"),
        ({"project": "1.17", "schema": CONFIG, "extra_params": "k=100"}, "extra_params is no JSON"),
        ({"project": "1.17", "schema": CONFIG, "extra_params": [1]}, "extra_params is no object"),
        ({"project": "1.17", "schema": CONFIG, "extra_params": {"kay": 1}}, "kay"),
        ({"project": "1.17", "schema": CONFIG, "extra_params": {"k": 0}}, "k is 0, but must be"),
        (
            {"project": "1.17", "schema": CONFIG, "extra_params": {"least_area": "-1"}},
            "least_area is -1, but must",
        ),
        ({"project": "1.17", "schema": CONFIG.replace("<Image", '<Image freeda_auto="true"')}, "auto"),
    ],
)
def test_what_cannot_be_set_up_is_said_in_one_sentence(client: TestClient, body: dict[str, Any], reason: str) -> None:
    answer = client.post(f"{URL}/setup", json=body)
    assert answer.status_code == 422
    assert reason in answer.json()["detail"]


@pytest.mark.end_to_end
def test_predictions_of_an_uploaded_image(service: Service, studio: Stub) -> None:
    painted = scene()
    studio.files["/data/upload/1/a%20b.png"] = png(painted)
    given = {"label_studio_url": studio.address, "label_studio_token": LEGACY}
    with backend(service.settings, **given) as client:
        assert client.get(f"{URL}/health").json()["status"] == "UP"
        version = client.post(f"{URL}/setup", json={"project": "1.17", "schema": CONFIG, "extra_params": None}).json()
        answer = predict(client, "/data/upload/1/a%20b.png")
        assert answer.status_code == 200, answer.text
        jobs = [job.id for job in list_jobs(service.settings)]
        again = predict(client, "/data/upload/1/a%20b.png")
    assert answer.json() == again.json()
    assert [job.id for job in list_jobs(service.settings)] == jobs  # the same job answers both
    [prediction] = answer.json()["results"]
    # so that Label Studio knows which predictions are of this bank
    assert prediction["model_version"] == answer.json()["model_version"] == version["model_version"]
    assert "default@1" in prediction["model_version"]
    [image] = read_label_config(CONFIG)
    drawn = {marks.category: marks.mask for marks in read_marks(prediction["result"], image)}
    largest = int(np.bincount(painted.labels.ravel()).argmax())
    truth = painted.labels == largest
    found = drawn[NOUNS[largest]]
    assert np.count_nonzero(found & truth) / np.count_nonzero(found | truth) > 0.5
    boxes = [mark for mark in prediction["result"] if mark["from_name"] == "box"]
    assert boxes
    assert NOUNS[largest].title() in {mark["value"]["rectanglelabels"][0] for mark in boxes}
    assert len({mark["id"] for mark in prediction["result"]}) == len(prediction["result"])


@pytest.mark.end_to_end
def test_a_task_whose_image_cannot_be_had_gets_no_prediction(service: Service, studio: Stub) -> None:
    studio.files |= {"/data/upload/1.png": png(scene(1)), "/data/upload/2.png": b"no image"}
    given = {"label_studio_url": studio.address, "label_studio_token": LEGACY}
    with backend(service.settings, **given) as client:
        mixed = predict(client, "/data/upload/2.png", "/data/upload/1.png", "/data/upload/3.png", "")
        none = predict(client, "/data/upload/3.png")
    broken, whole, missing, empty = mixed.json()["results"]
    assert broken == missing == empty == []
    assert whole["result"]
    assert none.status_code == 422
    assert none.json()["detail"] == "task 1: the host of the image does not have it (404)"


@pytest.mark.end_to_end
def test_a_personal_token_is_exchanged_and_shown_to_label_studio_only(service: Service, studio: Stub) -> None:
    storage = "/tasks/1/resolve/?fileuri=czM6Ly9idWNrZXQvYS5wbmc="
    with label_studio_stub(is_open=True) as elsewhere:
        elsewhere.files["/signed.png"] = png(scene(2))
        studio.redirects[storage] = f"{elsewhere.address}/signed.png"
        host = elsewhere.address.removeprefix("http://")
        given = {"label_studio_url": studio.address, "label_studio_token": PERSONAL}
        with backend(service.settings, **given) as client:
            forbidden = predict(client, "s3://bucket/a.png")
        with backend(service.settings, **given, image_hosts=host) as client:
            answer = predict(client, "s3://bucket/a.png")
        assert elsewhere.asked == [("/signed.png", "")]
    assert studio.asked[-1] == (storage, f"Bearer {ACCESS}")
    assert "image_hosts does not list" in forbidden.json()["detail"]
    assert answer.json()["results"][0]["result"]


@pytest.mark.end_to_end
def test_local_files_are_read_below_their_root_only(service: Service, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a b.png").write_bytes(png(scene(3)))
    (tmp_path / "secret.png").write_bytes(png(scene(4)))
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    with backend(service.settings, label_studio_files=str(root)) as client:
        answer = predict(
            client, *(f"/data/local-files/?d={path}" for path in ("a%20b.png", "../secret.png", "link.png", "none.png"))
        )
    whole, *others = answer.json()["results"]
    assert whole["result"]
    assert others == [[], [], []]


@pytest.mark.end_to_end
def test_parameters_of_a_project_hold_for_its_predictions(service: Service, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(scene(5)))
    config = CONFIG.replace("<Image", '<Image freeda_k="7"')
    with backend(service.settings, label_studio_files=str(tmp_path)) as client:
        for given, background in (('{"background": "road, wall", "k": 9}', True), (None, False)):
            client.post(f"{URL}/setup", json={"project": "1.17", "schema": config, "extra_params": given})
            assert predict(client, "/data/local-files/?d=a.png", config=config).status_code == 200
            parameters = job_summary(service.settings, list_jobs(service.settings)[0].id).parameters
            assert parameters["overrides"]["k"] == 7  # what the configuration says wins
            assert (len(parameters["categories"]) == len(NOUNS) + 1) == background


def annotation(result: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    return {
        "action": "ANNOTATION_CREATED",
        "annotation": {"id": 5, "result": result, "created_at": "2026-01-01T00:00:00Z"},
        "task": {"id": 1, "data": {"image": "/data/local-files/?d=a.png"}},
        "project": {"id": 1, "created_at": "2026-01-01T00:00:00Z", "label_config": CONFIG},
        **more,
    }


BOX = {
    "type": "rectanglelabels",
    "from_name": "box",
    "to_name": "image",
    "original_width": 64,
    "original_height": 64,
    "image_rotation": 0,
    "value": {"x": 0, "y": 50, "width": 100, "height": 50, "rotation": 0, "rectanglelabels": ["Grass"]},
    "origin": "manual",
}


@pytest.mark.end_to_end
def test_what_is_drawn_teaches_where_the_setting_allows_it(service: Service, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(scene(6)))
    with backend(service.settings, label_studio_files=str(tmp_path)) as client:
        off = client.post(f"{URL}/webhook", json=annotation([BOX]))
    with backend(service.settings, label_studio_files=str(tmp_path), label_studio_teaches=True) as client:
        other = client.post(f"{URL}/webhook", json=annotation([BOX], action="TASKS_CREATED"))
        taken_over = client.post(f"{URL}/webhook", json=annotation([BOX | {"origin": "prediction"}]))
        damaged = client.post(f"{URL}/webhook", json=annotation([BOX | {"value": {}}]))
        taught = client.post(f"{URL}/webhook", json=annotation([BOX]))
        again = client.post(f"{URL}/webhook", json=annotation([BOX]))
    assert off.json() == {"status": "ignored", "job": None, "reason": "the setting label_studio_teaches is off"}
    assert (other.json()["status"], taken_over.json()["status"]) == ("ignored", "ignored")
    assert damaged.status_code == 422
    assert taught.json()["status"] == "taught"
    assert again.json() == taught.json()
    *_, ended = follow_job(service.settings, taught.json()["job"], every_seconds=0.1)
    assert (ended.kind, ended.state) == (JobKind.EXEMPLARS, JobState.DONE)


@pytest.mark.end_to_end
def test_what_a_real_label_studio_has_sent_is_answered(service: Service, studio: Stub) -> None:
    """Requests that Label Studio 1.23.2 sent, recorded by `make label-studio`."""
    given = {"label_studio_url": studio.address, "label_studio_token": LEGACY}
    answered = []
    with backend(service.settings, **given) as client:
        for request in json.loads(RECORDED.read_text()):
            for task in (request["body"] or {}).get("tasks", []):
                studio.files[task["data"]["image"]] = png(scene(task["id"]))
            answer = client.request(request["method"], request["path"], json=request["body"])
            assert answer.status_code == request["status"], answer.text
            answered.append(request["path"])
            if request["path"].endswith("/predict"):
                assert len(answer.json()["results"]) == len(request["body"]["tasks"])
                assert all(prediction["result"] for prediction in answer.json()["results"])
    assert {f"{URL}/health", f"{URL}/setup", f"{URL}/predict", f"{URL}/webhook"} <= set(answered)
