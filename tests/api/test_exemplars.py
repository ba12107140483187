"""Submitting images with what is marked in them: masks, segmentations, a COCO file."""

import io
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.jobs import job_summary, list_jobs
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings
from tests.api.conftest import Service

URL = "/v1/exemplars"
HEIGHT, WIDTH = 6, 8
SQUARE = [[2, 1, 5, 1, 5, 4, 2, 4]]
MARKED = np.zeros((HEIGHT, WIDTH), dtype=bool)
MARKED[1:4, 2:5] = True


def picture(array: "np.ndarray[Any, Any]", form: str = "PNG", **given: Any) -> bytes:  # noqa: ANN401 - Pillow's
    content = io.BytesIO()
    Image.fromarray(array).save(content, form, **given)
    return content.getvalue()


def image(seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> bytes:
    return picture(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))


MASK = picture(MARKED)


def runs(mask: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Uncompressed COCO runs of a mask."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(np.concatenate(([False], flat)).astype(int))).tolist()
    edges = [0, *changes, flat.size]
    return {"size": list(mask.shape), "counts": np.diff(edges).tolist()}


def kept(settings: Settings, job: str) -> list[dict[str, Any]]:
    with reading(settings) as session:
        items = session.query(WorkItem).filter_by(job_id=job).order_by(WorkItem.number)
        found = [one for item in items for one in item.input["exemplars"]]
    for one in found:
        one["mask"] = np.asarray(Image.open(settings.artifacts_folder / one["mask"])).astype(bool)
    return found


def test_images_with_masks(client: TestClient, settings: Settings) -> None:
    files = [
        ("image", ("a.png", image(1))),
        ("image", ("b.png", image(2))),
        ("mask", ("a.png", MASK)),
        ("masks", ("b.png", picture(~MARKED))),
    ]
    answer = client.post(URL, files=files, data={"noun": "Bucket", "caption": "a bucket on a lawn"})
    assert answer.status_code == 202, answer.text
    first, second = kept(settings, answer.json()["job"])
    assert (first["noun"], first["caption"], first["name"]) == ("bucket", "a bucket on a lawn", "a.png")
    assert (first["mask"] == MARKED).all()
    assert (second["mask"] == ~MARKED).all()
    assert job_summary(settings, answer.json()["job"]).source == "a.png, b.png"
    assert answer.json()["warnings"][0].startswith("the mask b.png ")


@pytest.mark.parametrize("segmentation", [SQUARE, runs(MARKED)], ids=["polygons", "runs"])
def test_a_segmentation(client: TestClient, settings: Settings, segmentation: object) -> None:
    data = {"noun": "bucket", "segmentation": json.dumps(segmentation)}
    answer = client.post(URL, files=[("image", ("a.png", image()))], data=data)
    assert answer.status_code == 202, answer.text
    (one,) = kept(settings, answer.json()["job"])
    assert (one["mask"] == MARKED).all()


def test_exemplars_of_several_images(client: TestClient, settings: Settings) -> None:
    asked = {
        "noun": "bucket",
        "exemplars": [
            {"image": "b.png", "segmentation": runs(MARKED)},
            {"image": "a.png", "segmentation": SQUARE, "noun": "shovel", "caption": "a shovel in the sand"},
            {"image": "a.png", "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]},
        ],
    }
    files = [("image", ("a.png", image(1))), ("image", ("b.png", image(2)))]
    answer = client.post(URL, files=files, data={"request": json.dumps(asked)})
    assert answer.status_code == 202, answer.text
    found = kept(settings, answer.json()["job"])
    assert [(one["name"], one["noun"]) for one in found] == [
        ("b.png", "bucket"),
        ("a.png", "shovel"),
        ("a.png", "bucket"),
    ]
    assert [int(one["mask"].sum()) for one in found] == [9, 9, 4]


def test_exemplars_name_their_masks(client: TestClient, settings: Settings) -> None:
    asked = {
        "noun": "bucket",
        "source": "buckets.json",
        "exemplars": [
            {"image": "b.png", "mask": "0.png"},
            {"image": "a.png", "mask": "1.png", "noun": "shovel"},
            {"image": "a.png", "segmentation": SQUARE},
        ],
    }
    files = [("image", ("a.png", image(1))), ("image", ("b.png", image(2)))]
    files += [("mask", ("1.png", MASK)), ("mask", ("0.png", picture(~MARKED)))]
    answer = client.post(URL, files=files, data={"request": json.dumps(asked)})
    assert answer.status_code == 202, answer.text
    job = answer.json()["job"]
    found = kept(settings, job)
    assert [(one["name"], one["noun"]) for one in found] == [
        ("b.png", "bucket"),
        ("a.png", "shovel"),
        ("a.png", "bucket"),
    ]
    assert (found[0]["mask"] == ~MARKED).all()
    assert (found[1]["mask"] == MARKED).all()
    assert job_summary(settings, job).source == "buckets.json"
    assert answer.json()["warnings"][0].startswith("the mask 0.png ")


def test_a_coco_file(client: TestClient, settings: Settings) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "sub/a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "bucket"}, {"id": 4, "name": "shovel"}],
        "annotations": [
            {"image_id": 1, "category_id": 3, "segmentation": SQUARE},
            {"image_id": 1, "category_id": 4, "segmentation": SQUARE, "iscrowd": 1},
        ],
    }
    files = [("image", ("sub/a.png", image())), ("annotations", ("marks.json", json.dumps(coco).encode()))]
    answer = client.post(URL, files=files)
    assert answer.status_code == 202, answer.text
    (one,) = kept(settings, answer.json()["job"])
    assert (one["noun"], one["name"]) == ("bucket", "a.png")
    assert sum(answer.json()["left_out"].values()) == 1
    only = client.post(URL, files=files, data={"nouns": "shovel", "take_crowds": "yes"})
    assert [one["noun"] for one in kept(settings, only.json()["job"])] == ["shovel"]


A = ("image", ("a.png", image()))
M = ("mask", ("a-mask.png", MASK))
ROTATED = Image.Exif()
ROTATED[0x0112] = 3
TURNED = ("image", ("turned.jpg", picture(np.zeros((4, 4, 3), np.uint8), "JPEG", exif=ROTATED)))


@pytest.mark.parametrize(
    ("files", "data", "words"),
    [
        ([M], {"noun": "bucket"}, "no images were given"),
        (
            [A],
            {"noun": "bucket"},
            "by masks, segmentation, exemplars or annotations; nothing says it",
        ),
        ([A, M], {"noun": "bucket", "segmentation": "[[1,2,3]]"}, "it is given by masks and by segmentation"),
        ([A, M], {}, "noun"),
        ([A, M, M], {"noun": "bucket"}, "1 image and 2 masks were given"),
        (
            [A, ("mask", ("m.png", picture(np.ones((3, 3), bool))))],
            {"noun": "bucket"},
            "the mask m.png is 3 x 3 pixels",
        ),
        ([A, ("mask", ("m.png", picture(~(MARKED | True))))], {"noun": "bucket"}, "m.png"),
        ([A, ("mask", ("m.png", b"no image"))], {"noun": "bucket"}, "m.png is not an image"),
        ([("image", ("a.png", b"no image")), M], {"noun": "bucket"}, "a.png is not an image"),
        ([A], {"noun": "bucket", "segmentation": "[[1,2,3]]"}, "a.png: "),
        ([A], {"noun": "bucket", "segmentation": "a square"}, "a.png: its segmentation is neither"),
        ([A], {"noun": "bucket", "segmentation": "[[0,0,0,0,0,0]]"}, "marks no pixel"),
        ([A, A], {"noun": "bucket", "segmentation": "[[1,1,3,1,3,3]]"}, "segmentation is for one image, not for 2"),
        ([A, A], {"exemplars": '[{"image": "a.png", "segmentation": []}]'}, "two images are called 'a.png'"),
        ([A], {"exemplars": '[{"image": "c.png", "segmentation": []}]'}, "names the image 'c.png', which is not"),
        ([A], {"exemplars": '[{"image": "a.png"}]'}, "marked in 'a.png' by either mask or segmentation"),
        ([A], {"exemplars": '[{"image": ""}]'}, "names the image '', which is not"),
        ([A, M], {"exemplars": '[{"image": "a.png", "mask": "b.png"}]'}, "does not say of which image 'a-mask.png' is"),
        ([A], {"exemplars": '[{"image": "a.png", "mask": "b.png"}]'}, "names the mask 'b.png', which is not"),
        (
            [A, M],
            {"exemplars": '[{"image": "a.png", "mask": "a-mask.png", "segmentation": [[0,0,2,0,2,2]]}]'},
            "by either mask or segmentation",
        ),
        ([A, M], {"noun": "bucket", "nouns": "x"}, "nouns and take_crowds go with annotations"),
        ([A, ("annotations", ("m.json", b"{}"))], {}, "m.json"),
        ([A, ("annotations", ("m.json", b"{}"))], {"noun": "x"}, "leave noun and caption out"),
        (
            [TURNED],
            {"noun": "bucket", "segmentation": "[[1,1,3,1,3,3]]"},
            "drawn_on stored or drawn_on upright",
        ),
        ([A, M], {"noun": "bucket", "drawn_on": "paper"}, "drawn_on is 'paper', but must be one of upright, stored"),
    ],
)
def test_bad_input_is_one_sentence(
    client: TestClient, settings: Settings, files: list[Any], data: dict[str, str], words: str
) -> None:
    answer = client.post(URL, files=files, data=data)
    detail = str(answer.json()["detail"])
    assert (answer.status_code, words in detail) == (422, True), detail
    assert str(settings.home) not in answer.text
    assert "uploads" not in detail
    assert list_jobs(settings) == []
    assert not [path for path in settings.uploads_folder.rglob("*") if path.is_file()]


def test_only_forms_are_taken(client: TestClient) -> None:
    answer = client.post(URL, content=image(), headers={"Content-Type": "image/png"})
    assert (answer.status_code, "files called image and mask" in answer.json()["detail"]) == (415, True)


@pytest.mark.end_to_end
def test_waiting_answers_with_the_job(service: Service) -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[20:40, 20:40] = True
    files = [("image", ("a.png", image(5, (64, 64)))), ("mask", ("a.png", picture(mask)))]
    with service.client() as asking:
        answer = asking.post(URL, files=files, data={"noun": "lamp"}, headers={"Prefer": "wait=120"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["state"], answer.json()["totals"]["prototypes"]) == ("done", 1)
