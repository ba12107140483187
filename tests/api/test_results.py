"""Results over HTTP: each file is what `freeda jobs export` writes."""

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from freeda_svc.api.streams import stream_zip
from freeda_svc.jobs import InputImage, export_results, follow_job, submit_segment
from freeda_svc.jobs.results import result_folder
from freeda_svc.miniature.scenes import EASY, paint_scene
from freeda_svc.outputs import ENDINGS, FORMATS
from freeda_svc.settings import Settings, load_settings
from freeda_svc.workers import CeleryDispatcher
from tests.api.conftest import Service

CATEGORIES = [{"name": "boat"}, {"name": "sky"}, {"name": "grass"}]
pytestmark = pytest.mark.end_to_end


@dataclass(frozen=True)
class Segmented:
    """A job of two images on the running service, done, with its files as the command line exports them."""

    job: str
    exported: Path
    client: httpx.Client
    settings: Settings

    def url(self, what: str) -> str:
        return f"/v1/jobs/{self.job}/results/{what}"


@pytest.fixture(scope="module")
def segmented(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Segmented]:
    folder = tmp_path_factory.mktemp("pictures")
    images = []
    for number, name in enumerate(("bucht bei Größe.png", "a/meadow.jpg")):
        path = folder / Path(name).name
        Image.fromarray(paint_scene((5, number), EASY).image).save(path)
        images.append(InputImage(path, name, name.rpartition(".")[0]))
    job = submit_segment(
        service.settings, images, CATEGORIES, explain=True, dispatcher=CeleryDispatcher(service.settings)
    )
    *_, ended = follow_job(service.settings, job, every_seconds=0.1)
    assert ended.state == "done"
    export_results(service.settings, job, folder / "out", FORMATS)
    with service.client() as client:
        yield Segmented(job, folder / "out", client, service.settings)


def test_results_are_listed_with_summaries_and_files_that_are_there(segmented: Segmented) -> None:
    results = segmented.client.get(f"/v1/jobs/{segmented.job}/results").json()
    assert (results["job"], results["state"], results["next"]) == (segmented.job, "done", None)
    assert [(item["number"], item["name"]) for item in results["items"]] == [
        (1, "bucht bei Größe.png"),
        (2, "a/meadow.jpg"),
    ]
    for item, stem in zip(results["items"], ("bucht bei Größe", "a/meadow"), strict=True):
        assert item["summary"] == json.loads((segmented.exported / f"{stem}.json").read_text())
        assert set(item["files"]) == {*ENDINGS, "image"}
        for url in item["files"].values():
            assert segmented.client.get(url).status_code == 200
    first = segmented.client.get(f"/v1/jobs/{segmented.job}/results", params={"limit": 1}).json()
    second = segmented.client.get(f"/v1/jobs/{segmented.job}/results", params={"after": first["next"]}).json()
    assert [item["number"] for item in (*first["items"], *second["items"])] == [1, 2]


@pytest.mark.parametrize(
    ("ending", "media_type"),
    [
        ("mask.png", "image/png"),
        ("overlay.png", "image/png"),
        ("json", "application/json"),
        ("scores.png", "image/png"),
        ("scores.npz", "application/zip"),
        ("geojson", "application/geo+json"),
        ("evidence.json", "application/json"),
        ("evidence.html", "text/html; charset=utf-8"),
    ],
)
def test_each_file_is_the_one_that_is_exported(segmented: Segmented, ending: str, media_type: str) -> None:
    answer = segmented.client.get(segmented.url(f"2.{ending}"))
    assert answer.content == (segmented.exported / "a" / f"meadow.{ending}").read_bytes()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["content-disposition"] == f'inline; filename="a-meadow.{ending}"'
    head = segmented.client.head(segmented.url(f"2.{ending}"))
    assert (head.content, head.headers["content-length"]) == (b"", str(len(answer.content)))
    assert ("sandbox" in answer.headers.get("content-security-policy", "")) == (ending == "evidence.html")


def test_the_image_itself_is_there_and_its_pixels(segmented: Segmented) -> None:
    answer = segmented.client.get(segmented.url("2.image"))
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == 'inline; filename="meadow.jpg"'
    with (
        Image.open(io.BytesIO(answer.content)) as submitted,
        Image.open(io.BytesIO(segmented.client.get(segmented.url("2.image.png")).content)) as pixels,
    ):
        assert (submitted.format, pixels.format) == ("JPEG", "PNG")
        np.testing.assert_array_equal(np.asarray(submitted), np.asarray(pixels))
    assert (
        "bucht%20bei%20Gr%C3%B6%C3%9Fe.png"
        in segmented.client.get(segmented.url("1.image")).headers["content-disposition"]
    )


