"""A real Chromium on the pages of a real service; skipped with a reason where there is none."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service
from tests.api.conftest import service as service  # noqa: PLC0414 - a fixture of its own here: pages change the bank

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

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


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three scenes of the miniature world as files."""
    paths = []
    for number in range(3):
        path = tmp_path / f"scene-{number}.png"
        Image.fromarray(np.asarray(paint_scene((12, number), EASY).image)).save(path)
        paths.append(path)
    return paths


def axe_script() -> str:
    """Return axe-core, which looks for what people with disabilities cannot use."""
    package = pytest.importorskip("axe_playwright_python", reason="the extra dev has axe-core")
    return (Path(os.fspath(package.__path__[0])) / "axe.min.js").read_text(encoding="utf-8")
