import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, features

from freeda_svc.outputs import fonts
from freeda_svc.outputs.fonts import Lettering, letter

SCRIPTS = {
    "Cyrillic": "собака",
    "Greek": "σκύλος",
    "Han": "草地",
    "Kana": "犬ワンちゃん",
    "Hangul": "강아지",
    "Devanagari": "घास",
    "Thai": "หญ้า",
    "Georgian": "სახლი",
    "Amharic": "ሣር",
    "emoji": "🐶🦴",
}
RIGHT_TO_LEFT = {"Hebrew": "דשא", "Arabic": "عشب"}


def drawn(line: Lettering) -> np.ndarray:
    canvas = Image.new("L", (400, 80), 0)
    colours = Image.new("RGB", canvas.size)
    line.draw(ImageDraw.Draw(colours), (10, 50), (255, 255, 255))
    return np.asarray(colours)[..., 0]


@pytest.mark.parametrize("script", [*SCRIPTS, *RIGHT_TO_LEFT])
def test_a_package_of_fonts_covers_the_script(script: str) -> None:
    for package in ("manimgx_fonts", "manimgx_fonts_cjk"):
        pytest.importorskip(package, reason="pip install 'freeda-svc[fonts]'")
    if script in RIGHT_TO_LEFT and not features.check("raqm"):
        pytest.skip("Pillow finds no libfribidi here, which puts letters in order from right to left")
    text = (SCRIPTS | RIGHT_TO_LEFT)[script]
    line = letter(text, 20, "instead")
    assert "".join(part for _, part in line.runs) == text
    assert not np.array_equal(drawn(line), drawn(letter("instead", 20, "")))
    letters = {drawn(letter(character, 20, "")).tobytes() for character in text}
    assert len(letters) > len(set(text)) / 2  # not one box for all


@pytest.mark.parametrize("packages", [True, False])
def test_what_no_font_has_is_said_in_other_words(packages: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not packages:
        monkeypatch.setitem(sys.modules, "manimgx_fonts", None)
        monkeypatch.setitem(sys.modules, "manimgx_fonts_cjk", None)
    fonts.font_files.cache_clear()
    for text in ("\ue000", "dog \U0010ffff"):  # characters for private use
        assert [part for _, part in letter(text, 20, "category 4").runs] == ["category 4"]
    assert [part for _, part in letter("dog house", 20, "category 4").runs] == ["dog house"]
    fonts.font_files.cache_clear()


def test_text_in_several_scripts_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("manimgx_fonts_cjk", reason="pip install 'freeda-svc[fonts]'")
    line = letter("dog 犬, cat", 20, "")
    assert len(line.runs) > 1
    assert "".join(part for _, part in line.runs) == "dog 犬, cat"
    assert line.width == pytest.approx(sum(font.getlength(part) for font, part in line.runs))


def test_marks_and_joined_characters_stay_together() -> None:
    assert list(fonts.clusters("e\u0301a")) == ["e\u0301", "a"]
    assert list(fonts.clusters("\U0001f469\u200d\U0001f680x")) == ["\U0001f469\u200d\U0001f680", "x"]


def test_without_the_library_for_it_text_from_right_to_left_is_not_drawn_backwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "raqm")
    assert [part for _, part in letter(RIGHT_TO_LEFT["Arabic"], 20, "category 1").runs] == ["category 1"]


def test_ink_stays_within_the_measured_box() -> None:
    for text in ("Ågypt", "xyz"):
        line = letter(text, 30, "")
        canvas = Image.new("RGB", (300, 120))
        line.draw(ImageDraw.Draw(canvas), (20, 60), (255, 255, 255), (255, 0, 0))
        rows, columns = np.nonzero(np.asarray(canvas)[..., 0])
        assert rows.min() >= 60 - line.above - line.outline - 1
        assert rows.max() <= 60 + line.below + line.outline + 1
        assert columns.max() <= 20 + line.width + line.outline + 2


def test_an_empty_text_has_no_width() -> None:
    assert letter("", 20, "").width == 0
