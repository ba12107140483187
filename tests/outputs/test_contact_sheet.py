import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

from freeda_svc.outputs import write_collections, write_image_files
from freeda_svc.outputs.files import content_digest
from tests.outputs.kept_results import make_picture

NAMES = ("sky", 'b<i>"&\n\x07', "собака")


class Page(HTMLParser):
    """What a page refers to, by element, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [
            attributes[attribute] or "" for name, attributes in self.elements if name == tag and attribute in attributes
        ]


def make(tmp_path: Path) -> tuple[Page, str]:
    labels = np.zeros((600, 900), dtype=np.int32)
    labels[:, 450:] = 1
    labels[:200] = -1
    pictures = [
        make_picture(tmp_path, labels, NAMES, stem="a b/#1 100%?<x>"),
        make_picture(tmp_path, np.full((40, 20), 2), NAMES, stem="two", number=2),
    ]
    for picture in pictures:
        write_image_files(picture, tmp_path / "out", ["mask", "overlay"])
    (tmp_path / "out/a b/#1 100%?<x>.evidence.html").write_text("why")
    write_collections(pictures, tmp_path / "out", ["index"])
    text = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    return Page(text), text


def test_every_link_leads_to_a_file_of_the_folder(tmp_path: Path) -> None:
    page, _ = make(tmp_path)
    addresses = [*page.all("a", "href"), *(source for source in page.all("img", "src") if source)]
    assert len(addresses) == 2 + 3 + 2 + 2  # large ones, files of each, small ones
    for address in addresses:
        parts = urlsplit(address)
        assert not parts.scheme
        assert not parts.query
        assert (tmp_path / "out" / unquote(parts.path)).is_file()
    assert sum(address.endswith(".evidence.html") for address in addresses) == 1


def test_small_pictures_are_loaded_when_they_are_looked_at(tmp_path: Path) -> None:
    page, _ = make(tmp_path)
    shots = [attributes for tag, attributes in page.elements if tag == "img" and attributes.get("src")]
    assert [shot["loading"] for shot in shots] == ["lazy", "lazy"]
    assert [(shot["width"], shot["height"]) for shot in shots] == [("360", "240"), ("20", "40")]
    for shot in shots:
        with Image.open(tmp_path / "out" / unquote(shot["src"] or "")) as image:
            assert image.size == (int(shot["width"] or 0), int(shot["height"] or 0))


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    page, text = make(tmp_path)
    assert "<i>" not in text
    assert "#1 100%?<x>.png" in page.text
    assert r'b<i>"&\n\x07' in page.text
    assert "\x07" not in text
    assert page.all("button", "data-category") == ['b<i>"&\\n\\x07', "sky", "собака"]


def test_swatches_have_the_colours_of_the_small_picture(tmp_path: Path) -> None:
    page, _ = make(tmp_path)
    colours = [bytes.fromhex(fill[1:]) for fill in page.all("rect", "fill")]
    with Image.open(tmp_path / "out" / unquote(page.all("img", "src")[0])) as image:
        pixels = np.asarray(image.convert("RGB")).astype(float)
    # the picture is noise around grey: unknown above, two categories below
    for colour, part in zip(colours[:2], [pixels[84:, :176], pixels[84:, 184:]], strict=True):
        assert np.abs(part.reshape(-1, 3).mean(axis=0) - list(colour)).max() < 6
    unknown = pixels[:76]
    assert np.ptp(unknown, axis=2).max() < 6  # grey, and hatched
    assert np.abs(np.median(unknown) - list(colours[2])).max() < 10
    assert np.ptp(list(colours[2])) <= 1
    assert 0.1 < (unknown > 170).mean() < 0.4
    assert page.all("img", "class") == ["photo", "tiny"]


def test_the_page_asks_nothing_of_any_network_and_runs_its_own_script_only(tmp_path: Path) -> None:
    page, text = make(tmp_path)
    [policy] = [
        attributes["content"] or ""
        for tag, attributes in page.elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert (len(style), len(script)) == (1, 1)
    assert f"style-src 'sha256-{content_digest(style[0])}'" in policy
    assert f"script-src 'sha256-{content_digest(script[0])}'" in policy
    assert not [attributes for _, attributes in page.elements if "style" in attributes or "onclick" in attributes]


def test_it_is_written_again_for_other_images(tmp_path: Path) -> None:
    make(tmp_path)
    picture = make_picture(tmp_path, np.zeros((4, 4), dtype=int), NAMES, stem="three", number=3)
    write_collections([picture], tmp_path / "out", ["index"])
    assert [path.name for path in (tmp_path / "out/index").iterdir()] == ["three.jpg"]
    assert "1 image<" in (tmp_path / "out/index.html").read_text()


STEPS = """
const tell = [];
const at = (id) => document.getElementById(id);
const state = () => [at("viewer").open, at("viewer-name").textContent, at("place").textContent, at("previous").disabled,
  at("next").disabled, at("picture").naturalWidth > 0, location.hash];
const press = (key) => at("viewer").dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
addEventListener("load", () => steps().catch((error) => tell.push(String(error))).finally(() => {
  const result = document.createElement("pre");
  result.id = "told";
  result.textContent = JSON.stringify(tell);
  document.body.append(result);
}));
const loaded = () => at("picture").complete || new Promise((done) => at("picture").addEventListener("load", done));
async function steps() {
  const image = (number) => document.querySelector(`#image-${number} .shot`);
  image(1).click();
  await loaded();
  tell.push(state());
  press("ArrowRight");
  await loaded();
  tell.push(state(), at("about").querySelectorAll("a").length);
  press("ArrowRight");
  press("ArrowLeft");
  tell.push(at("viewer-name").textContent);
  at("close").click();
  tell.push([at("viewer").open, location.hash]);
  at("filter").value = "СОБАКА";
  at("filter").dispatchEvent(new Event("input"));
  tell.push([at("found").textContent, image(1).checkVisibility(), image(2).checkVisibility()]);
  at("filter").value = "";
  document.querySelector("#categories button").click();
  tell.push(at("found").textContent);
}
"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.slow
def test_a_browser_goes_from_image_to_image_and_filters(tmp_path: Path) -> None:
    _, text = make(tmp_path)
    page = tmp_path / "out/steps.html"
    # the page as it is, but for its policy, which lets no further script run
    page.write_text(re.sub(r"<meta http-equiv.*?>", "", text).replace("</body>", f"<script>{STEPS}</script></body>"))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    command += [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command += ["--virtual-time-budget=5000", "--dump-dom", page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r'<pre id="told">(.*?)</pre>', ran.stdout)
    assert found, ran.stdout[-2000:]
    first, second, links, back, closed, filtered, of_category = json.loads(html.unescape(found.group(1)))
    assert first == [True, "a b/#1 100%?<x>.png", "1 / 2", True, False, True, "#image-1"]
    assert second == [True, "two.png", "2 / 2", False, True, True, "#image-2"]
    assert links == 2
    assert back == "a b/#1 100%?<x>.png"
    assert closed == [False, ""]
    assert filtered == ["1 of 2", False, True]
    assert of_category == "1 of 2"
