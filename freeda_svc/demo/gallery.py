"""The picture that the demonstration leaves behind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]

TILE = 128
GAP = 8
MARGIN = 150
HEADING = 34
CAPTION = 18
LEGEND = 34
PAPER, INK, FAINT = (255, 255, 255), (30, 30, 35), (110, 110, 120)


@dataclass(frozen=True)
class Row:
    """Pictures side by side, each (H, W, 3) uint8, with a label on the left and words below each."""

    label: str
    pictures: tuple[Picture, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Rows under one heading."""

    heading: str
    rows: tuple[Row, ...]


def colour_labels(labels: npt.NDArray[np.integer], palette: Picture) -> Picture:
    """Return (H, W, 3) uint8: each label (an index into ``palette``, (N, 3) uint8) in its colour."""
    coloured: Picture = palette[labels]
    return coloured


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _row_height(row: Row) -> int:
    return TILE + GAP + (CAPTION if row.words else 0)


def _draw_row(canvas: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    draw.multiline_text((GAP, top + TILE // 2), row.label, fill=INK, font=_font(14), anchor="lm")
    for column, picture in enumerate(row.pictures):
        left = MARGIN + column * (TILE + GAP)
        tile = Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.NEAREST)
        canvas.paste(tile, (left, top))
        if row.words:
            draw.text((left, top + TILE + 2), row.words[column], fill=FAINT, font=_font(12))


def _draw_legend(draw: ImageDraw.ImageDraw, names: Sequence[str], palette: Picture, top: int, width: int) -> None:
    left = MARGIN
    for name, colour in zip(names, palette, strict=False):
        advance = int(draw.textlength(name, font=_font(14))) + 34
        if left + advance > width:
            left, top = MARGIN, top + 22
        draw.rectangle((left, top, left + 14, top + 14), fill=tuple(int(value) for value in colour), outline=INK)
        draw.text((left + 19, top + 7), name, fill=INK, font=_font(14), anchor="lm")
        left += advance


def draw_gallery(sections: Sequence[Section], names: Sequence[str], palette: Picture) -> Image.Image:
    """Draw sections below each other and one legend for all masks.

    Args:
        sections: headings with rows of square pictures.
        names: the categories, in the order of the labels.
        palette: (N, 3) uint8 colours, one per category.
    """
    columns = max(len(row.pictures) for section in sections for row in section.rows)
    width = MARGIN + columns * (TILE + GAP) + GAP
    height = GAP + LEGEND + sum(HEADING + sum(_row_height(row) for row in part.rows) for part in sections)
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    top = GAP
    for number, section in enumerate(sections):
        draw.text((GAP, top + HEADING // 2), section.heading, fill=INK, font=_font(17), anchor="lm")
        top += HEADING
        for row in section.rows:
            _draw_row(canvas, draw, row, top)
            top += _row_height(row)
        if number == 0:
            _draw_legend(draw, names, palette, top + 4, width)
            top += LEGEND
    return canvas
