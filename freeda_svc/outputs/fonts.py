"""Text in any script: each character in the first font that has it.

The fonts are those of the packages ``manimgx-fonts`` and ``manimgx-fonts-cjk`` (Noto, the extra ``fonts``), where they
are installed, those of this machine, and the one that comes with Pillow.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from math import ceil
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

_PACKAGE, _EAST_ASIAN_PACKAGE, _EAST_ASIAN_FILE = "manimgx_fonts", "manimgx_fonts_cjk", "NotoSansCJK-VF.otf.ttc"
_LATIN = "NotoSans[wght].ttf"
_LAST = ("NotoSansSymbols[wght].ttf", "NotoEmoji[wght].ttf")
_LEFT_OUT = ("NotoSans-Italic[wght].ttf",)
_OF_THE_MACHINE = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arialuni.ttf", "arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "msyh.ttc", "malgun.ttf", "Hiragino Sans GB.ttc"),
)
_JAPANESE, _KOREAN, _CHINESE = 0, 1, 2
"""Places of the languages in the file of East Asian fonts: the same characters look different in each."""

_NO_CHARACTER = "\uffff"
_REGULAR = 400
_OUTLINES_A_SIZE = 10
_JOINER = "\u200d"
_RIGHT_TO_LEFT = frozenset(("R", "AL"))
_DRAWS_NOTHING = frozenset(("Cf", "Mn"))  # joiners, variation selectors, marks: a run keeps them

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Lettering:
    """A line of text, ready to be drawn.

    Attributes:
        runs: pieces that one font has all characters of, from left to right as they are drawn.
        width: pixels.
        above: pixels that its ink goes above the base line.
        below: pixels that it goes below.
        outline: width of an outline, pixels.
    """

    runs: tuple[tuple[Font, str], ...]
    width: float
    above: int
    below: int
    outline: int

    def draw(self, draw: ImageDraw.ImageDraw, place: tuple[float, float], ink: Rgb, around: Rgb | None = None) -> None:
        """Draw it from the left end of its base line at ``place``, with an outline in another colour, if any."""
        left, base = place
        for font, text in self.runs:
            if isinstance(font, ImageFont.ImageFont):  # Pillow without FreeType: one small font of fixed pixels
                draw.text((left, base - self.above), text, fill=ink, font=font)
            elif around is None:
                draw.text((left, base), text, fill=ink, font=font, anchor="ls")
            else:
                width = self.outline
                draw.text((left, base), text, fill=ink, font=font, anchor="ls", stroke_width=width, stroke_fill=around)
            left += font.getlength(text)


def letter(text: str, size: int, instead: str) -> Lettering:
    """Set a line of text.

    Args:
        text: one line.
        size: pixels.
        instead: plain text, for when no font has all of its characters.
    """
    return _set(text, size) or _set(instead, size) or _measured([(ImageFont.load_default(size), instead)], size)


def is_readable(text: str, size: int) -> bool:
    """Whether there are fonts for all characters of a line of text."""
    return not text or _set(text, size) is not None


def _set(text: str, size: int) -> Lettering | None:
    runs: list[tuple[Font, str]] = []
    for cluster in clusters(text):
        font = _font_for(cluster, text, size, before=runs[-1][0] if runs else None)
        if font is None:
            return None
        if runs and runs[-1][0] is font:
            runs[-1] = (font, runs[-1][1] + cluster)
        else:
            runs.append((font, cluster))
    if not runs:
        return None
    if next((kind for kind in map(unicodedata.bidirectional, text) if kind in _RIGHT_TO_LEFT | {"L"}), "L") != "L":
        runs.reverse()
    return _measured(runs, size)


def _measured(runs: Sequence[tuple[Font, str]], size: int) -> Lettering:
    boxes = [font.getbbox(text, anchor="ls") for font, text in runs if isinstance(font, ImageFont.FreeTypeFont)]
    above = max((ceil(-top) for _, top, _, _ in boxes), default=size)
    below = max((ceil(bottom) for _, _, _, bottom in boxes), default=0)
    width = sum(font.getlength(text) for font, text in runs)
    return Lettering(tuple(runs), width, above, max(0, below), max(1, round(size / _OUTLINES_A_SIZE)))


def clusters(text: str) -> Iterator[str]:
    """Cut a text into characters, each with the marks and joined characters that follow it."""
    cluster = ""
    for character in text:
        if cluster and (unicodedata.category(character) in _DRAWS_NOTHING or cluster.endswith(_JOINER)):
            cluster += character
            continue
        if cluster:
            yield cluster
        cluster = character
    if cluster:
        yield cluster


def _font_for(cluster: str, text: str, size: int, before: Font | None) -> Font | None:
    """The font of the run before, where it has the characters and they need no other; else the first that does."""
    first = cluster[0]
    if unicodedata.bidirectional(first) in _RIGHT_TO_LEFT and not features.check("raqm"):
        return None  # without it such text would come out backwards
    if before is not None and not first.isalnum() and _has_all(before, cluster):
        return before
    for face in font_files(_east_asian_place(text)):
        font = _load(face, size)
        if font is not None and _has_all(font, cluster):
            return font
    return None


def _east_asian_place(text: str) -> int:
    names = {unicodedata.name(character, "").partition(" ")[0] for character in text if not character.isascii()}
    if names & {"HIRAGANA", "KATAKANA"}:
        return _JAPANESE
    return _KOREAN if "HANGUL" in names else _CHINESE


@dataclass(frozen=True)
class Face:
    """A font in a file, at a place of it, in a weight; an empty file means the font that comes with Pillow."""

    file: str
    place: int = 0
    weight: int | None = None


@lru_cache(maxsize=8)
def font_files(east_asian_place: int) -> tuple[Face, ...]:
    """Return the fonts in which characters are looked for, in this order; the packages are searched once.

    Args:
        east_asian_place: of the language in the file of East Asian fonts.
    """
    packaged = _files(_PACKAGE)
    first = [Face(packaged[_LATIN])] if _LATIN in packaged else []
    last = [Face(packaged[name]) for name in _LAST if name in packaged]
    scripts = [Face(file) for name, file in packaged.items() if name not in {_LATIN, *_LAST, *_LEFT_OUT}]
    east_asian = _files(_EAST_ASIAN_PACKAGE)
    if _EAST_ASIAN_FILE in east_asian:
        scripts.append(Face(east_asian[_EAST_ASIAN_FILE], east_asian_place, _REGULAR))
    machine = [Face(name) for name in _OF_THE_MACHINE]
    return (*first, *scripts, *machine, Face(""), *last)


def _files(package: str) -> dict[str, str]:
    try:
        folder = resources.files(package)
    except ModuleNotFoundError:
        return {}
    if not isinstance(folder, Path):
        return {}  # inside an archive, where FreeType cannot open them
    return {path.name: str(path) for path in sorted(folder.iterdir()) if path.suffix in {".ttf", ".ttc"}}


@lru_cache(maxsize=256)
def _load(face: Face, size: int) -> Font | None:
    if not face.file:
        return ImageFont.load_default(size)
    try:
        font = ImageFont.truetype(face.file, size, index=face.place)
        if face.weight is not None:
            font.set_variation_by_axes([face.weight])
    except (OSError, NotImplementedError):
        return None  # it is not installed here, or FreeType is too old to set a weight
    return font


def _has_all(font: Font, cluster: str) -> bool:
    return all(_has(font, character) for character in cluster)


@lru_cache(maxsize=16384)
def _has(font: Font, character: str) -> bool:
    if character.isspace() or unicodedata.category(character) == "Cf" or "\ufe00" <= character <= "\ufe0f":
        return True
    if isinstance(font, ImageFont.ImageFont):
        return character.isascii()
    drawn, missing = font.getmask(character), font.getmask(_NO_CHARACTER)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)
