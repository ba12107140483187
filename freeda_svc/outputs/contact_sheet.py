"""An index of a folder of results: a page with a small picture of each image, which opens without any network."""

import html
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from freeda_svc.outputs.blending import blend, reduce_to, shown_means
from freeda_svc.outputs.dataset_folders import DatasetFolder
from freeda_svc.outputs.files import content_digest, page_part, write_whole
from freeda_svc.outputs.kept import SegmentedImage
from freeda_svc.outputs.legends import UNKNOWN_NAME, percent
from freeda_svc.outputs.masks import UNKNOWN, pixels_by_label
from freeda_svc.outputs.names import flat_names, plain_name
from freeda_svc.outputs.palettes import UNKNOWN_SHOWN
from freeda_svc.outputs.patterns import UNKNOWN_PATTERN, draw_pattern

INDEX = "index.html"
_FOLDER = "index"
_SIDE = 360
_QUALITY = 80
_TINY = 180
_HATCH = 8
_OVERLAY = "overlay"
_LINES = '<path d="M0 .4.6 1M.1-.1 1.1.9M.7-.1 1.1.3" stroke="#bbb" stroke-width=".12"/>'
"""The hatching of what is unknown, in a swatch."""

_FILES = {
    "evidence": ".evidence.html",
    _OVERLAY: ".overlay.png",
    "mask": ".mask.png",
    "scores": ".scores.png",
    "polygons": ".geojson",
    "summary": ".json",
}
"""Files of an image that are linked where they are there, by how they are called."""


def write_index(
    out: Path,
    pictures: Sequence[SegmentedImage],
    **_options: Any,  # noqa: ANN401 - of other formats
) -> list[Path]:
    """Write a page that shows all images with what they show, and links to their files.

    Args:
        out: the folder of results; small pictures go to ``index`` in it.
        pictures: the images, each perhaps with categories of its own.

    Returns:
        What was written.

    Raises:
        InputError: a page that freeda did not write is in the way.
        NotFoundError: what was kept of a result is gone.
        UnavailableError: the folder cannot be written.
    """
    small = [f"{_FOLDER}/{name}.jpg" for name in flat_names([picture.image.stem for picture in pictures])]
    folder = DatasetFolder(out, [*small, INDEX])
    images = [_show(picture, out, file, folder.path(file)) for picture, file in zip(pictures, small, strict=True)]
    showing = Counter(name for image in images for name in {part.name for part in image.parts if part.known})
    style, script = page_part("index.css"), page_part("index.js")
    page = Template(page_part("index.html")).substitute(
        style=style,
        script=script,
        style_hash=content_digest(style),
        script_hash=content_digest(script),
        count=f"{len(pictures):,} image{'' if len(pictures) == 1 else 's'}",
        categories="".join(
            f'<li><button type="button" data-category="{_escaped(name)}">'
            f"<bdi>{_escaped(name)}</bdi> {count}</button></li>"
            for name, count in sorted(showing.items(), key=lambda entry: (-entry[1], entry[0]))
        ),
        images="\n".join(image.as_html(number) for number, image in enumerate(images, start=1)),
    )
    write_whole(folder.path(INDEX), page.encode())
    return folder.finish()


@dataclass(frozen=True)
class _Part:
    """A category that an image shows."""

    name: str
    known: bool
    colour: tuple[int, int, int]
    share: float

    def as_html(self) -> str:
        colour = "#{:02x}{:02x}{:02x}".format(*self.colour)
        shape = f'<rect width="1" height="1" fill="{colour}"/>{"" if self.known else _LINES}'
        swatch = f'<svg class="swatch" viewBox="0 0 1 1">{shape}</svg>'
        share = _escaped(percent(self.share))
        return f'<li>{swatch}<bdi>{_escaped(self.name)}</bdi> <span class="share">{share}</span></li>'


@dataclass(frozen=True)
class _Image:
    name: str
    small: str
    size: tuple[int, int]
    parts: Sequence[_Part]
    files: Mapping[str, str]

    def as_html(self, number: int) -> str:
        name = _escaped(self.name)
        links = "".join(f'<a href="{_url(file)}">{word}</a> ' for word, file in self.files.items())
        categories = _escaped("\n".join(part.name for part in self.parts if part.known))
        return (
            f'<li class="image" id="image-{number}" data-categories="{categories}">'
            f'<a class="shot" href="{_url(self.files.get(_OVERLAY, self.small))}">'
            f'<img class="{"tiny" if max(self.size) < _TINY else "photo"}" loading="lazy" decoding="async" '
            f'src="{_url(self.small)}" width="{self.size[0]}" '
            f'height="{self.size[1]}" alt="{name}"></a><h2><bdi>{name}</bdi></h2>'
            f'<ul class="legend">{"".join(part.as_html() for part in self.parts)}</ul><p class="files">{links}</p></li>'
        )


def _show(picture: SegmentedImage, out: Path, small: str, path: Path) -> _Image:
    """Write the small picture of an image, under its colours, and return what it shows."""
    labels, names = picture.result.labels, picture.result.names
    image, reduced = reduce_to(_SIDE, picture.pixels(), labels)
    colours = picture.shown_colours(labels)
    mixed = blend(image, reduced, colours)
    pixels = pixels_by_label(labels)
    colour = shown_means(mixed, reduced, colours, pixels)
    draw_pattern(mixed, reduced == UNKNOWN, UNKNOWN_PATTERN, np.array(UNKNOWN_SHOWN), _HATCH)
    content = BytesIO()
    Image.fromarray(mixed).save(content, format="JPEG", quality=_QUALITY)
    write_whole(path, content.getvalue())
    parts = []
    for label, count in pixels.items():
        red, green, blue = (int(channel) for channel in np.round(colour[label]))
        name = UNKNOWN_NAME if label == UNKNOWN else plain_name(names[label])
        parts.append(_Part(name, label != UNKNOWN, (red, green, blue), count / labels.size))
    files = {word: f"{picture.image.stem}{ending}" for word, ending in _FILES.items()}
    there = {word: file for word, file in files.items() if os.path.isfile(out / file)}  # noqa: PTH113 - or a name is too long
    return _Image(plain_name(picture.image.name), small, (image.shape[1], image.shape[0]), parts, there)


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def _url(path: str) -> str:
    return _escaped(quote(path, errors="surrogateescape"))
