"""A vocabulary, and the data files of this package from which the nine are read."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import NotFoundError
from freeda_svc.images import voc_colours
from freeda_svc.parameters import Category, VocabularyName, unknown_name


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The classes of a dataset.

    Attributes:
        name: what it is called here, such as ``voc20``.
        title: what a person calls it.
        names: the N classes as the dataset calls them, in the order of its labels.
        texts: the same as a person would write them: ``dining table`` for ``diningtable``.
        colours: (N, 3) uint8, RGB, as the dataset's classes are usually shown; some palettes repeat a colour.
        ignore: the label of pixels that belong to no class.
        background: whether the first class is all that belongs to no other class.
    """

    name: str
    title: str
    names: tuple[str, ...]
    texts: tuple[str, ...]
    colours: npt.NDArray[np.uint8]
    ignore: int
    background: bool

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes as categories to find: called as in the dataset, asked for as a person would write them."""
        return tuple(
            Category(name, text=None if text == name else text)
            for name, text in zip(self.names, self.texts, strict=True)
        )


IGNORED_LABEL = 255
"""What masks of these datasets hold where a pixel belongs to no class."""

_FOLDER = Path(__file__).resolve().parent / "data"
_BACKGROUND = "background"
_BLACK = (0, 0, 0)


@dataclass(frozen=True)
class _Source:
    """Which classes of which file make a vocabulary.

    Attributes:
        title: what a person calls the vocabulary.
        file: the data file, without its suffix.
        background: whether the vocabulary begins with what belongs to no class.
        classes: how many classes of the file are taken, from the first on; all when None. The background does not
            count.
    """

    title: str
    file: str
    background: bool = False
    classes: int | None = None


_SOURCES: Mapping[VocabularyName, _Source] = {
    "voc20": _Source("Pascal VOC 2012, 20 classes", "voc"),
    "voc21": _Source("Pascal VOC 2012, 20 classes and background", "voc", background=True),
    "context59": _Source("Pascal Context, 59 classes", "context"),
    "context60": _Source("Pascal Context, 59 classes and background", "context", background=True),
    "coco-stuff171": _Source("COCO-Stuff, 80 things and 91 kinds of stuff", "coco-stuff"),
    "coco-object80": _Source("COCO-Object, the 80 things of COCO", "coco-stuff", classes=80),
    "coco-object81": _Source("COCO-Object, the 80 things of COCO and background", "coco-stuff", True, 80),
    "cityscapes19": _Source("Cityscapes, 19 classes", "cityscapes"),
    "ade150": _Source("ADE20K, 150 classes", "ade"),
}


def list_vocabularies() -> dict[str, str]:
    """Return the titles of all vocabularies by their names."""
    return {name: source.title for name, source in _SOURCES.items()}


@cache
def load_vocabulary(name: str) -> Vocabulary:
    """Read a vocabulary.

    Args:
        name: one of ``list_vocabularies``.

    Raises:
        NotFoundError: there is none of that name; the message proposes the nearest, or names all.
    """
    source = next((source for known, source in _SOURCES.items() if known == name), None)
    if source is None:
        raise NotFoundError(unknown_name(name, _SOURCES, "vocabulary"))
    with (_FOLDER / f"{source.file}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    colours = [_colour(row, label) for label, row in enumerate(rows)]
    names = [row["name"] for row in rows]
    texts = [row["text"] or row["name"] for row in rows]
    has_background = names[0] == _BACKGROUND
    if source.background and not has_background:
        names, texts, colours = [_BACKGROUND, *names], [_BACKGROUND, *texts], [_BLACK, *colours]
    start = 1 if has_background and not source.background else 0
    stop = None if source.classes is None else start + source.classes + source.background
    palette = np.array(colours[start:stop], dtype=np.uint8)
    palette.setflags(write=False)  # it is shared by all who ask for the vocabulary
    return Vocabulary(
        name=name,
        title=source.title,
        names=tuple(names[start:stop]),
        texts=tuple(texts[start:stop]),
        colours=palette,
        ignore=IGNORED_LABEL,
        background=source.background,
    )


def _colour(row: Mapping[str, str], label: int) -> tuple[int, int, int]:
    """The colour of a class; a file that names none has VOC's."""
    if "red" not in row:
        red, green, blue = voc_colours(label + 1)[label].tolist()
        return red, green, blue
    return int(row["red"]), int(row["green"]), int(row["blue"])
