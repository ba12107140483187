"""Teaching, the bank, jobs and keys on the page, in a real browser."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from freeda_svc.api import api_beside
from freeda_svc.jobs import Scope, create_key
from tests.api.conftest import Service, _wait_for
from tests.free_ports import free_port
from tests.page.conftest import NEEDS_CHROMIUM, WAIT_MS, Held, see_whole

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAINTER_IN_SIGHT = "() => document.getElementById('painter').getBoundingClientRect().top < innerHeight / 2"

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]


def test_a_touch_tells_what_is_there(open_page: "Callable[..., Page]", segmented: str) -> None:
    page = open_page(f"/?job={segmented}", has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    page.locator(".stage canvas").first.wait_for()
    page.locator(".stage").tap(position={"x": 40, "y": 40})
    page.locator(".readout .what bdi").wait_for()
    page.locator(".readout table").wait_for()


def test_on_a_phone_what_was_asked_for_comes_into_sight(open_page: "Callable[..., Page]", pictures: list[Path]) -> None:
    page = open_page("/bank", has_touch=True, is_mobile=True, viewport={"width": 360, "height": 640})
    page.locator(".nouns button").first.tap()
    page.locator(".prototypes img[src^='blob:']").first.wait_for()  # which are asked for when they are in sight
    page.wait_for_function("() => document.getElementById('found-title').getBoundingClientRect().top < innerHeight / 2")

    held = Held()
    page.route("**/nouns?*", held.hold)
    page.goto("/teach")
    page.locator("#painted input.files").set_input_files(pictures[0])
    page.locator("#painter .stage").wait_for()
    page.wait_for_function(PAINTER_IN_SIGHT)
    held.wait(page)
    held.release()  # the words above come now, and move what is below
    page.locator("#others .note", has_text="prototype").nth(5).wait_for()
    page.wait_for_function(PAINTER_IN_SIGHT)


def test_a_bank_is_looked_at_and_changed(open_page: "Callable[..., Page]", service: Service, own_noun: str) -> None:
    with service.client() as client:
        nouns = client.get("/v1/banks/default/nouns", params={"limit": 1000}).json()["items"]
        marked = client.get("/v1/banks/default").json()["outliers"]
    page = open_page("/bank")
    page.locator(".nouns li").first.wait_for()
    assert page.locator(".nouns bdi").first.text_content() == nouns[0]["noun"]
    page.locator("#prefix").fill(own_noun)
    page.get_by_role("button", name=f"{own_noun} 2").click()
    cards = page.locator(".prototypes li")
    page.wait_for_function("() => document.querySelectorAll('.prototypes li').length === 2")
    page.locator(".prototypes img[src^='blob:']").first.wait_for()
    assert all(card.locator("bdi").first.text_content() == own_noun for card in cards.all())

    cards.first.get_by_role("button", name="Mark this prototype").click()
    cards.first.get_by_text("outlier: marked by hand").wait_for()
    page.locator(".facts div").filter(has_text="outliers").get_by_text(str(marked + 1), exact=True).wait_for()
    cards.first.get_by_role("button", name="again").click()
    page.locator(".facts div").filter(has_text="outliers").get_by_text(str(marked), exact=True).wait_for()

    page.locator("#text").fill("ball")
    page.locator("#text").press("Enter")
    page.get_by_role("heading", name="Near “ball”").wait_for()
    assert cards.first.locator("bdi").first.text_content() == "ball"

    page.get_by_role("button", name=f"{own_noun} 2").click()
    page.get_by_role("button", name="Forget this noun").click()
    dialog = page.get_by_role("dialog")
    assert "removed for good" in (dialog.text_content() or "")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Forget this noun").click()
    dialog.get_by_role("button", name="Forget all").click()
    page.get_by_text("No noun begins like that.").wait_for()
    with service.client() as client:
        left = client.get("/v1/banks/default/nouns", params={"limit": 1000}).json()["items"]
    assert left == [one for one in nouns if one["noun"] != own_noun]


def test_a_painted_word_is_learnt_and_its_gain_is_shown(
    open_page: "Callable[..., Page]", service: Service, pictures: list[Path]
) -> None:
    page = open_page("/teach")
    page.locator("#others li").first.wait_for()
    page.locator("#word").fill("zeppelin")
    page.get_by_text("The bank has none; nearest: ").wait_for()
    page.locator("#painted input.files").set_input_files(pictures[0])
    stage = page.locator("#painter .stage")
    stage.wait_for()
    stage.focus()
    page.keyboard.press("Space")  # a dab of the brush in the middle
    assert page.locator("#state").text_content() == ""
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("Paint what the word names.").wait_for()
    page.get_by_role("button", name="Polygon").click()
    box = see_whole(page, "#painter .stage")
    for x, y in ((0.1, 0.1), (0.4, 0.1), (0.4, 0.4), (0.1, 0.4), (0.1, 0.1)):  # the first corner again closes it
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.get_by_role("button", name="Region").click()
    page.get_by_text("Click a region to add it").wait_for()
    box = see_whole(page, "#painter .stage")
    before = page.locator("#painter .paint").evaluate(PAINTED)
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.8 * box["height"])
    with_region = page.locator("#painter .paint").evaluate(PAINTED)
    assert with_region > before > 0
    page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.8 * box["height"])
    assert page.locator("#painter .paint").evaluate(PAINTED) < with_region
    page.locator("#trial input.files").set_input_files(pictures[1])
    page.get_by_role("button", name="Teach", exact=True).click()
    page.get_by_text("Learnt: 1 new prototype.").wait_for()
    assert page.locator("#gain .stage").count() == 2
    titles = [title.text_content() or "" for title in page.locator("#gain h3").all()]
    assert [title.partition(":")[0] for title in titles] == ["Before", "After"]
    assert all("zeppelin has" in title for title in titles)
    page.get_by_text("The bank has 1 prototype.").wait_for()

    page.get_by_label("by captions").check()
    page.get_by_label("Captions, one a line").fill("a zeppelin in the sky\na zeppelin above the water")
    page.get_by_role("button", name="Teach", exact=True).click()
    page.locator("#state").filter(has_text="Learnt").or_(
        page.locator("#state").filter(has_text="Nothing new")
    ).wait_for()


PAINTED = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, place) => place % 4 === 3 && value > 127).length;
}"""