def test_a_file_that_the_client_has_is_not_sent_again(segmented: Segmented) -> None:
    for ending in ("mask.png", "overlay.png"):
        url = segmented.url(f"1.{ending}")
        tag = segmented.client.get(url).headers["etag"]
        for given in (tag, f'W/{tag}, "other"', "*"):
            answer = segmented.client.get(url, headers={"If-None-Match": given})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert segmented.client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
        lines = [("If-None-Match", '"other"'), ("If-None-Match", tag)]  # means the same as one line
        assert segmented.client.get(url, headers=lines).status_code == 304


def test_a_file_that_was_meant_to_be_another_one_is_not_sent(segmented: Segmented) -> None:
    url = segmented.url("1.mask.png")
    tag = segmented.client.get(url).headers["etag"]
    for given in (tag, f'"other", {tag}', "*"):
        assert segmented.client.get(url, headers={"If-Match": given}).status_code == 200
    for given in ('"other"', f"W/{tag}"):
        answer = segmented.client.get(url, headers={"If-Match": given, "If-None-Match": tag})
        assert (answer.status_code, answer.headers["etag"]) == (412, tag)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_download_goes_on_where_it_was(segmented: Segmented) -> None:
    url = segmented.url("1.overlay.png")
    whole = segmented.client.get(url)
    tag = whole.headers["etag"]
    rest = segmented.client.get(url, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert rest.headers["content-range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    assert segmented.client.get(url, headers={"Range": "bytes=-7"}).content == whole.content[-7:]
    changed = segmented.client.get(url, headers={"Range": "bytes=100-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    for nonsense in ("bytes=", "bytes=b-a", "pages=1-2", "bytes=5", "bytes=0-1,"):
        assert segmented.client.get(url, headers={"Range": nonsense}).status_code == 200
    for outside in (f"bytes={len(whole.content)}-", "bytes=9-3", "bytes=-0", "bytes=999999999-,-0"):
        answer = segmented.client.get(url, headers={"Range": outside})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
        assert answer.headers["content-type"] == "application/problem+json"
    some = segmented.client.get(url, headers={"Range": "bytes=0-1, 999999999-"})
    assert (some.status_code, some.content) == (206, whole.content[:2])
    head = segmented.client.head(url, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))


def test_a_range_of_another_version_is_none(segmented: Segmented) -> None:
    url = segmented.url("1.image")  # a kept file: the time of its last change stays the same
    whole = segmented.client.get(url)
    for asked in ("bytes=0-1", "bytes=999999999-", "bytes=9-3"):
        given = {"Range": asked, "If-Range": whole.headers["last-modified"]}
        answer = segmented.client.get(url, headers=given)
        assert (answer.status_code, answer.content) == (200, whole.content)


def test_the_archive_holds_what_is_exported(segmented: Segmented) -> None:
    formats = [name for name in FORMATS if name != "scores-npz"]
    answer = segmented.client.get(
        f"/v1/jobs/{segmented.job}/results.zip", params={"format": [",".join(formats[:3]), *formats[3:]]}
    )
    assert answer.headers["content-disposition"] == f'attachment; filename="{segmented.job}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        exported = {path for path in segmented.exported.rglob("*") if path.is_file()}
        wanted = {path.relative_to(segmented.exported).as_posix() for path in exported if not path.name.startswith(".")}
        assert names == {name for name in wanted if not name.endswith(".npz")}
        for name in names:
            assert archive.read(name) == (segmented.exported / name).read_bytes(), name


def test_the_archive_holds_the_usual_formats_and_what_is_chosen_of_pieces(segmented: Segmented) -> None:
    usual = segmented.client.get(f"/v1/jobs/{segmented.job}/results.zip")
    with zipfile.ZipFile(io.BytesIO(usual.content)) as archive:
        assert {name.partition(".")[2] for name in archive.namelist()} == {"mask.png", "overlay.png", "json"}
    chosen = {"format": "coco", "instances": True, "least_area": 40, "fill_holes": True}
    answer = segmented.client.get(f"/v1/jobs/{segmented.job}/results.zip", params=chosen)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        info = json.loads(archive.read("coco.json"))["info"]
    assert (info["instances"], info["least_area"], info["fill_holes"]) == (True, 40, True)


def test_an_archive_of_several_jobs_keeps_images_of_one_name_apart(segmented: Segmented) -> None:
    content = io.BytesIO()
    Image.fromarray(paint_scene((5, 2), EASY).image).save(content, "PNG")
    files = {"image": ("a/meadow.png", content.getvalue())}
    fields = {"categories": "boat, sky, grass"}
    later = segmented.client.post("/v1/segmentations", files=files, data=fields, headers={"Prefer": "wait=60"})
    assert later.status_code == 200
    job = later.json()["job"]
    query = {"job": [segmented.job, job, segmented.job], "format": "mask,coco"}
    answer = segmented.client.get("/v1/results.zip", params=query)
    assert answer.headers["content-disposition"] == f'attachment; filename="{segmented.job}-and-1-more.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert set(archive.namelist()) == {
            "bucht bei Größe.mask.png",
            "a/meadow.mask.png",
            "a/meadow-2.mask.png",
            "coco.json",
            "coco.results.json",
        }
        assert archive.read("a/meadow.mask.png") == (segmented.exported / "a/meadow.mask.png").read_bytes()
        mask = segmented.client.get(f"/v1/jobs/{job}/results/1.mask.png")
        assert archive.read("a/meadow-2.mask.png") == mask.content
        assert len(json.loads(archive.read("coco.json"))["images"]) == 3
    assert mask.headers["content-disposition"] == 'inline; filename="a-meadow.mask.png"'
    unknown = segmented.client.get("/v1/results.zip", params={"job": [segmented.job, "no-such-job"]})
    assert unknown.status_code == 404


def test_what_is_gone_is_a_410_and_told_in_the_archive(segmented: Segmented) -> None:
    kept = result_folder(segmented.settings, segmented.job, 1) / "mask.png"
    aside = shutil.move(kept, kept.with_name("aside"))
    try:
        answer = segmented.client.get(segmented.url("1.overlay.png"))
        assert (answer.status_code, answer.json()["detail"]) == (
            410,
            "the result mask.png is gone from the artifacts; submit the image again",
        )
        archive = segmented.client.get(f"/v1/jobs/{segmented.job}/results.zip", params={"format": "mask,overlay,coco"})
        with zipfile.ZipFile(io.BytesIO(archive.content)) as found:
            lines = found.read("errors.txt").decode().splitlines()
            assert lines == ["bucht bei Größe.png: " + answer.json()["detail"]] * 2
            assert {"a/meadow.mask.png", "coco.json"} <= set(found.namelist())
    finally:
        shutil.move(aside, kept)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("3.mask.png", "has no image 3"),
        ("1.gif", "there is no result that ends in 'gif'; there are mask.png, "),
        ("1.mask.png.json", "there is no result that ends in 'mask.png.json'"),
    ],
)
def test_what_there_never_was_is_a_404(segmented: Segmented, what: str, sentence: str) -> None:
    answer = segmented.client.get(segmented.url(what))
    assert answer.status_code == 404
    assert sentence in answer.json()["detail"]


