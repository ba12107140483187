"""A real Chromium on the pages of a real service; skipped with a reason where there is none."""

import base64
import io
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service
from tests.api.conftest import service as service  # noqa: PLC0414 - a fixture of its own here: pages change the bank

if TYPE_CHECKING:
    from playwright.sync_api import (
        APIResponse,
        Browser,
        BrowserContext,
        ConsoleMessage,
        FloatRect,
        Page,
        Request,
        Route,
    )

CHROMIUM = "chromium"
NEEDS_CHROMIUM = pytest.mark.skipif(
    shutil.which(CHROMIUM) is None, reason=f"there is no {CHROMIUM} here; Debian's package of that name has it"
)
WAIT_MS = 120_000
"""Until something appears: machines that run tests are slow at times."""

CANVAS = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return [width, height, btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""))];
}"""


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, driven by Playwright, whose event loop keeps others from running: not for a whole session."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the extra dev has playwright, which drives Chromium"
    )
    with playwright.sync_playwright() as driver:
        # a container's root has no sandbox, and its /dev/shm is small
        opened = driver.chromium.launch(
            executable_path=shutil.which(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: "Browser", service: Service) -> "Iterator[Callable[..., Page]]":
    """Open pages of the service; what went wrong in them, and what they asked of others, fails the test."""
    wrong: list[str] = []
    contexts: list[BrowserContext] = []

    def opened(
        path: str = "/", address: str = service.address, expected: tuple[str, ...] = (), **given: object
    ) -> "Page":
        """Open a page; what its console says may contain some of what is ``expected``."""
        context = browser.new_context(base_url=address, **given)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()

        def note_said(said: "ConsoleMessage") -> None:
            if said.type in {"error", "warning"} and not any(part in said.text for part in expected):
                wrong.append(said.text)

        def note_asked(asked: "Request") -> None:
            if not asked.url.startswith((f"{address}/", "blob:", "data:")):
                wrong.append(asked.url)

        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", note_said)
        page.on("request", note_asked)
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # what is still being answered fails no other test
        context.close()
    assert wrong == []


@pytest.fixture(scope="module")
def segmented(service: Service) -> str:
    """A job with evidence and names in several scripts."""
    content = io.BytesIO()
    Image.fromarray(paint_scene((12, 0), EASY).image).save(content, "PNG")
    asked = {"categories": ["ball", "sky", "שמיים", "<b>grass</b>"], "explain": True}
    with service.client() as client:
        answer = client.post(
            "/v1/segmentations",
            files={"image": ("صورة-<i>1</i>.png", content.getvalue(), "image/png")},
            data={"request": json.dumps(asked)},
            headers={"Prefer": "wait=120"},
        )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["job"])


@pytest.fixture
def own_noun(service: Service) -> Iterator[str]:
    """A noun with two prototypes that a test may forget: segmentations of other tests do not need it."""
    noun = f"quokka{secrets.token_hex(3)}"
    painted = np.asarray(paint_scene((14, 0), EASY).image)
    rows, columns = np.indices(painted.shape[:2])
    parts = []
    for number, mask in enumerate((rows < columns, rows >= columns)):
        for kind, pixels in (("image", painted), ("mask", mask.astype(np.uint8) * 255)):
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, "PNG")
            parts.append((kind, (f"{number}.png", content.getvalue(), "image/png")))
    with service.client() as client:
        answer = client.post(
            "/v1/exemplars", files=parts, data={"noun": noun}, headers={"Prefer": "wait=120"}, timeout=180
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["totals"]["prototypes"] == 2
        yield noun
        client.post("/v1/banks/default/forget", json={"noun": noun})


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three scenes of the miniature world as files."""
    paths = []
    for number in range(3):
        path = tmp_path / f"scene-{number}.png"
        Image.fromarray(np.asarray(paint_scene((12, number), EASY).image)).save(path)
        paths.append(path)
    return paths


def serious_faults(page: "Page") -> list[str]:
    """Return what axe-core finds on a page, as it is shown now, that people with disabilities cannot use."""
    package = pytest.importorskip("axe_playwright_python", reason="the extra dev has axe-core")
    page.evaluate((Path(os.fspath(package.__path__[0])) / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def limit_images(most: int) -> "Callable[[Route], None]":
    """Return a handler that lets the server take fewer images at once."""

    def answer(route: "Route") -> None:
        content = route.fetch().json()
        content["limits"]["images"] = most
        route.fulfill(json=content)

    return answer


def type_words(page: "Page", *words: str) -> None:
    """Type what to look for."""
    for word in words:
        page.locator("#word").fill(word)
        page.locator("#word").press("Enter")


def press_segment(page: "Page") -> None:
    """Send the pictures that were chosen."""
    page.get_by_role("button", name="Segment", exact=True).click()


def wait_until(page: "Page", holds: Callable[[], bool]) -> None:
    """Wait until something holds in this process, while the page goes on."""
    deadline = time.monotonic() + WAIT_MS / 1000
    while not holds():
        assert time.monotonic() < deadline, "it does not happen"
        page.wait_for_timeout(20)


def see_whole(page: "Page", selector: str) -> "FloatRect":
    """Bring the first element into sight, and return where it is: the mouse acts on nothing that is out of sight."""
    place = page.locator(selector).first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    return box


def layer(page: "Page", name: str) -> np.ndarray:
    """Return a layer of the large picture, (H, W, 4) uint8."""
    width, height, content = page.locator(f".stage .{name}").evaluate(CANVAS)
    return np.frombuffer(base64.b64decode(content), np.uint8).reshape(height, width, 4)


@dataclass
class Held:
    """The first answer of the server to some request, which is kept from the page until it is released."""

    answers: "list[tuple[Route, APIResponse]]" = field(default_factory=list)
    asked: int = 0

    def hold(self, route: "Route") -> None:
        """Let the server answer, and keep the answer if it is the first; a handler for ``page.route``."""
        self.asked += 1
        if self.asked > 1:  # also while the first is still being answered
            route.continue_()
        else:
            self.answers.append((route, route.fetch()))

    def wait(self, page: "Page") -> None:
        """Wait until it is there."""
        wait_until(page, lambda: bool(self.answers))

    def release(self) -> None:
        """Let the page have it."""
        route, answer = self.answers[0]
        route.fulfill(response=answer)
