"""Pictures to look at: the image under its labels, with a legend beside it."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from freeda_svc.errors import InputError
from freeda_svc.outputs.differences import TINT
from freeda_svc.outputs.files import check_suffix, write_whole
from freeda_svc.outputs.fonts import is_readable, letter
from freeda_svc.outputs.legends import PAPER, Entry, draw_legend, percent, short_name
from freeda_svc.outputs.masks import UNKNOWN, check_labels
from freeda_svc.outputs.palettes import UNKNOWN_SHOWN
from freeda_svc.outputs.patterns import PLAIN, UNKNOWN_PATTERN, choose_patterns, draw_pattern
from freeda_svc.outputs.region_names import place_names

LEAST_LONG_SIDE = 512
"""Smaller pictures are enlarged by a whole factor until their longer side has this many pixels."""

MOST_LONG_SIDE = 4096
"""Larger pictures are reduced by a whole factor until their longer side has at most this many pixels."""

_ROWS_AT_ONCE = 256
_FAST = 1  # the best compression takes ten times as long for a tenth of the bytes
_LEAST_FONT, _FONTS_A_LONG_SIDE = 17, 40
_NAME_SIZES = (1.15, 0.95, 0.75)  # of names on regions, in sizes of the legend's letters
_UNKNOWN_NAME = "unknown"
_MORE_FONTS = "more scripts: freeda-svc[fonts]"
_LUMINANCE = np.array((0.2126, 0.7152, 0.0722), dtype=np.float32)
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def _scaled(
    image: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.integer]]:
    """Enlarge a small picture and its labels, or reduce a large one, by a whole factor."""
    longest = max(labels.shape)
    if longest > MOST_LONG_SIDE:
        factor = ceil(longest / MOST_LONG_SIDE)
        reduced = np.asarray(Image.fromarray(image).reduce(factor))
        rows, columns = (
            np.minimum(np.arange(count) * factor + factor // 2, whole - 1)  # the last one may be of less than a factor
            for count, whole in zip(reduced.shape, labels.shape, strict=False)
        )
        return reduced, labels[rows[:, None], columns]
    factor = max(1, ceil(LEAST_LONG_SIDE / longest))
    if factor == 1:
        return image, labels
    size = labels.shape[1] * factor, labels.shape[0] * factor
    enlarged = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    return enlarged, labels.repeat(factor, axis=0).repeat(factor, axis=1)


def blend(
    image: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], colours: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Lay the colours over the image; what is unknown loses its own colours and becomes grey.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) integers, -1 where unknown.
        colours: (N, 3) uint8, RGB.

    Returns:
        (H, W, 3) uint8.
    """
    tints = np.vstack((colours, [UNKNOWN_SHOWN])).astype(np.float32) * TINT  # UNKNOWN, -1, is the last one
    blended = np.empty_like(image)
    for start in range(0, len(image), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        under = image[rows].astype(np.float32)
        unknown = labels[rows] == UNKNOWN
        under[unknown] = (under[unknown] @ _LUMINANCE)[:, None]
        mixed = under * (1 - TINT) + tints[labels[rows]]
        blended[rows] = mixed.round().astype(np.uint8)
    return blended


def mean_colours(
    blended: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], categories: int
) -> npt.NDArray[np.float64]:
    """Return the (N + 1, 3) mean colour of each category as it is shown, of what is unknown first; NaN where absent."""
    places = labels.ravel() + 1
    counts = np.bincount(places, minlength=categories + 1)
    sums = [
        np.bincount(places, weights=blended[..., channel].ravel(), minlength=categories + 1) for channel in range(3)
    ]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.stack(sums, axis=1) / counts[:, None])


