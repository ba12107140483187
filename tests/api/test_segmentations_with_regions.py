"""Regions of a client's own: files of the form, one for each image, checked before anything is accepted."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.artifacts import open_artifacts
from freeda_svc.client import Client
from freeda_svc.images import load_regions
from freeda_svc.miniature.scenes import EASY, paint_scene
from freeda_svc.settings import Settings
from tests.api.conftest import Service
from tests.api.test_segmentations import URL, WORDS, inputs, png, refused

LABELS = np.ones((6, 8), dtype=np.uint8)
LABELS[3:] = 2


def label_map(labels: np.ndarray = LABELS) -> bytes:
    content = io.BytesIO()
    Image.fromarray(labels).save(content, "PNG")
    return content.getvalue()


def form(images: int, *regions: bytes, field: str = "region_map") -> list[tuple[str, tuple[str, bytes]]]:
    return [
        *(("image", (f"{number}.png", png(seed=number))) for number in range(images)),
        *((field, (f"r{number}.png", content)) for number, content in enumerate(regions)),
    ]


def test_regions_are_kept_with_their_images_in_order(client: TestClient, settings: Settings) -> None:
    masks = json.dumps([{"size": [6, 8], "counts": [0, 24, 24]}]).encode()
    answer = client.post(URL, files=form(2, label_map(), masks), data=WORDS)
    assert answer.status_code == 202, answer.text
    first, second = inputs(settings, answer.json()["job"])
    read = [load_regions(open_artifacts(settings).local(kept["regions"]), (6, 8)) for kept in (first, second)]
    assert np.array_equal(read[0], LABELS - 1)
    assert (read[1] == np.where(np.arange(8) < 4, 0, -1)).all()
    shown = client.get(f"/v1/jobs/{answer.json()['job']}/results").json()["items"]
    assert [item["regions_sha256"] for item in shown] == [Path(kept["regions"]).stem for kept in (first, second)]


def test_the_way_is_a_parameter_beside_them(client: TestClient, settings: Settings) -> None:
    answer = client.post(URL, files=form(1, label_map(), field="region_maps"), data={**WORDS, "regions": "superpixels"})
    assert answer.status_code == 202, answer.text
    plain = client.post(URL, files=form(1), data=WORDS)
    assert "regions" not in inputs(settings, plain.json()["job"])[0]


def test_regions_that_do_not_fit_are_refused(client: TestClient, settings: Settings) -> None:
    def asked(*regions: bytes, images: int = 1, **more: str) -> object:
        return client.post(URL, files=form(images, *regions), data={**WORDS, **more})

    small = label_map(LABELS[1:])
    refused(asked(small), settings, 422, "r0.png are 8 x 5 pixels large, but the image 8 x 6")  # type: ignore[arg-type]
    refused(asked(label_map(), images=2), settings, 422, "2 images came with 1 file of regions")  # type: ignore[arg-type]
    refused(asked(b"no image"), settings, 422, "r0.png is not an image")  # type: ignore[arg-type]
    short = b'[{"size": [6, 8], "counts": [3, 4]}]'
    refused(asked(short), settings, 422, "sum up to 7, expected 6 x 8 pixels")  # type: ignore[arg-type]
    empty = label_map(np.zeros((6, 8), dtype=np.uint8))
    refused(asked(empty), settings, 422, "r0.png have no region")  # type: ignore[arg-type]


def test_an_image_that_is_left_out_takes_its_regions_along(client: TestClient, settings: Settings) -> None:
    files = form(2, label_map(np.full((6, 8), 5, dtype=np.uint8)), label_map())
    files[0] = ("image", ("0.png", b"damaged"))
    answer = client.post(URL, files=files, data={**WORDS, "leave_out_unusable": "true"})
    assert answer.status_code == 202, answer.text
    (kept,) = inputs(settings, answer.json()["job"])
    assert kept["name"] == "1.png"
    regions = load_regions(open_artifacts(settings).local(kept["regions"]), (6, 8))
    assert regions.max() == 1


@pytest.mark.end_to_end
def test_a_worker_gives_each_region_one_category(service: Service) -> None:
    picture = paint_scene((21, 5), EASY)
    regions = np.ones((64, 64), dtype=np.uint8)
    regions[20:], regions[30:50, 10:40] = 2, 3
    with Client(service.address) as client:
        [result] = client.segment(picture.image, ["ball", "sky", "grass"], regions=regions)
        [masks] = client.segment([picture.image], ["ball", "sky", "grass"], regions=[[regions == 3]])
    assert all(len(np.unique(result.labels[regions == region])) == 1 for region in (1, 2, 3))
    assert len(np.unique(masks.labels[regions == 3])) == 1
