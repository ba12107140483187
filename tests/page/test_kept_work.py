"""Nothing of what somebody has typed, chosen, painted or sent is lost, and nothing goes that was not meant to."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from freeda_svc.artifacts import open_artifacts
from tests.api.conftest import Service
from tests.page.conftest import NEEDS_CHROMIUM, limit_images, press_segment, see_whole, type_words, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page, Route

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]

KEEP_MASKS = """() => {
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (form) {
    window.sentMask = form?.get?.("mask") ?? window.sentMask;
    return send.call(this, form);
  };
}"""
SENT_MASK = """async () => {
  const bitmap = await createImageBitmap(window.sentMask);
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const { data } = canvas.getContext("2d").getImageData(0, 0, bitmap.width, bitmap.height);
  return [bitmap.height, bitmap.width, Array.from(data).filter((_, place) => place % 4 === 0)];
}"""
PAINT = """(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from(data).filter((_, place) => place % 4 === 3).map((alpha) => (alpha > 127 ? 255 : 0));
}"""


def listed(page: "Page", name: str) -> list[str | None]:
    """The words of a list."""
    return [word.text_content() for word in page.get_by_role("list", name=name).locator("bdi").all()]


def test_words_outlive_a_reload_and_what_is_typed_counts(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page()
    type_words(page, "ball", "sky")
    page.get_by_text("Background words").click()
    page.locator("#background-word").fill("grass,")
    page.get_by_role("list", name="Background").locator("bdi").first.wait_for()
    page.reload()
    page.get_by_role("list", name="Background").locator("bdi").first.wait_for()
    assert listed(page, "What to look for") == ["ball", "sky"]
    assert listed(page, "Background") == ["grass"]
    assert page.locator("#background-box").get_attribute("open") is not None
    page.get_by_role("button", name="Remove sky").click()
    page.locator("input.files").set_input_files(pictures[0])
    page.locator("#word").fill("flower")  # and not taken
    press_segment(page)
    page.locator(".legend button").first.wait_for()
    names = {name.text_content() for name in page.locator(".legend button > bdi").all()}
    assert names == {"ball", "flower", "background"}
    assert listed(page, "What to look for") == ["ball", "flower"]


def test_pictures_that_were_removed_can_be_chosen_again(open_page: "Callable[..., Page]", pictures: list[Path]) -> None:
    page = open_page()
    page.locator("input.files").set_input_files(pictures)
    page.get_by_text("3 pictures,").wait_for()
    page.get_by_role("button", name="Remove all").click()
    page.get_by_text("Choose a picture first.").wait_for()
    assert page.locator(".chosen li").count() == 0
    page.locator("input.files").set_input_files(pictures)
    page.get_by_text("3 pictures,").wait_for()
    page.get_by_role("button", name=f"Remove {pictures[1].name}").click()
    titles = [name.get_attribute("title") for name in page.locator(".chosen .name").all()]
    assert titles == [pictures[0].name, pictures[2].name]


def test_the_page_is_not_left_while_pictures_are_sent(open_page: "Callable[..., Page]", pictures: list[Path]) -> None:
    page = open_page()
    asked: list[str] = []
    sent: list[Route] = []

    def stay(dialog: "Dialog") -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.route("**/v1/segmentations", lambda route: sent.append(route))  # noqa: PLW0108 - it is given attributes
    page.locator("input.files").set_input_files(pictures[0])
    type_words(page, "ball")
    press_segment(page)
    wait_until(page, lambda: bool(sent))
    page.locator("nav a").nth(1).click()
    wait_until(page, lambda: bool(asked))
    assert asked == ["beforeunload"]
    sent[0].continue_()
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator("nav a").nth(1).click()
    page.get_by_role("heading", name="Teach").wait_for()
    assert asked == ["beforeunload"]


def test_what_was_interrupted_does_not_go_on_with_other_words(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page(expected=("ERR_CONNECTION_REFUSED",))
    page.route("**/v1/parameters", limit_images(2))
    page.locator("input.files").set_input_files(pictures)
    type_words(page, "ball")
    keys: list[str] = []

    def pass_first(route: "Route") -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(set(keys)) == 1:
            route.continue_()
        else:
            route.abort("connectionrefused")

    page.route("**/v1/segmentations", pass_first)
    press_segment(page)
    page.get_by_role("heading", name="Not all pictures were sent").wait_for()
    first = page.evaluate("() => new URLSearchParams(location.search).getAll('job')")
    page.unroute("**/v1/segmentations")
    before = set(keys)
    page.route(
        "**/v1/segmentations", lambda route: (keys.append(route.request.headers["idempotency-key"]), route.continue_())
    )
    type_words(page, "sky")
    press_segment(page)
    page.get_by_text("3 of 3 pictures").wait_for()
    jobs = page.evaluate("() => new URLSearchParams(location.search).getAll('job')")
    assert len(jobs) == 2
    assert not set(jobs) & set(first)
    assert not set(keys[-2:]) & before
    names = {name.text_content() for name in page.locator(".legend button > bdi").all()}
    assert names == {"ball", "sky"}


def test_cancelling_sends_no_more_and_cancels_what_was_on_its_way(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page(expected=("409",))  # of a job that has ended meanwhile
    page.route("**/v1/parameters", limit_images(1))
    sent: list[Route] = []
    cancelled: list[str] = []
    page.on("request", lambda asked: cancelled.append(asked.url) if asked.method == "DELETE" else None)

    def keep_second(route: "Route") -> None:
        sent.append(route)
        if len(sent) != 2:
            route.continue_()

    page.route("**/v1/segmentations", keep_second)
    page.locator("input.files").set_input_files(pictures)
    type_words(page, "ball")
    press_segment(page)
    wait_until(page, lambda: len(sent) == 2)
    page.get_by_role("button", name="Cancel", exact=True).last.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    sent[1].continue_()
    page.wait_for_function("() => new URLSearchParams(location.search).getAll('job').length === 2")
    second = page.evaluate("() => new URLSearchParams(location.search).getAll('job')[1]")
    wait_until(page, lambda: any(address.endswith(second) for address in cancelled))
    page.locator("progress").first.wait_for(state="hidden")
    page.get_by_text("2 pictures").or_(page.get_by_text("of 2 picture")).first.wait_for()
    assert len(sent) == 2


def drag(page: "Page", *places: tuple[float, float]) -> None:
    """Draw a line through places, which are shares of the picture's width and height."""
    box = see_whole(page, "#painter .stage")
    (right, down), *others = places
    page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"])
    page.mouse.down()
    for right, down in others:
        page.mouse.move(box["x"] + right * box["width"], box["y"] + down * box["height"], steps=8)
    page.mouse.up()