def _draw_borders(blended: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> None:
    """Draw a white line where two categories meet."""
    edges = np.zeros(labels.shape, dtype=bool)
    edges[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edges[1:] |= labels[1:] != labels[:-1]
    blended[edges] = _WHITE


def _draw_names(picture: Image.Image, labels: npt.NDArray[np.integer], names: Mapping[int, str], size: int) -> None:
    """Write names into the regions in which they fit, in white with a black outline, so that they are read on any."""
    lines = {
        category: [letter(short_name(name), round(size * of_size), "") for of_size in _NAME_SIZES]
        for category, name in names.items()
    }
    boxes = {
        category: [(ceil(line.width) + 4 * line.outline, line.above + line.below + 4 * line.outline) for line in sized]
        for category, sized in lines.items()
        if sized[0].width
    }
    draw = ImageDraw.Draw(picture)
    for place in place_names(labels, boxes):
        line = lines[place.category][place.choice]
        margin = 2 * line.outline
        line.draw(draw, (place.left + margin, place.top + margin + line.above), _WHITE, _BLACK)


def draw_overlay(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    palette: npt.NDArray[np.uint8],
) -> Image.Image:
    """Draw an image under the colours of its labels, with a legend at its right.

    The legend lists the categories in the picture by area, each beside its mean colour as it is shown, half of it the
    image's; what is unknown is grey and hatched. Large regions have their names on them. Where colours are too much
    alike as they are shown, the smaller category is hatched, too. Small images are enlarged so that it can be read,
    and very large ones reduced so that viewers can open them.

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
    blended = blend(shown, of_shown, palette[: len(names)])
    size = max(_LEAST_FONT, min(max(labels.shape), MOST_LONG_SIDE) // _FONTS_A_LONG_SIDE)
    pixels = np.bincount(labels.ravel() + 1, minlength=len(names) + 1)
    present = [int(index) for index in np.argsort(-pixels[1:], kind="stable") if pixels[index + 1]]
    present += [UNKNOWN] if pixels[0] else []
    means = mean_colours(blended, of_shown, len(names))
    # a category of a few pixels may be lost where a picture is reduced
    looks = {n: _on_grey(palette, n) if np.isnan(means[n + 1, 0]) else means[n + 1] for n in present}
    patterns = choose_patterns(looks, sorted(present, key=lambda label: label != UNKNOWN), {UNKNOWN: UNKNOWN_PATTERN})
    for label in [label for label in present if patterns[label] != PLAIN]:
        draw_pattern(blended, of_shown == label, patterns[label], looks[label], size // 2)
    _draw_borders(blended, of_shown)
    picture = Image.fromarray(blended)
    _draw_names(picture, of_shown, {n: _UNKNOWN_NAME if n == UNKNOWN else names[n] for n in present}, size)
    entries = [
        Entry(
            _UNKNOWN_NAME if label == UNKNOWN else short_name(names[label]),
            percent(pixels[label + 1] / labels.size),
            _swatch(looks[label], patterns[label], size),
            instead=f"category {label + 1}",
        )
        for label in present
    ]
    missing = len(names) - np.count_nonzero(pixels[1:])
    entries += [Entry(f"not found: {missing} of {len(names)}")] if missing else []
    if not all(is_readable(entry.name, size) for entry in entries):
        entries.append(Entry(_MORE_FONTS))
    legend = draw_legend(entries, picture.height, size)
    sheet = Image.new("RGB", (picture.width + legend.width, max(picture.height, legend.height)), PAPER)
    sheet.paste(picture, (0, 0))
    sheet.paste(legend, (picture.width, 0))
    return sheet


def _swatch(colour: npt.NDArray[np.float64], pattern: int, size: int) -> npt.NDArray[np.uint8]:
    swatch = np.empty((size, size, 3), dtype=np.uint8)
    swatch[:] = np.round(colour)
    draw_pattern(swatch, np.ones((size, size), dtype=np.bool_), pattern, colour, size // 2)
    return swatch


def _on_grey(palette: npt.NDArray[np.uint8], label: int) -> npt.NDArray[np.float64]:
    colour = np.array(UNKNOWN_SHOWN if label == UNKNOWN else palette[label], dtype=np.float64)
    return np.asarray(colour * TINT + 128 * (1 - TINT))


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
