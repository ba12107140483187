"""Pictures are segmented on the page, in a real browser."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from tests.api.conftest import Service
from tests.page.conftest import NEEDS_CHROMIUM, layer, press_segment, see_whole, type_words

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]

NAMES = ["ball", "sky", "كرة", "כדור", "天空", "<b>grass</b>"]
FIRST_PAINT_BYTES = 200_000
ARRIVED = """() => ["navigation", "resource"].flatMap((kind) =>
  performance.getEntriesByType(kind).map((one) => one.encodedBodySize))"""


def mask_of(service: Service, page: "Page", number: int = 1) -> Image.Image:
    """Return the mask of a picture of the job that a page shows, as the API has it."""
    job = page.url.partition("job=")[2]
    with service.client() as client:
        answer = client.get(f"/v1/jobs/{job}/results/{number}.mask.png")
    return Image.open(io.BytesIO(answer.content))


def swatch(entry: "Locator") -> list[int]:
    colour = entry.locator(".swatch").evaluate("(swatch) => getComputedStyle(swatch).backgroundColor")
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def tab_to(page: "Page", selector: str, most: int = 60) -> None:
    """Reach an element with the tabulator key alone, as people without a mouse do; it shows that it has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement?.matches(wanted)", selector):
            style = page.evaluate(
                "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + s.outlineWidth; }"
            )
            assert style == "solid3px", f"{selector} does not show that it has the focus: {style}"
            return
    pytest.fail(f"{selector} is not reached with the tabulator key")


def test_from_file_to_mask_with_the_keyboard_alone(
    open_page: "Callable[..., Page]", service: Service, pictures: list[Path]
) -> None:
    page = open_page()
    with page.expect_file_chooser() as choosing:
        page.locator("#worker.good").wait_for()
        tab_to(page, "#pictures button")
        page.keyboard.press("Enter")
    choosing.value.set_files(pictures[0])
    page.get_by_text("1 picture,").wait_for()
    tab_to(page, "#word")
    page.keyboard.type("bal")  # completed from the bank's nouns
    page.get_by_role("option", name="ball").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    for name in NAMES[1:]:
        page.keyboard.insert_text(name)
        page.keyboard.press("Enter")
    entries = page.get_by_role("list", name="What to look for").get_by_role("listitem")
    assert [entry.locator("bdi").text_content() for entry in entries.all()] == NAMES
    page.wait_for_function("() => ![...document.querySelectorAll('.words .note')].some((n) => n.textContent === '…')")
    notes = [entry.locator(".note").text_content() or "" for entry in entries.all()]
    assert notes[0].endswith(("prototypes", "prototype"))
    assert notes[2].startswith("none; nearest: ")

    page.keyboard.press("Enter")  # an empty field sends the form
    page.locator(".stage canvas").first.wait_for()
    legend = page.locator(".legend li").filter(has=page.locator("button"))
    assert sorted(entry.locator("bdi").first.text_content() or "" for entry in legend.all()) == sorted(NAMES)
    assert page.locator("#results b, .words b").count() == 0  # what looks like markup stays text
    mask = mask_of(service, page)
    palette = np.array(mask.getpalette()).reshape(-1, 3)
    for entry in legend.all():
        name = entry.locator("bdi").first.text_content() or ""
        assert swatch(entry) == palette[NAMES.index(name)].tolist()
    shown = layer(page, "mask")
    scale = shown.shape[0] // mask.height
    expected = palette[np.asarray(mask)].repeat(scale, axis=0).repeat(scale, axis=1)
    assert np.array_equal(shown[..., :3], expected)
    assert (shown[..., 3] == 255).all()

    tab_to(page, ".stage")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    row, column = mask.height // 2 + 1, mask.width // 2 + max(1, round(mask.width / 48))
    page.get_by_text(f"row {row}, column {column}").wait_for()
    label = np.asarray(mask)[row, column]
    assert page.locator(".readout .what bdi").text_content() == NAMES[label]

    seen = []  # the tabulator key leaves everything, and comes round to the beginning
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement?.className ?? ''"))
        if "skip" in seen[-1]:
            break
    assert "skip" in seen[-1]


def look_at_layers(page: "Page", mask: np.ndarray) -> None:
    """Hide and show categories, unknown, outlines; change the opacity. The mask is (H, W) labels, 255 unknown."""
    unknown = page.locator(".legend li").filter(has_text="unknown")
    share = (mask == 255).mean()
    assert 0 < share < 1
    assert f"{100 * share:.1f} %" in (unknown.text_content() or "")
    scale = layer(page, "mask").shape[0] // mask.shape[0]
    large = mask.repeat(scale, axis=0).repeat(scale, axis=1)
    unknown.get_by_role("button").click()
    assert unknown.get_by_role("button").get_attribute("aria-pressed") == "false"
    assert np.array_equal(layer(page, "mask")[..., 3] == 0, large == 255)
    page.get_by_role("button", name="Hide all").click()
    assert not layer(page, "mask")[..., 3].any()
    assert not layer(page, "marks").any()
    page.get_by_role("button", name="Show all").click()
    assert layer(page, "marks")[..., 3].any()
    page.get_by_label("Outlines").uncheck()
    assert not layer(page, "marks").any()
    page.get_by_label("Opacity of the mask").fill("0.2")
    assert page.locator(".stage .mask").evaluate("(canvas) => canvas.style.opacity") == "0.2"


