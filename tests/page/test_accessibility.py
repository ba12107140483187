"""axe-core finds nothing serious: in the pages at rest, in dialogs, menus and errors; nothing is scrolled sideways."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.conftest import Service
from tests.page.conftest import NEEDS_CHROMIUM, press_segment, serious_faults, type_words

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]

OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDTHS = (360, 768, 1920)
SCHEMES = ("dark", "light")


def check(page: "Page", state: str) -> None:
    """See that everybody can use a page as it is shown now, in both colour schemes and at every width."""
    for scheme in SCHEMES:  # colours alone depend on it
        page.emulate_media(color_scheme=scheme)
        assert serious_faults(page) == [], (state, scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(OVERFLOW) <= 0, (state, width)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_everybody_can_use_the_pages(open_page: "Callable[..., Page]", segmented: str) -> None:
    page = open_page("/jobs", viewport={"width": 1280, "height": 900})
    shown = {
        f"/?job={segmented}": ".evidence img",
        "/teach?noun=ball": ".words li",
        "/bank?noun=ball": ".prototypes img",
        f"/jobs?job={segmented}": "#job h2",
    }
    for path, last in shown.items():
        page.goto(path)
        page.locator("#worker.good").wait_for()
        page.locator(last).first.wait_for(state="attached")
        for fold in page.locator("details").all():
            fold.evaluate("(fold) => (fold.open = true)")
        if path.startswith("/?"):
            page.locator("#parameter-k").wait_for()
            page.locator(".stage").hover()
            page.locator(".readout table").wait_for()
        check(page, path)
    assert page.locator("i").count() == 0


def test_everybody_can_use_dialogs_and_read_errors(
    open_page: "Callable[..., Page]", service: Service, pictures: list[Path], tmp_path: Path
) -> None:
    page = open_page("/", expected=("422", "404"), viewport={"width": 1280, "height": 900})
    page.locator("#word").fill("b")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    check(page, "completion")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Key").click()
    page.get_by_role("dialog", name="Key of this server").wait_for()
    page.locator("#key-why").evaluate("(why) => (why.textContent = 'this key is not known')")
    check(page, "the dialog for a key")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    broken = tmp_path / "broken-with-a-name-that-is-longer-than-a-phone-is-wide.png"
    broken.write_bytes(b"no picture")
    page.locator("input.files").set_input_files([pictures[0], broken])
    page.locator("#word").fill("")
    type_words(page, "ball", "an excavator that nobody has ever taught it")
    press_segment(page)
    page.locator(".refused .error-text").wait_for()
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator(".stage canvas").first.wait_for()
    page.get_by_text("Parameters").click()
    page.locator("#parameter-k").fill("0")
    page.locator("#parameter-k").press("Tab")
    page.locator(".downloads > summary").click()
    check(page, "a refused picture, a wrong parameter, the menu of downloads")

    page.goto("/?job=no-such-job")
    page.get_by_role("alert").get_by_text("no-such-job").wait_for()
    check(page, "an error")

    page.goto("/bank")
    page.locator(".nouns button").first.click()
    page.get_by_role("button", name="Forget this noun").click()
    page.get_by_role("dialog").wait_for()
    check(page, "a question")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.locator("#prefix").fill("nothing begins so")
    page.get_by_text("No noun begins like that.").wait_for()
    check(page, "no noun")

    page.goto("/teach")
    page.locator("#painted input.files").set_input_files(pictures[0])
    page.locator("#painter .stage").wait_for()
    page.get_by_role("button", name="Polygon").click()
    check(page, "painting")
    page.get_by_label("by captions").check()
    check(page, "captions")

    page.goto("/jobs")
    page.get_by_label("Source").fill("no such source")
    page.get_by_text("No job is like that.").wait_for()
    check(page, "no jobs")
