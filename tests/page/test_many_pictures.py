"""Folders, more pictures than a request takes, and large ones."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from freeda_svc.api import api_beside
from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service, _wait_for
from tests.free_ports import free_port
from tests.page.conftest import NEEDS_CHROMIUM, layer, limit_images, press_segment, see_whole, type_words

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]

MOST_PIXELS, MOST_BYTES = 200_000, 60_000
DOWNLOAD = "Download as zip"


def paint(path: Path, seed: int, scale: int = 1) -> Path:
    """Write a scene of the miniature world, each of its pixels as a square."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.asarray(paint_scene((31, seed), EASY).image)
    Image.fromarray(image.repeat(scale, axis=0).repeat(scale, axis=1)).save(path, compress_level=1)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures of the same name in folders of it, and what is no picture."""
    top = tmp_path / "photos"
    for seed, name in enumerate(("b/1.png", "a/10.png", "a/2.png", "a/1.png")):
        paint(top / name, seed)
    (top / "a/notes.txt").write_text("text")
    (top / "a/.DS_Store").write_bytes(b"hidden")
    return top


NAMES = ["photos/a/1.png", "photos/a/2.png", "photos/a/10.png", "photos/b/1.png"]


def chosen(page: "Page") -> list[str]:
    """Return the names of the chosen pictures."""
    return [str(name.get_attribute("title")) for name in page.locator(".chosen .name").all()]


def test_pictures_of_a_folder_keep_their_places_in_it(
    open_page: "Callable[..., Page]", folder: Path, tmp_path: Path
) -> None:
    page = open_page()
    page.locator("input.folder").set_input_files(folder)
    page.get_by_text("4 pictures,").wait_for()
    assert chosen(page) == NAMES
    page.get_by_text("1 file left out: not a picture", exact=True).wait_for()
    page.locator("input.folder").set_input_files(folder)  # once more by mistake
    page.get_by_text("4 files left out: chosen already", exact=True).wait_for()
    assert chosen(page) == NAMES
    type_words(page, "ball", "sky")
    press_segment(page)
    page.get_by_text("4 of 4 pictures").wait_for()
    page.locator(".stage canvas").first.wait_for()
    strip = page.locator(".strip .name")
    assert [name.get_attribute("title") for name in strip.all()] == NAMES
    parts = strip.first.locator("bdi")
    assert [part.text_content() for part in parts.all()] == ["photos/a/", "1.png"]
    page.locator(".strip button").nth(3).click()
    page.locator(".view h3").filter(has_text="photos/b/1.png").wait_for()
    page.locator(".downloads > summary").click()
    with page.expect_download() as one:
        page.get_by_role("link", name="mask", exact=True).click()
    assert one.value.suggested_filename == "photos-b-1.mask.png"
    with page.expect_download() as all_of_them:
        page.get_by_role("button", name=DOWNLOAD).click()
    with ZipFile(all_of_them.value.path()) as archive:
        masks = {name for name in archive.namelist() if name.endswith(".mask.png")}
        assert masks == {name.replace(".png", ".mask.png") for name in NAMES}


def test_a_folder_that_is_dropped_is_as_one_that_is_chosen(open_page: "Callable[..., Page]", folder: Path) -> None:
    page = open_page()
    page.locator("#worker.good").wait_for()
    box = see_whole(page, ".drop")
    chromium = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        place = {"x": box["x"] + 20, "y": box["y"] + 20}
        chromium.send("Input.dispatchDragEvent", {"type": kind, **place, "data": dragged})
    page.get_by_text("4 pictures,").wait_for()
    assert chosen(page) == NAMES


def test_more_pictures_than_a_request_takes_are_one_result(
    open_page: "Callable[..., Page]", service: Service, tmp_path: Path
) -> None:
    page = open_page()
    page.route("**/v1/parameters", limit_images(2))
    files = [paint(tmp_path / f"{number}.png", number) for number in range(5)]
    page.locator("input.files").set_input_files(files)
    type_words(page, "ball", "sky")
    press_segment(page)
    page.get_by_text("5 of 5 pictures").wait_for()
    page.get_by_role("heading", name="Segmented").wait_for()
    names = [path.name for path in files]
    assert [name.get_attribute("title") for name in page.locator(".strip .name").all()] == names
    jobs = page.evaluate("() => new URLSearchParams(location.search).getAll('job')")
    with service.client() as client:
        totals = [client.get(f"/v1/jobs/{job}").json()["progress"]["total"] for job in jobs]
    assert totals == [2, 2, 1]
    page.locator(".strip button").nth(4).click()
    page.locator(".view h3").filter(has_text="4.png").wait_for()
    page.locator(".downloads > summary").click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name=DOWNLOAD).click()
    with ZipFile(downloading.value.path()) as archive:
        assert {f"{number}.mask.png" for number in range(5)} <= set(archive.namelist())
    page.reload()  # the address names all jobs
    page.locator(".strip button").nth(4).wait_for()
    page.get_by_text("5 of 5 pictures").wait_for()
    assert [name.get_attribute("title") for name in page.locator(".strip .name").all()] == names
    look_at_group(page, jobs)


def look_at_group(page: "Page", jobs: list[str]) -> None:
    """See the jobs of one submission as one on the page of jobs: each by itself when it is asked for."""
    page.goto("/jobs")
    row = page.locator("tbody tr").first
    row.get_by_text("5 of 5 images").wait_for()
    assert row.get_by_role("link").get_attribute("href") == "/?" + "&".join(f"job={job}" for job in jobs)
    own = page.locator(", ".join(f'a[href="/jobs?job={job}"]' for job in jobs))
    assert own.count() == 0
    row.get_by_role("button", name="3 jobs").click()
    assert [link.get_attribute("href") for link in own.all()] == [f"/jobs?job={job}" for job in jobs]
    row.get_by_role("button", name="3 jobs").click()
    assert own.count() == 0
    page.get_by_label("State").select_option("done")  # some of a group, perhaps: each by itself
    own.first.wait_for()
    assert own.count() == 3
    page.get_by_label("State").select_option("")
    row.get_by_role("button", name="3 jobs").wait_for()
    row.get_by_role("link").click()
    page.get_by_text("5 of 5 pictures").wait_for()


def test_a_group_that_the_list_would_end_within_is_asked_for_to_its_end(open_page: "Callable[..., Page]") -> None:
    """The server's list is replaced: so many jobs take too long to make."""
    group = "0123456789abcdef" * 2

    def job(number: int) -> dict[str, object]:
        """A job of the list, the newest first: 20 single ones, 30 of a group, and the last one alone."""
        counts = {"total": 2, "queued": 0, "running": 0, "done": 2, "failed": 0, "cancelled": 0, "seconds_left": 0}
        return {
            "id": f"{number:012x}",
            "kind": "segment",
            "state": "failed" if number == 49 else "done",
            "source": f"{number}.png",
            "created_at": f"2026-01-01T00:{59 - number:02}:00+00:00",
            "progress": {**counts, "units": {"name": "images", "total": 2, "ended": 2, "done": 2}},
            "idempotency_key": f"0a0b0c0d:page-{group}.{50 - number}" if 20 <= number < 50 else f"page-{number}",
        }

    jobs = [job(number) for number in range(51)]

    def answer(route: "Route") -> None:
        asked = {name: value[0] for name, value in parse_qs(urlsplit(route.request.url).query).items()}
        first = int(asked.get("after", 0))
        last = first + int(asked["limit"])
        route.fulfill(json={"items": jobs[first:last], "next": str(last) if last < len(jobs) else None})

    page = open_page()
    page.route("**/v1/jobs?*", answer)
    page.goto("/jobs")
    page.get_by_role("button", name="30 jobs").wait_for()
    rows = page.locator("tbody tr")
    assert rows.count() == 22
    together = rows.nth(20)
    assert "60 of 60 images" in (together.text_content() or "")
    assert together.locator("td").first.text_content() == "partly failed"
    link = together.get_by_role("link").get_attribute("href") or ""
    assert parse_qs(urlsplit(link).query)["job"] == [job["id"] for job in jobs[20:50]][::-1]