def point_at(page: "Page", mask: np.ndarray, service: Service) -> None:
    """Point at the picture: the score there is that of the API's file, and evidence says how the others did."""
    box = see_whole(page, ".stage")
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.75)
    row, column = int(mask.shape[0] * 0.75), int(mask.shape[1] * 0.25)
    job = page.url.partition("job=")[2]
    with service.client() as client:
        scores = np.asarray(Image.open(io.BytesIO(client.get(f"/v1/jobs/{job}/results/1.scores.png").content)))
    page.get_by_text(f"score {scores[row, column] / 65535:.3f}").wait_for()
    assert page.locator(".readout tbody tr").count() == 2


def download_files(page: "Page") -> None:
    """Take a file of one picture, and chosen formats of all."""
    page.locator(".downloads > summary").click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="summary", exact=True).click()
    assert json.loads(Path(downloading.value.path()).read_bytes())["parameters"]["unknown"]["way"] == "channel"
    page.get_by_label("coco").check()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download as zip").click()
    with ZipFile(downloading.value.path()) as archive:
        assert {"scene-0.mask.png", "scene-2.overlay.png", "scene-1.json"} <= set(archive.namelist())
        assert "coco.json" in archive.namelist()


def test_a_parameter_that_cannot_be_read_does_not_stay_in_the_way(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page()
    page.locator("input.files").set_input_files(pictures[0])
    type_words(page, "ball")
    page.locator("#parameters-box summary").click()
    k = page.locator("#parameter-k")
    usual = k.input_value()
    k.fill("many")
    k.press("Tab")
    assert k.evaluate("(field) => field.validationMessage") == "k must be a whole number of at least 1"
    page.locator("#parameter-beta").fill("0.7")
    page.locator("#parameter-beta").press("Tab")
    assert (k.input_value(), k.evaluate("(field) => field.validationMessage")) == (usual, "")
    assert k.get_attribute("aria-invalid") == "false"
    press_segment(page)
    page.get_by_text("1 of 1 picture").wait_for()


def test_results_are_looked_at_and_downloaded(
    open_page: "Callable[..., Page]", service: Service, pictures: list[Path], tmp_path: Path
) -> None:
    page = open_page(expected=("Canvas2D",))
    broken = tmp_path / "<img src=x onerror=alert(1)>.png"
    broken.write_bytes(b"no picture")
    page.locator("input.files").set_input_files([*pictures, broken])
    for name in ("ball", "sky"):
        page.locator("#word").fill(name)
        page.locator("#word").press("Enter")
    page.get_by_text("Parameters").click()
    page.locator("#parameter-unknown").select_option("channel")
    page.locator("#parameter-unknown_threshold").fill("7")
    page.locator("#parameter-unknown_threshold").press("Tab")
    assert page.locator("#parameter-unknown_threshold").get_attribute("aria-invalid") == "true"
    page.locator("#parameter-unknown_threshold").fill("0.6")
    page.locator("#parameter-unknown_threshold").press("Tab")
    page.get_by_text("2 changed").wait_for()
    page.get_by_label("Keep evidence").check()
    page.get_by_role("button", name="Segment", exact=True).click()
    refused = page.locator(".chosen .refused .error-text")
    refused.get_by_text("<img src=x onerror=alert(1)>.png").wait_for()  # with its name; the others go on
    assert refused.count() == 1
    page.get_by_text("3 of 3 pictures").wait_for()
    page.locator(".evidence img").first.wait_for()

    mask = np.asarray(mask_of(service, page))
    look_at_layers(page, mask)
    point_at(page, mask, service)
    page.locator(".strip button").nth(2).click()
    page.locator(".view h3").filter(has_text=pictures[2].name).wait_for()
    download_files(page)
    page.reload()  # the address names the job
    page.get_by_text("3 of 3 pictures").wait_for()
    page.locator(".stage canvas").first.wait_for()


def test_the_bank_suggests_words_for_a_picture_that_is_pasted_or_dropped(
    open_page: "Callable[..., Page]", pictures: list[Path]
) -> None:
    page = open_page()
    page.locator("#worker.good").wait_for()
    arrived = page.evaluate(ARRIVED)
    assert len(arrived) > 15
    assert all(arrived)
    assert sum(arrived) < FIRST_PAINT_BYTES
    content = list(pictures[0].read_bytes())
    page.evaluate(
        """(bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
          const drop = new DataTransfer();
          drop.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
          drop.items.add(new File(["text"], "notes.txt", { type: "text/plain" }));
          document.querySelector(".drop").dispatchEvent(
            new DragEvent("drop", { dataTransfer: drop, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    page.get_by_text("2 pictures,").wait_for()
    page.get_by_text("1 file left out: not a picture", exact=True).wait_for()
    page.get_by_role("button", name="Remove dropped.png").click()
    page.get_by_role("button", name="Suggest words").click()
    page.get_by_text("1 of 1 picture").wait_for()
    page.locator(".words li").first.wait_for()
    page.locator(".legend button").first.wait_for()
    proposed = {entry.text_content() for entry in page.locator(".words li bdi").all()}
    legend = {entry.text_content() for entry in page.locator(".legend button bdi").all()}
    assert proposed
    assert proposed == legend - {"unknown"}
