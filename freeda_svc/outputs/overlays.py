"""Pictures to look at: the image under its labels, with a legend beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from freeda_svc.errors import InputError
from freeda_svc.outputs.files import check_suffix, write_whole
from freeda_svc.outputs.fonts import Font, load_font, shown_in
from freeda_svc.outputs.masks import check_labels
from freeda_svc.outputs.palettes import UNKNOWN_COLOUR

LEAST_LONG_SIDE = 512
"""Smaller pictures are enlarged by a whole factor until their longer side has this many pixels."""

MOST_LONG_SIDE = 4096
"""Larger pictures are reduced by a whole factor until their longer side has at most this many pixels."""

_OPACITY = 0.55
_ROWS_AT_ONCE = 256
_FAST = 1  # the best compression takes ten times as long for a tenth of the bytes
_PAPER, _INK, _MUTED = (255, 255, 255), (32, 32, 32), (120, 120, 120)
_LEAST_FONT, _FONTS_A_LONG_SIDE = 17, 40
_LONGEST_NAME = 28
_LEAST_ROWS = 8

Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class _Entry:
    text: str
    colour: Rgb | None


def _shorten(name: str) -> str:
    folded = " ".join(name.split())
    return folded if len(folded) <= _LONGEST_NAME else f"{folded[: _LONGEST_NAME - 3].rstrip()}..."


def _percent(share: float) -> str:
    return f"{round(100 * share) or '<1'} %"


def _entries(
    labels: npt.NDArray[np.integer], names: Sequence[str], palette: npt.NDArray[np.uint8], font: Font
) -> list[_Entry]:
    """List what is in the picture, the largest first, and how many categories are not."""
    pixels = np.bincount(labels.ravel() + 1, minlength=len(names) + 1)
    unknown, pixels = int(pixels[0]), pixels[1:]
    shown = [int(index) for index in np.argsort(-pixels, kind="stable") if pixels[index]]
    entries = []
    for index in shown:
        red, green, blue = (int(channel) for channel in palette[index])
        name = shown_in(font, _shorten(names[index]), f"category {index + 1}")
        entries.append(_Entry(f"{name}  {_percent(pixels[index] / labels.size)}", (red, green, blue)))
    if unknown:
        entries.append(_Entry(f"unknown  {_percent(unknown / labels.size)}", UNKNOWN_COLOUR))
    missing = len(names) - len(shown)
    if missing:
        entries.append(_Entry(f"not found: {missing} of {len(names)}", None))
    return entries


def _scaled(
    image: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.integer]]:
    """Enlarge a small picture and its labels, or reduce a large one, by a whole factor."""
    longest = max(labels.shape)
    if longest > MOST_LONG_SIDE:
        factor = ceil(longest / MOST_LONG_SIDE)
        reduced = np.asarray(Image.fromarray(image).reduce(factor))
        return reduced, labels[factor // 2 :: factor, factor // 2 :: factor][: reduced.shape[0], : reduced.shape[1]]
    factor = max(1, ceil(LEAST_LONG_SIDE / longest))
    if factor == 1:
        return image, labels
    size = labels.shape[1] * factor, labels.shape[0] * factor
    enlarged = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    return enlarged, labels.repeat(factor, axis=0).repeat(factor, axis=1)


def _blend(
    image: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], palette: npt.NDArray[np.uint8]
) -> Image.Image:
    """Lay the colours over the image, with a white line where two categories meet."""
    tints = np.vstack((palette, [UNKNOWN_COLOUR])).astype(np.float32) * _OPACITY  # UNKNOWN, -1, is the last one
    blended = np.empty_like(image)
    for start in range(0, len(image), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        mixed = image[rows].astype(np.float32) * (1 - _OPACITY) + tints[labels[rows]]
        blended[rows] = mixed.round().astype(np.uint8)
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    blended[edges] = 255
    return Image.fromarray(blended)


def _draw_legend(entries: Sequence[_Entry], height: int, font: Font, line: int) -> Image.Image:
    """Draw entries in as many columns as the height asks for."""
    rows = min(len(entries), max(_LEAST_ROWS, (height - line) // line))
    columns = [entries[start : start + rows] for start in range(0, len(entries), rows)]
    swatch, gap = line * 2 // 3, line // 2
    widths = [3 * gap + swatch + ceil(max(font.getlength(entry.text) for entry in column)) for column in columns]
    legend = Image.new("RGB", (sum(widths) + gap, rows * line + line), _PAPER)
    draw = ImageDraw.Draw(legend)
    left = gap
    for column, width in zip(columns, widths, strict=True):
        for number, entry in enumerate(column):
            top = line // 2 + number * line
            middle = top + line // 2
            if entry.colour is not None:
                draw.rectangle((left, middle - swatch // 2, left + swatch, middle + swatch // 2), entry.colour, _INK)
            ink = _MUTED if entry.colour is None else _INK
            draw.text((left + swatch + gap, middle), entry.text, fill=ink, font=font, anchor="lm")
        left += width
    return legend


def draw_overlay(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    palette: npt.NDArray[np.uint8],
) -> Image.Image:
    """Draw an image under the colours of its labels, with a legend at its right.

    The legend lists the categories in the picture by area. Small images are enlarged so that it can be read, and very
    large ones reduced so that viewers can open them.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) integers, indices into ``names``, or -1 where unknown.
        names: of the categories.
        palette: (n, 3) uint8, RGB, at least one colour a name.

    Returns:
        An RGB picture.

    Raises:
        InputError: shapes do not fit together, or a label has no name or no colour.
    """
    if len(palette) < len(names):
        raise InputError(f"{len(names)} categories need as many colours, not {len(palette)}")
    check_labels(labels, len(names))
    if image.shape != (*labels.shape, 3) or image.dtype != np.uint8:
        raise InputError(
            f"the image must be (H, W, 3) like the labels {labels.shape} and uint8, not {image.shape} {image.dtype}"
        )
    shown, of_shown = _scaled(image, labels)
    picture = _blend(shown, of_shown, palette[: len(names)])
    size = max(_LEAST_FONT, min(max(labels.shape), MOST_LONG_SIDE) // _FONTS_A_LONG_SIDE)
    font = load_font(size)
    legend = _draw_legend(_entries(labels, names, palette, font), picture.height, font, size * 3 // 2)
    sheet = Image.new("RGB", (picture.width + legend.width, max(picture.height, legend.height)), _PAPER)
    sheet.paste(picture, (0, 0))
    sheet.paste(legend, (picture.width, 0))
    return sheet


def write_overlay(
    path: Path,
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    palette: npt.NDArray[np.uint8],
) -> None:
    """Write the picture that ``draw_overlay`` draws as a PNG file.

    Args:
        path: ends in .png; the folder exists.
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) integers, indices into ``names``, or -1 where unknown.
        names: of the categories.
        palette: (n, 3) uint8, RGB, at least one colour a name.

    Raises:
        InputError: the name ends otherwise, shapes do not fit together, or a label has no name or no colour.
        UnavailableError: the file cannot be written.
    """
    check_suffix(path, ".png")
    content = BytesIO()
    draw_overlay(image, labels, names, palette).save(content, format="PNG", compress_level=_FAST)
    write_whole(path, content.getvalue())