def painted(page: "Page") -> np.ndarray:
    """What is painted, (64, 64) uint8, 255 inside."""
    return np.array(page.locator("#painter .paint").evaluate(PAINT), np.uint8).reshape(64, 64)


def test_what_is_painted_is_what_is_sent(open_page: "Callable[..., Page]", pictures: list[Path]) -> None:
    page = open_page("/teach", expected=("Canvas2D",))
    page.evaluate(KEEP_MASKS)
    page.locator("#others li").first.wait_for()
    page.locator("#word").fill("wombat")
    page.locator("#painted input.files").set_input_files(pictures[0])
    stage = page.locator("#painter .stage")
    stage.wait_for()
    drag(page, (0.2, 0.2), (0.8, 0.2))
    line = painted(page)
    rows, columns = np.nonzero(line)
    assert (rows.min() >= 8, rows.max() <= 18, columns.min() <= 14, columns.max() >= 49) == (True,) * 4
    page.get_by_role("button", name="Eraser").click()
    drag(page, (0.5, 0.1), (0.5, 0.3))
    erased = painted(page)
    assert (erased <= line).all()
    assert not erased[:, 31:33].any()
    assert erased.any()
    page.get_by_role("button", name="Clear").click()
    assert not painted(page).any()
    page.get_by_role("button", name="Undo").click()
    assert np.array_equal(painted(page), erased)
    stage.focus()
    page.keyboard.press("Control+z")
    assert np.array_equal(painted(page), line)

    page.get_by_role("button", name="Polygon").click()
    stage.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")  # of these corners none is left
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press("Space")
        for _ in range(20):
            page.keyboard.press(key)
    page.keyboard.press("Space")
    assert np.array_equal(painted(page), line)
    page.keyboard.press("Enter")
    both = painted(page)
    assert (both >= line).all()
    assert (both > 0).sum() > (line > 0).sum() + 200

    sent: list[Route] = []
    page.route("**/v1/exemplars", lambda route: sent.append(route))  # noqa: PLW0108 - playwright takes no method
    page.get_by_role("button", name="Teach", exact=True).click()
    wait_until(page, lambda: bool(sent))
    page.get_by_role("button", name="Brush").click()
    drag(page, (0.2, 0.9), (0.8, 0.9))  # too late for what is being learnt
    sent[0].continue_()
    page.get_by_text("Learnt: 1 new prototype.").wait_for()
    height, width, values = page.evaluate(SENT_MASK)
    assert (height, width) == (64, 64)
    assert np.array_equal(np.array(values, np.uint8).reshape(64, 64), both)
    page.locator("#painted input.files").set_input_files(pictures[1])
    dialog = page.get_by_role("dialog", name="Leave this painting?")
    dialog.get_by_role("button", name="Leave it").click()


