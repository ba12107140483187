"""Take the pictures of docs/page.md: of the pages of a real service, as somebody sees them who follows docs/page.md.

Run it as ``python -m tests.page.take_pictures``, and look at each picture. It takes about two minutes.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from freeda_svc.api import api_beside
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers import background_stack
from tests.api.conftest import _wait_for
from tests.free_ports import free_port
from tests.page.conftest import CHROMIUM, WAIT_MS, press_segment, see_whole, type_words

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FOLDER = Path(__file__).parents[2] / "docs/page"
WORDS = ("sun", "sky", "sand", "boat|ship", "box", "tree", "house", "ball", "grass", "water", "flower", "moon")
SUN = (0.44, 0.3)
"""Where the sun is in the first photo, as shares of its width and height."""
MOON = ((0.3, 0.25), (0.3, 0.68))
"""Where the moon is in the second marked picture of the samples."""


@contextmanager
def sample_service(folder: Path) -> Iterator[Settings]:
    """Run a service in a home of its own, whose bank has learnt the samples' captions."""
    settings = load_settings(home=folder / "home", api_port=free_port())
    prepare_home(settings)
    freeda = [sys.executable, "-c", "from freeda_svc.cli.main import main; main()"]
    home = {**os.environ, "FREEDA_HOME": str(settings.home)}
    subprocess.run([*freeda, "samples", "--out", folder / "samples"], check=True, env=home, stdout=subprocess.DEVNULL)
    with background_stack(settings), api_beside(settings) as is_run:
        assert is_run
        _wait_for(f"http://127.0.0.1:{settings.api_port}/health/ready")
        captions = folder / "samples/captions.txt"
        subprocess.run([*freeda, "ingest", captions, "--wait"], check=True, env=home, stdout=subprocess.DEVNULL)
        yield settings


def keep(page: "Page", name: str) -> None:
    """Keep a picture of what is in sight."""
    page.locator("#worker.good").wait_for()
    page.wait_for_load_state("networkidle")
    taken = Image.open(io.BytesIO(page.screenshot(animations="disabled", caret="hide"))).convert("RGB")
    taken.quantize(256, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)
    print(FOLDER / name)


def wait_for_pictures(page: "Page", kind: str) -> None:
    """Wait until the small pictures that are in sight are there."""
    page.locator(f"{kind} img[src^='blob:']").first.wait_for()


def click_in(page: "Page", stage: str, *places: tuple[float, float]) -> None:
    """Click places of a large picture, given as shares of its width and height."""
    for right, down in places:
        box = see_whole(page, stage)
        page.mouse.click(box["x"] + right * box["width"], box["y"] + down * box["height"])


def take_segment(browser: "Browser", address: str, samples: Path) -> None:
    """Take the pictures of results: on a wide screen, and on a phone."""
    page = browser.new_page(base_url=address, viewport={"width": 1200, "height": 1150}, device_scale_factor=0.75)
    page.set_default_timeout(WAIT_MS)
    page.goto("/")
    page.locator("input.files").set_input_files(sorted((samples / "photos").iterdir())[:8])
    type_words(page, *WORDS)
    page.get_by_label("Keep evidence").check()
    press_segment(page)
    page.get_by_text("8 of 8 pictures").wait_for()
    page.get_by_role("heading", name="Segmented").wait_for()
    click_in(page, ".stage", SUN)
    page.locator(".readout table").wait_for()
    page.get_by_role("heading", name="What speaks for sun").wait_for()
    wait_for_pictures(page, ".evidence")
    page.evaluate("() => scrollTo(0, 0)")
    keep(page, "segment.png")
    results = page.url.removeprefix(address)
    page.close()

    phone = browser.new_page(
        base_url=address, viewport={"width": 390, "height": 844}, color_scheme="dark", has_touch=True, is_mobile=True
    )
    phone.set_default_timeout(WAIT_MS)
    phone.goto(results)
    phone.locator(".evidence img").first.wait_for(state="attached")
    click_in(phone, ".stage", SUN)
    phone.locator(".readout table").wait_for()
    phone.locator("#results").evaluate("(results) => results.scrollIntoView()")
    keep(phone, "phone.png")
    phone.close()


def take_bank(browser: "Browser", address: str) -> None:
    """Take the picture of a noun's prototypes."""
    page = browser.new_page(base_url=address, viewport={"width": 1200, "height": 760}, device_scale_factor=0.75)
    page.set_default_timeout(WAIT_MS)
    page.goto("/bank?noun=boat")
    page.locator(".nouns li").first.wait_for()
    wait_for_pictures(page, ".prototypes")
    keep(page, "bank.png")
    page.close()


def take_teach(browser: "Browser", address: str, samples: Path) -> None:
    """Take the picture of a word that is painted, and of what it gains."""
    page = browser.new_page(base_url=address, viewport={"width": 1200, "height": 1350}, device_scale_factor=0.75)
    page.set_default_timeout(WAIT_MS)
    page.goto("/teach")
    page.locator("#others li").first.wait_for()
    page.locator("#word").fill("moon")
    page.locator("#painted input.files").set_input_files(sorted((samples / "moon").glob("[0-9].png"))[1])
    page.get_by_role("button", name="Region").click()
    page.get_by_text("Click a region to add it").wait_for()
    click_in(page, "#painter .stage", *MOON)
    page.locator("#trial input.files").set_input_files(samples / "photos/scene-03.png")
    page.get_by_role("button", name="Teach", exact=True).click()
    page.get_by_text("Learnt: ").wait_for()
    page.evaluate("() => scrollTo(0, 0)")
    keep(page, "teach.png")
    page.close()


def take_jobs(browser: "Browser", address: str) -> None:
    """Take the picture of all jobs, one of them in detail."""
    page = browser.new_page(base_url=address, viewport={"width": 1200, "height": 640}, device_scale_factor=0.75)
    page.set_default_timeout(WAIT_MS)
    page.goto("/jobs")
    page.get_by_role("link", name="captions.txt").click()
    page.get_by_role("heading", name="captions.txt").wait_for()
    keep(page, "jobs.png")
    page.close()


def main() -> None:
    """Take all of them."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the extra dev

    with tempfile.TemporaryDirectory(prefix="freeda-pictures-") as name, sample_service(Path(name)) as settings:
        address, samples = f"http://127.0.0.1:{settings.api_port}", Path(name) / "samples"
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=shutil.which(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            take_segment(browser, address, samples)
            take_bank(browser, address)
            take_teach(browser, address, samples)
            take_jobs(browser, address)
            browser.close()


if __name__ == "__main__":
    main()
