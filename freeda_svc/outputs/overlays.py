"""Pictures to look at: the image under its labels, with a legend beside it."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from freeda_svc.errors import InputError
from freeda_svc.images import ImageSource, load_image
from freeda_svc.outputs.blending import blend, shown_means
from freeda_svc.outputs.files import check_suffix, write_whole
from freeda_svc.outputs.fonts import is_readable, letter
from freeda_svc.outputs.legends import PAPER, UNKNOWN_NAME, Entry, draw_legend, percent, short_name
from freeda_svc.outputs.masks import UNKNOWN, check_labels, pixels_by_label
from freeda_svc.outputs.patterns import PLAIN, UNKNOWN_PATTERN, choose_patterns, draw_pattern
from freeda_svc.outputs.region_names import place_names

LEAST_LONG_SIDE = 512
"""Smaller pictures are enlarged by a whole factor until their longer side has this many pixels."""

MOST_LONG_SIDE = 4096
"""Larger pictures are reduced by a whole factor until their longer side has at most this many pixels."""

_FAST = 1  # the best compression takes ten times as long for a tenth of the bytes
_LEAST_FONT, _FONTS_A_LONG_SIDE = 17, 40
_NAME_SIZES = (1.15, 0.95, 0.75)  # of names on regions, in sizes of the legend's letters
_MORE_FONTS = "more scripts: freeda-svc[fonts]"
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
    image: ImageSource,
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
        image: (H, W, 3) uint8, RGB, or what else ``load_image`` takes.
        labels: (H, W) integers, indices into ``names``, or -1 where unknown.
        names: of the categories.
        palette: (n, 3) uint8, RGB, at least one colour per name.

    Returns:
        An RGB picture.

    Raises:
        InputError: shapes do not fit together, or a label has no name or no colour.
    """
    if len(palette) < len(names):
        raise InputError(f"expected a colour for each category, {len(names)}, not {len(palette)}")
    check_labels(labels, len(names))
    image = load_image(image)
    if image.shape[:2] != labels.shape:
        raise InputError(f"the image must be (H, W, 3) like the labels {labels.shape}, not {image.shape}")
    shown, of_shown = _scaled(image, labels)
    colours = palette[: len(names)]
    blended = blend(shown, of_shown, colours)
    size = max(_LEAST_FONT, min(max(labels.shape), MOST_LONG_SIDE) // _FONTS_A_LONG_SIDE)
    pixels = pixels_by_label(labels)
    colour = shown_means(blended, of_shown, colours, pixels)
    patterns = choose_patterns(colour, sorted(pixels, key=lambda label: label != UNKNOWN), {UNKNOWN: UNKNOWN_PATTERN})
    for label in [label for label in pixels if patterns[label] != PLAIN]:
        draw_pattern(blended, of_shown == label, patterns[label], colour[label], size // 2)
    _draw_borders(blended, of_shown)
    picture = Image.fromarray(blended)
    _draw_names(picture, of_shown, {n: UNKNOWN_NAME if n == UNKNOWN else names[n] for n in pixels}, size)
    entries = [
        Entry(
            UNKNOWN_NAME if label == UNKNOWN else short_name(names[label]),
            percent(count / labels.size),
            _swatch(colour[label], patterns[label], size),
            instead=f"category {label + 1}",
        )
        for label, count in pixels.items()
    ]
    missing = len(names) - len(pixels.keys() - {UNKNOWN})
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


def write_overlay(
    path: Path | str,
    image: ImageSource,
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    palette: npt.NDArray[np.uint8],
) -> None:
    """Write the picture that ``draw_overlay`` draws as a PNG file.

    Args:
        path: ends in .png; the folder exists.
        image: (H, W, 3) uint8, RGB, or what else ``load_image`` takes.
        labels: (H, W) integers, indices into ``names``, or -1 where unknown.
        names: of the categories.
        palette: (n, 3) uint8, RGB, at least one colour per name.

    Raises:
        InputError: the name ends otherwise, shapes do not fit together, or a label has no name or no colour.
        UnavailableError: the file cannot be written.
    """
    path = check_suffix(path, ".png")
    content = BytesIO()
    draw_overlay(image, labels, names, palette).save(content, format="PNG", compress_level=_FAST)
    write_whole(path, content.getvalue())