def test_the_rest_is_sent_when_the_server_is_there_again(
    open_page: "Callable[..., Page]", service: Service, tmp_path: Path
) -> None:
    page = open_page(expected=("ERR_CONNECTION_REFUSED",))
    page.route("**/v1/parameters", limit_images(2))
    files = [paint(tmp_path / f"{number}.png", number) for number in range(3)]
    page.locator("input.files").set_input_files(files)
    type_words(page, "ball")
    sent: list[str] = []

    def pass_first(route: "Route") -> None:
        sent.append(route.request.headers["idempotency-key"])
        if len(sent) == 1:
            route.continue_()
        else:
            route.abort("connectionrefused")

    page.route("**/v1/segmentations", pass_first)
    press_segment(page)
    page.get_by_text("The server does not answer; trying again").wait_for()
    problem = page.get_by_role("alert")
    problem.get_by_text("2 of 3 pictures were sent, press Segment to send the rest").wait_for()
    page.get_by_role("heading", name="Not all pictures were sent").wait_for()
    assert len(sent) > 2
    assert len(set(sent)) == 2  # the second request was tried again as the same one
    page.unroute("**/v1/segmentations")
    press_segment(page)
    page.get_by_text("3 of 3 pictures").wait_for()
    assert len(page.evaluate("() => new URLSearchParams(location.search).getAll('job')")) == 2


