"""Fonts for legends: one of this machine that knows many scripts, or else the one that comes with Pillow."""

from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_WIDE_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arialuni.ttf", "arial.ttf")
_NO_CHARACTER = "\uffff"


def load_font(size: int) -> Font:
    """Return a font of a size in pixels."""
    for name in _WIDE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue  # it is not installed here
    return ImageFont.load_default(size)


def shown_in(font: Font, text: str, instead: str) -> str:
    """Return a text when the font has all of its characters, something else when it would show empty boxes."""
    if isinstance(font, ImageFont.ImageFont):
        return text if text.isascii() else instead
    return text if all(_has(font, character) for character in set(text)) else instead


@lru_cache(maxsize=4096)
def _has(font: ImageFont.FreeTypeFont, character: str) -> bool:
    if character.isspace():
        return True
    drawn, missing = font.getmask(character), font.getmask(_NO_CHARACTER)
    return drawn.size != missing.size or bytes(drawn) != bytes(missing)
