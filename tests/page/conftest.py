"""A real Chromium on the pages of a real service; skipped with a reason where there is none."""

import io
import json
import os
import shutil
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
    from playwright.sync_api import APIResponse, Browser, BrowserContext, ConsoleMessage, Page, Request, Route

CHROMIUM = "chromium"
NEEDS_CHROMIUM = pytest.mark.skipif(
    shutil.which(CHROMIUM) is None, reason=f"there is no {CHROMIUM} here; Debian's package of that name has it"
)
WAIT_MS = 120_000
"""Until something appears: machines that run tests are slow at times."""


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Debian's Chromium, driven by Playwright."""
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


def type_words(page: "Page", *words: str) -> None:
    """Type what to look for."""
    for word in words:
        page.locator("#word").fill(word)
        page.locator("#word").press("Enter")


def press_segment(page: "Page") -> None:
    """Send the pictures that were chosen."""
    page.get_by_role("button", name="Segment", exact=True).click()


@dataclass
class Held:
    """The first answer of the server to some request, which is kept from the page until it is released."""

    answers: "list[tuple[Route, APIResponse]]" = field(default_factory=list)

    def hold(self, route: "Route") -> None:
        """Let the server answer, and keep the answer if it is the first; a handler for ``page.route``."""
        if self.answers:
            route.continue_()
        else:
            self.answers.append((route, route.fetch()))

    def wait(self, page: "Page") -> None:
        """Wait until it is there."""
        while not self.answers:
            page.wait_for_timeout(10)

    def release(self) -> None:
        """Let the page have it."""
        route, answer = self.answers[0]
        route.fulfill(response=answer)