@pytest.fixture(scope="module")
def limited(service: Service) -> Iterator[str]:
    """The address of an API of the same installation that takes little."""
    changes = {"api_port": free_port(), "api_max_body_bytes": MOST_BYTES, "max_image_pixels": MOST_PIXELS}
    settings = service.settings.model_copy(update=changes)
    with api_beside(settings) as is_run:
        assert is_run
        address = f"http://127.0.0.1:{settings.api_port}"
        _wait_for(f"{address}/health/live")
        yield address


def test_what_is_too_large_is_said_beside_it_and_the_others_go_on(
    open_page: "Callable[..., Page]", limited: str, tmp_path: Path
) -> None:
    page = open_page(address=limited, expected=("422", "Canvas2D"))
    rng = np.random.default_rng(1)
    heavy = tmp_path / "heavy.png"  # in bytes: is known before it is sent
    Image.fromarray(rng.integers(0, 256, (160, 160, 3), np.uint8)).save(heavy)
    wide = tmp_path / "wide.png"  # in pixels: the server says so
    Image.new("RGB", (1000, 300)).save(wide)
    small = [paint(tmp_path / f"{number}.png", number) for number in range(2)]
    page.locator("input.files").set_input_files([heavy, wide, *small])
    type_words(page, "ball", "sky")
    press_segment(page)
    page.get_by_text("2 of 2 pictures").wait_for()
    refused = page.locator(".chosen .refused")
    assert refused.count() == 2
    assert [text.text_content() for text in refused.locator(".error-text").all()] == [
        "heavy.png has 77 kB; this server takes at most 60 kB at once",
        f"wide.png has more than {MOST_PIXELS:,} pixels; scale it down first, or change the setting max_image_pixels",
    ]
    page.locator(".stage canvas").first.wait_for()
    shown = layer(page, "picture")  # of the first that was accepted, and not of the first that was sent
    scene = np.asarray(Image.open(small[0]).convert("RGB"))
    scale = shown.shape[0] // scene.shape[0]
    assert np.abs(shown[scale // 2 :: scale, scale // 2 :: scale, :3].astype(int) - scene).mean() < 10
    for path in small:
        page.get_by_role("button", name=f"Remove {path.name}").click()
    page.get_by_role("button", name="Remove heavy.png").click()
    with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 422):
        press_segment(page)  # alone it is refused alike
    page.locator(".chosen .refused").get_by_text("wide.png has more than").wait_for()
    page.get_by_text("2 of 2 pictures").wait_for()


def test_a_large_picture_is_drawn_as_large_as_a_screen_shows_it(
    open_page: "Callable[..., Page]", service: Service, tmp_path: Path
) -> None:
    page = open_page(expected=("Canvas2D",))
    page.locator("input.files").set_input_files(paint(tmp_path / "large.png", 3, scale=48))
    type_words(page, "ball", "sky", "grass")
    press_segment(page)
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator(".stage canvas").first.wait_for()
    sizes = page.locator(".stage canvas").evaluate_all("(all) => all.map((one) => [one.width, one.height])")
    assert all(max(size) == 2048 for size in sizes)
    job = page.url.partition("job=")[2]
    with service.client() as client:
        summary = client.get(f"/v1/jobs/{job}/results/1.json").json()
        mask = client.get(f"/v1/jobs/{job}/results/1.mask.png").content
    labels = np.asarray(Image.open(io.BytesIO(mask)))
    assert labels.shape == (summary["image"]["height"], summary["image"]["width"])
    names = [category["name"] for category in summary["categories"]]
    box = see_whole(page, ".stage")
    for right, down in ((0.3, 0.2), (0.6, 0.9), (0.05, 0.5)):
        page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"])
        name = names[labels[int(down * labels.shape[0]), int(right * labels.shape[1])]]
        page.locator(".readout .what bdi").get_by_text(name, exact=True).wait_for()
    page.locator(".readout").get_by_text("score").wait_for()