def test_jobs_that_have_no_results_say_so(service: Service, segmented: Segmented) -> None:
    for path in ("results", "results.zip"):
        answer = segmented.client.get(f"/v1/jobs/{service.ingest}/{path}")
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            f"job {service.ingest} adds to the bank; only segmentation jobs have results to export",
        )
    wrong = segmented.client.get(f"/v1/jobs/{segmented.job}/results.zip?format=gif")
    assert (wrong.status_code, "there is no format 'gif'" in wrong.json()["detail"]) == (422, True)


def test_before_an_image_is_done_there_are_no_files(
    client: TestClient, settings: Settings, described_pack: str, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    Image.new("RGB", (8, 8)).save(path)
    settings = load_settings(home=settings.home, pack=described_pack)
    job = submit_segment(settings, [path], CATEGORIES, dispatcher=CeleryDispatcher(settings))
    (item,) = client.get(f"/v1/jobs/{job}/results").json()["items"]
    assert (item["state"], item["summary"], list(item["files"])) == ("queued", None, ["image"])
    assert client.get(f"/v1/jobs/{job}/results/1.image").content == path.read_bytes()
    mask = client.get(f"/v1/jobs/{job}/results/1.mask.png")
    assert (mask.status_code, mask.json()["detail"]) == (404, f"image 1 of job {job} is queued: it has no result")
    archive = client.get(f"/v1/jobs/{job}/results.zip")
    assert (archive.status_code, archive.json()["detail"]) == (
        409,
        f"no image of job {job} is done yet",
    )


def test_an_archive_is_made_piece_by_piece(tmp_path: Path) -> None:
    """No piece is larger than what is read at once, and a file is asked for when its turn comes."""
    content = np.random.default_rng(1).bytes(1 << 20)
    asked = []

    def files() -> Iterator[tuple[str, Path | bytes]]:
        for number in range(3):
            asked.append(number)
            path = tmp_path / "same.png"
            path.write_bytes(content[number:])
            yield f"ü{number}.png", path
        yield "note.txt", b"line\n"

    pieces = []
    for piece in stream_zip(files()):
        pieces.append(piece)
        assert len(asked) <= sum(map(len, pieces)) // (1 << 20) + 1
        assert len(piece) < 1 << 17
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert [archive.read(f"ü{number}.png") for number in range(3)] == [content[number:] for number in range(3)]
        assert archive.read("note.txt") == b"line\n"