def test_jobs_are_followed_cancelled_and_tried_again(
    open_page: "Callable[..., Page]", service: Service, segmented: str
) -> None:
    page = open_page("/jobs")
    page.locator("tr").nth(1).wait_for()
    page.get_by_label("Source").fill("captions.txt")  # the oldest job: others may fill the first page
    page.locator("tr").filter(has_text="captions.txt").wait_for()
    page.get_by_label("Kind").select_option("segment")
    page.get_by_text("No job is like that.").wait_for()
    page.get_by_label("Kind").select_option("ingest")
    page.get_by_role("link", name="captions.txt").click()
    page.get_by_role("heading", name="captions.txt").wait_for()
    assert service.ingest in page.url
    assert page.locator("#job .facts").filter(has_text="new prototypes").count() == 1
    with service.client() as client:
        captions = [f"a ball above the water number {number}" for number in range(500)]  # not done before the click
        asked = {"captions": captions, "priority": "low"}
        job = client.post("/v1/captions", files={"request": (None, json.dumps(asked))}).json()["job"]
    page.get_by_label("Source").fill("500 captions")  # asks at once
    page.get_by_role("link", name="500 captions").first.click()
    page.locator("#job progress").wait_for()
    page.locator("#job").get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    page.locator("#job b").filter(has_text="cancelled").wait_for()
    with service.client() as client:
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    page.get_by_role("button", name="Close job").click()
    page.locator("#job").wait_for(state="hidden")
    page.go_back()
    page.locator("#job").wait_for()


def test_a_job_that_is_gone_leaves_no_other_one_under_its_address(
    open_page: "Callable[..., Page]", service: Service
) -> None:
    page = open_page(f"/jobs?job={service.ingest}", expected=("404",))
    page.get_by_role("heading", name="captions.txt").wait_for()
    page.evaluate("history.pushState(null, '', '?job=000000000000'); dispatchEvent(new PopStateEvent('popstate'))")
    page.get_by_role("alert").get_by_text("there is no job '000000000000'").wait_for()
    page.locator("#job").wait_for(state="hidden")
    page.go_back()
    page.get_by_role("heading", name="captions.txt").wait_for()


@pytest.fixture(scope="module")
def locked(service: Service) -> Iterator[str]:
    """The address of an API of the same installation that needs keys."""
    settings = service.settings.model_copy(update={"api_port": free_port(), "api_keys": "always"})
    create_key(settings, "first", Scope.READ)
    with api_beside(settings) as is_run:
        assert is_run
        address = f"http://127.0.0.1:{settings.api_port}"
        _wait_for(f"{address}/health/live")
        yield address


def test_a_key_is_asked_for_kept_in_the_tab_and_sent(
    open_page: "Callable[..., Page]", service: Service, locked: str, segmented: str
) -> None:
    _, secret = create_key(service.settings, "page", Scope.READ)
    page = open_page(f"/?job={segmented}", address=locked, expected=("401",))
    dialog = page.get_by_role("dialog", name="Key of this server")
    dialog.wait_for()
    dialog.get_by_label("Key", exact=True).fill("wrong")
    page.keyboard.press("Enter")
    dialog.locator("#key-why").filter(has_text="the key is not known here").wait_for()
    dialog.get_by_label("Key", exact=True).fill(secret)
    page.keyboard.press("Enter")
    page.locator(".stage canvas").first.wait_for()
    page.locator(".evidence img[src^='blob:']").first.wait_for()
    page.locator(".downloads > summary").click()
    with page.expect_download(timeout=WAIT_MS) as downloading:
        page.get_by_role("link", name="mask", exact=True).click()
    assert Path(downloading.value.path()).read_bytes().startswith(b"\x89PNG")
    assert page.evaluate("() => localStorage.length") == 0
    assert secret not in page.url
    page.get_by_role("button", name="Key").click()
    with page.expect_navigation():  # what the key may see is not shown any more
        dialog.get_by_role("button", name="Forget").click()
    dialog.wait_for()
    assert page.evaluate("() => sessionStorage.getItem('freeda-key')") is None
