import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.outputs import palette, write_evidence, write_evidence_page
from freeda_svc.outputs.evidence_page import MOST_SIDE

HOSTILE = "</script><b>bold</b><!-- \u2028 & \"'"


class Page(HTMLParser):
    """Everything of a page that matters here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._open = attributes.get("id") or tag

    def handle_data(self, data: str) -> None:
        self.inside[self._open] = self.inside.get(self._open, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def values(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.inside[name])
        return found

    def attribute(self, name: str, attribute: str) -> str:
        return next(attributes[attribute] for _, attributes in self.tags if attributes.get("id") == name) or ""


def evidence(name: str = "ball", **prototype: str) -> dict[str, Any]:
    """Of an image of two regions: the first is of the category, the second unknown."""
    spoken = {
        "id": "p1",
        "text": name,
        "noun": name,
        "caption": f"a {name}",
        "spans": [[2, 2 + len(name)]],
        "origin": "generated",
        "key_score": 0.9,
        "agreement": 0.8,
        "contribution": 0.1,
        "image": "",
        "mask": "",
        **prototype,
    }
    return {
        "format": "freeda-evidence",
        "version": 1,
        "image": {"height": 4, "width": 6},
        "names": [name, "sky"],
        "categories": [
            {
                "index": 0,
                "name": name,
                "area_share": 0.5,
                "score": 0.6,
                "texts": [{"text": name, "retrieved": 1, "cosine": 0.8, "nouns": {name: 1}}],
                "prototypes": [spoken],
            }
        ],
        "unknown_share": 0.5,
        "map": {"height": 4, "width": 6, "runs": [0, 12, 1, 12]},
        "regions": {
            "regions": 2,
            "label": [0, -1],
            "pixels": [12, 12],
            "categories": [[0, 1], [1, 0]],
            "score": [[0.6, 0.5], [0.4, 0.3]],
            "local": [[0.7, 0.6], [0.5, 0.4]],
            "global": [[0.2, 0.1], [None, None]],
        },
        "proposals": None,
        "beta": 0.8,
        "local_similarity": "sigmoid",
        "aggregation": "mean_embedding",
        "pack": "abc",
        "bank": "default@1",
        "bank_changed": False,
    }


def image(height: int = 4, width: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def labels(height: int = 4, width: int = 6) -> np.ndarray:
    values = np.zeros((height, width), dtype=np.int32)
    values[height // 2 :] = -1
    return values


def write(folder: Path, values: dict[str, Any], title: str = "a.png", **given: np.ndarray) -> str:
    path = folder / "a.evidence.html"
    shown = {"image": image(), "labels": labels(), "colours": palette(2), **given}
    write_evidence_page(
        path, values, shown["image"], shown["labels"], colours=shown["colours"], artifacts=folder, title=title
    )
    return path.read_text(encoding="utf-8")


def pixels_of(uri: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_a_page_holds_the_evidence_as_it_is(tmp_path: Path) -> None:
    page = Page(write(tmp_path, evidence()))
    assert page.values("evidence") == evidence()
    assert page.values("pictures")["colours"] == palette(2).tolist()


def test_texts_from_outside_stay_texts(tmp_path: Path) -> None:
    values = evidence(HOSTILE, caption=HOSTILE, noun=HOSTILE)
    page = Page(write(tmp_path, values, title=HOSTILE))
    assert page.values("evidence") == values
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert all(tag != "b" for tag, _ in page.tags)
    assert page.inside["h1"] == HOSTILE == page.inside["title"]


def test_a_page_asks_nothing_of_any_network(tmp_path: Path) -> None:
    text = write(tmp_path, evidence())
    assert "http:" not in text
    assert "https:" not in text
    page = Page(text)
    sources = [value for _, attributes in page.tags for key, value in attributes.items() if key in {"src", "href"}]
    assert sources
    assert all(source is not None and source.startswith("data:image/") for source in sources)


def test_its_policy_allows_its_own_style_and_script_and_nothing_else(tmp_path: Path) -> None:
    text = write(tmp_path, evidence())
    policy = next(value["content"] for tag, value in Page(text).tags if value.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def test_the_mask_has_the_colours_of_the_labels_and_is_grey_where_unknown(tmp_path: Path) -> None:
    page = Page(write(tmp_path, evidence()))
    assert (pixels_of(page.attribute("picture", "src")) == image()).all()
    mask = pixels_of(page.attribute("mask", "src"))
    assert (mask[:2] == palette(1)[0]).all()
    assert (mask[2:] == 128).all()


def test_swatches_are_mixed_with_what_is_under_them(tmp_path: Path) -> None:
    pictures = Page(write(tmp_path, evidence())).values("pictures")
    assert len(pictures["under"]) == 3  # of what is unknown last; the second is in no pixel
    assert np.abs(image()[:2].mean(axis=(0, 1)) - pictures["under"][0]).max() <= 0.5
    assert pictures["under"][1] == [128, 128, 128] == pictures["unknown"]
    assert np.abs(image()[2:].mean(axis=(0, 1)) - pictures["under"][2]).max() <= 0.5


def test_a_large_photo_is_shown_reduced(tmp_path: Path) -> None:
    text = write(tmp_path, evidence(), image=image(1000, 3000), labels=labels(1000, 3000))
    page = Page(text)
    assert pixels_of(page.attribute("picture", "src")).shape == (427, MOST_SIDE, 3)
    assert pixels_of(page.attribute("mask", "src")).shape == (427, MOST_SIDE, 3)
    assert len(text) < 1_000_000


def test_a_prototype_is_shown_with_its_mask(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16, 3), 200, dtype=np.uint8)).save(tmp_path / "i.png")
    inside = np.zeros((16, 16), dtype=bool)
    inside[:8] = True
    Image.fromarray(inside).save(tmp_path / "m.png")
    page = Page(write(tmp_path, evidence(image="i.png", mask="m.png")))
    picture = pixels_of(page.values("pictures")["prototypes"]["p1"]).astype(int)
    height, width = picture.shape[:2]
    assert abs(picture[height // 4, width // 4] - 200).max() < 10
    assert abs(picture[height // 4, 3 * width // 4] - 200).max() < 10
    assert abs(picture[3 * height // 4, 3 * width // 4] - 50).max() < 10


@pytest.mark.parametrize("place", ["", "gone.png", "../outside.png"])
def test_pictures_that_were_not_kept_or_lie_outside_are_left_out(tmp_path: Path, place: str) -> None:
    Image.fromarray(image()).save(tmp_path / "outside.png")
    folder = tmp_path / "artifacts"
    folder.mkdir()
    assert Page(write(folder, evidence(image=place))).values("pictures")["prototypes"] == {"p1": None}
    absolute = evidence(image=str(tmp_path / "outside.png"))
    assert Page(write(folder, absolute)).values("pictures")["prototypes"] == {"p1": None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": image(5, 6)},
        {"image": image().astype(np.float32)},
        {"labels": np.full((4, 6), 2, dtype=np.int32)},
        {"colours": palette(1)},
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError):
        write(tmp_path, evidence(), **wrong)
    assert list(tmp_path.iterdir()) == []


def test_evidence_is_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.evidence.json"
    write_evidence(path, evidence("猫"))
    assert json.loads(path.read_text(encoding="utf-8")) == evidence("猫")
    with pytest.raises(InputError, match=r"must end in \.json"):
        write_evidence(tmp_path / "a.txt", evidence())


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_script_shows_the_region_under_the_pointer(tmp_path: Path) -> None:
    """The page's script runs on a document that is just enough for it."""
    proposed = {"nouns": 7, "categories": [{"noun": HOSTILE, "confidence": 0.756}]}
    text = write(tmp_path, {**evidence(HOSTILE), "proposals": proposed})
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    page = Page(text)
    (tmp_path / "evidence.json").write_text(page.inside["evidence"])
    (tmp_path / "pictures.json").write_text(page.inside["pictures"])
    stage = (Path(__file__).parent / "page_document.js").read_text()
    (tmp_path / "run.js").write_text(stage.replace("/* the script of the page */", script))
    done = subprocess.run(["node", tmp_path / "run.js"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["first"]["title"] == f"Region 0: {HOSTILE}"
    assert shown["first"]["rows"] == [
        [HOSTILE, "0.6000", "0.7000", "0.2000", ""],
        ["sky", "0.5000", "0.6000", "0.1000", "0.1000"],
    ]
    assert shown["first"]["cards"] == [f"a {HOSTILE}"]
    assert shown["held"]["title"] == shown["first"]["title"]  # the pointer moved on
    assert shown["second"]["title"] == "Region 1: unknown"
    assert shown["second"]["rows"][0] == ["sky", "0.4000", "0.5000", "not known", ""]
    assert shown["legend"] == [f"{HOSTILE}  50.0 %  confidence 0.76", "unknown 50.0 %", "not found: 1 of 2"]
    under, unknown = image()[:2].mean(axis=(0, 1)).round(), image()[2:].mean(axis=(0, 1)).round()
    for told, over, below in zip(shown["swatches"], (palette(1)[0], 128), (under, unknown), strict=True):
        mixed = np.array([int(channel) for channel in told[4:-1].split()])
        assert np.abs(mixed - (over * 0.55 + below * 0.45)).max() <= 1