def test_a_painting_and_captions_are_not_lost_by_mistake(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page("/teach", expected=("Canvas2D",))
    dialog = page.get_by_role("dialog", name="Leave this painting?")
    choose = page.locator("#painted input.files")
    choose.set_input_files(pictures[0])
    page.locator("#painter .stage").wait_for()
    choose.set_input_files(pictures[1])  # nothing is painted: nobody is asked
    page.locator("#painted .name").filter(has_text=pictures[1].name).wait_for()
    drag(page, (0.2, 0.2), (0.8, 0.2))
    before = painted(page)
    choose.set_input_files(pictures[2])
    dialog.get_by_role("button", name="Cancel").click()
    page.locator("#painted .name").filter(has_text=pictures[1].name).wait_for()
    assert np.array_equal(painted(page), before)
    page.get_by_role("button", name=f"Remove {pictures[1].name}").click()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    assert np.array_equal(painted(page), before)
    choose.set_input_files(pictures[2])
    dialog.get_by_role("button", name="Leave it").click()
    page.locator("#painted .name").filter(has_text=pictures[2].name).wait_for()
    page.get_by_text("Paint what the word names.").or_(page.get_by_text("Type the word first.")).first.wait_for()
    assert not painted(page).any()

    asked: list[str] = []

    def stay(dialog: "Dialog") -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_label("by captions").check()
    page.get_by_label("Captions, one a line").fill("a wombat on the grass")
    page.locator("nav a").first.click()
    wait_until(page, lambda: bool(asked))
    assert page.url.endswith("/teach")
    page.get_by_label("Captions, one a line").fill("")
    page.locator("nav a").first.click()
    page.get_by_role("heading", name="Segment").wait_for()
    assert asked == ["beforeunload"]


def test_a_file_that_is_gone_says_so(open_page: "Callable[..., Page]", service: Service, pictures: list[Path]) -> None:
    page = open_page(expected=("410",))
    page.locator("input.files").set_input_files(pictures[0])
    type_words(page, "ball")
    press_segment(page)
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator(".stage canvas").first.wait_for()
    page.locator(".strip, .stage").first.wait_for()
    open_artifacts(service.settings).remove_below(f"results/{page.url.partition('job=')[2]}")
    page.locator(".downloads > summary").click()
    page.get_by_role("link", name="mask", exact=True).click()
    page.get_by_role("alert").locator("p").filter(has_text="mask.png").wait_for()


def test_failed_pictures_are_tried_again(open_page: "Callable[..., Page]", tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.jpg", tmp_path / "cut.jpg"
    Image.new("RGB", (64, 64)).save(whole)
    cut.write_bytes(whole.read_bytes()[:-30])
    page = open_page()
    page.locator("input.files").set_input_files(cut)
    type_words(page, "ball")
    press_segment(page)
    page.get_by_role("heading", name="The job is failed").wait_for()
    page.locator(".strip .error-text").filter(has_text="cut.jpg is cut off or damaged").wait_for()
    page.locator("#results .head a").first.click()
    errors = page.locator("#job").get_by_text("after 1 attempt")
    errors.wait_for()
    page.get_by_role("button", name="Try failed again").click()
    page.locator("#job").get_by_text("after 2 attempts").wait_for()


def test_one_prototype_is_forgotten_when_it_was_meant(
    open_page: "Callable[..., Page]", service: Service, own_noun: str
) -> None:
    page = open_page(f"/bank?noun={own_noun}")
    cards = page.locator(".prototypes li")
    cards.nth(1).wait_for()
    dialog = page.get_by_role("dialog")
    forget = cards.first.get_by_role("button", name=f"Forget this prototype of {own_noun}")
    forget.click()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    forget.click()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    with service.client() as client:
        there = client.get("/v1/banks/default/prototypes", params={"noun": own_noun}).json()["items"]
        assert len(there) == 2
        forget.click()
        dialog.get_by_role("button", name="Forget", exact=True).click()
        cards.nth(1).wait_for(state="detached")
        left = client.get("/v1/banks/default/prototypes", params={"noun": own_noun}).json()["items"]
    assert left == there[1:]


def test_outliers_are_marked_after_saying_how_many(open_page: "Callable[..., Page]") -> None:
    """The server's answers are replaced: other tests need the bank as it is."""
    page = open_page("/bank")
    asked: list[tuple[str, object]] = []

    def answer(route: "Route") -> None:
        asked.append((route.request.method, route.request.post_data_json if route.request.method == "POST" else None))
        count = {"found": 3, "assessed": 40, "newly_marked": 3, "unmarked": 3}
        route.fulfill(json=count)

    def with_outliers(route: "Route") -> None:
        route.fulfill(json={**route.fetch().json(), "outliers": 3})

    page.route("**/curation", answer)
    page.get_by_role("button", name="Find outliers").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("3 of the 40 prototypes that can be compared").wait_for()
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="hidden")
    assert asked == [("POST", {"dry_run": True})]
    page.route(re.compile(r"/v1/banks/default(%401)?$"), with_outliers)
    page.get_by_role("button", name="Find outliers").click()
    dialog.get_by_role("button", name="Mark them").click()
    page.get_by_text("3 prototypes marked as outliers.").wait_for()
    page.get_by_role("button", name="Use those that were found again").click()
    page.get_by_text("3 marks taken back").wait_for()
    assert [method for method, _ in asked] == ["POST", "POST", "POST", "DELETE"]
    assert asked[2] == ("POST", {})


def test_long_lists_come_in_parts(open_page: "Callable[..., Page]") -> None:
    """The server's answers are replaced: so many nouns and prototypes take too long to make."""
    page = open_page("/jobs")

    def answer(route: "Route") -> None:
        if "after=second" in route.request.url:
            route.fulfill(json={"items": [{"noun": "zebra", "prototypes": 1}], "next": None})
        else:
            route.fulfill(json={"items": [{"noun": "ant", "prototypes": 1234}], "next": "second"})

    page.route("**/nouns?*", answer)
    page.goto("/bank")
    page.get_by_role("button", name="ant 1,234").wait_for()
    page.get_by_role("button", name="More nouns").click()
    page.get_by_role("button", name="zebra 1").wait_for()
    assert page.locator(".nouns li").count() == 2
    assert page.get_by_role("button", name="More nouns").count() == 0
