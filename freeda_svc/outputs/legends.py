"""Legends: what a picture shows, in the colours that it shows it in."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from freeda_svc.outputs.fonts import Lettering, letter

PAPER = (255, 255, 255)
UNKNOWN_NAME = "unknown"

_INK, _MUTED = (32, 32, 32), (120, 120, 120)
_LEAST_ROWS = 8
_LONGEST_NAME = 28
_UNSEEN = frozenset(("Cc", "Cs", "Zl", "Zp"))
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u00ad")
_RISE = 0.36  # of the letters' middle above their base line, in sizes


@dataclass(frozen=True, eq=False)
class Entry:
    """A line of a legend.

    Attributes:
        name: what it says.
        share: of the picture; empty where there is none.
        swatch: (s, s, 3) uint8 to show before it, s as many pixels as the size of letters; None for a remark.
        instead: what to say where no font has the name's characters.
    """

    name: str
    share: str = ""
    swatch: npt.NDArray[np.uint8] | None = None
    instead: str = ""


@dataclass(frozen=True)
class _Row:
    entry: Entry
    name: Lettering
    share: Lettering

    def draw(self, legend: Image.Image, place: tuple[int, int], width: int, size: int) -> None:
        """Draw it from the left end of its middle line at ``place``."""
        left, middle = place
        draw, base = ImageDraw.Draw(legend), middle + round(size * _RISE)
        ink = _MUTED
        if self.entry.swatch is not None:
            top, ink = middle - size // 2, _INK
            draw.rectangle((left - 1, top - 1, left + size, top + size), outline=_INK)
            legend.paste(Image.fromarray(self.entry.swatch), (left, top))
        self.name.draw(draw, (left + size + size // 2, base), ink)
        self.share.draw(draw, (left + width - self.share.width, base), ink)


def short_name(name: str) -> str:
    """Return a name on one line, cut where it is too long; control characters are left out."""
    kept = (character if unicodedata.category(character) not in _UNSEEN else " " for character in name)
    folded = " ".join("".join(character for character in kept if character not in _DIRECTIONS).split())
    return folded if len(folded) <= _LONGEST_NAME else f"{folded[: _LONGEST_NAME - 3].rstrip()}..."


def percent(share: float) -> str:
    """Return a share, 0 to 1, as people read it."""
    return f"{round(100 * share) or '<1'} %"


def draw_legend(entries: Sequence[Entry], height: int, size: int) -> Image.Image:
    """Draw entries in as many columns as the height asks for.

    Args:
        entries: at least one.
        height: of the picture beside it, pixels.
        size: of letters, pixels.
    """
    line = size * 3 // 2
    rows = min(len(entries), max(_LEAST_ROWS, (height - line) // line))
    columns = [
        [_Row(entry, letter(entry.name, size, entry.instead), letter(entry.share, size, "")) for entry in part]
        for part in (entries[start : start + rows] for start in range(0, len(entries), rows))
    ]
    gap = size // 2
    names = [ceil(max(row.name.width for row in column)) for column in columns]
    shares = [ceil(max(row.share.width for row in column)) for column in columns]
    widths = [4 * gap + size + name + share for name, share in zip(names, shares, strict=True)]
    legend = Image.new("RGB", (sum(widths) + gap, rows * line + line), PAPER)
    left = gap
    for column, width in zip(columns, widths, strict=True):
        for number, row in enumerate(column):
            row.draw(legend, (left, line // 2 + number * line + line // 2), width - 2 * gap, size)
        left += width
    return legend
