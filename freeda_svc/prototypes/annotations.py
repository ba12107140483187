"""What a COCO annotation file marks in its images, read as a stream."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ijson

from freeda_svc.captions.sources import called, opened, skip_byte_order_mark
from freeda_svc.errors import InputError
from freeda_svc.packs.places import is_below
from freeda_svc.prototypes.annotation_rows import annotation_rows
from freeda_svc.prototypes.exemplars import tidy_noun

IMAGES, ANNOTATIONS, CATEGORIES = "images", "annotations", "categories"
_EXPECTED = "expected COCO annotations, an object with the lists 'images', 'annotations' and 'categories'"

Id = int | str


@dataclass(frozen=True)
class AnnotatedImage:
    """An entry of ``images``.

    Attributes:
        name: the file's path below the folder of images.
        size: height and width; None where the entry does not say.
        caption: a sentence about it; empty when there is none.
    """

    name: str
    size: tuple[float, float] | None
    caption: str


@dataclass
class Marks:
    """What marks one category in one image.

    Attributes:
        segmentations: of each annotation its place in the file, and its ``segmentation`` as JSON, which takes a
            fraction of the memory of what it says.
        caption: of the first annotation that has one.
    """

    segmentations: list[tuple[int, str]] = field(default_factory=list)
    caption: str = ""


@dataclass
class Annotations:
    """A file's content; crowds are counted and left out.

    Attributes:
        images: by id.
        nouns: of the categories, by id.
        marks: by the ids of image and category.
        captions: of images, from annotations that are captions; the first of each.
        crowds: how many annotations of crowds were left out.
    """

    images: dict[Id, AnnotatedImage] = field(default_factory=dict)
    nouns: dict[Id, str] = field(default_factory=dict)
    marks: dict[tuple[Id, Id], Marks] = field(default_factory=dict)
    captions: dict[Id, str] = field(default_factory=dict)
    crowds: int = 0


def read_annotations(path: Path) -> Annotations:
    """Read a COCO annotation file, perhaps compressed with gzip; of what it marks only texts are kept in memory.

    Annotations with a ``caption`` and no ``segmentation`` are captions of their images; an annotation that marks
    something and an image may have a ``caption``, too. Underscores in names of categories are taken for spaces.

    Raises:
        InputError: the file cannot be read, is no COCO file, or a row of it is broken; names the row.
    """
    found = Annotations()
    numbers = {IMAGES: 0, ANNOTATIONS: 0, CATEGORIES: 0}
    with opened(path) as stream:
        skip_byte_order_mark(stream, path)
        try:
            for section, row in annotation_rows(stream, numbers):
                place = f"{called(path)}, {section}[{numbers[section]}]"
                if not isinstance(row, dict):
                    raise InputError(f"{place}: expected an object, not {type(row).__name__}")
                _ADDERS[section](found, row, numbers[section], place)
                numbers[section] += 1
        except ijson.JSONError as error:
            if "UTF8" in str(error):
                raise InputError(f"{called(path)} is not UTF-8 text; save it as UTF-8") from error
            reason = str(error).partition("\n")[0]
            raise InputError(f"{called(path)}: not valid JSON, perhaps cut off ({reason})") from error
    for section, number in numbers.items():
        if not number:
            raise InputError(f"{called(path)} has no {section}; {_EXPECTED}")
    _check_references(found, path)
    return found


def _add_image(found: Annotations, row: dict[str, Any], _number: int, place: str) -> None:
    identifier, name = _id(row, "id", place), _text(row, "file_name", place)
    if identifier in found.images:
        raise InputError(f"{place}: there is another image with the id {identifier!r}; give every image its own")
    if not is_below(name) or not name.isprintable():
        raise InputError(f"{place}: {name!r} is no path inside the folder of images; expected one, with slashes")
    height, width = row.get("height"), row.get("width")
    size = None
    if height is not None or width is not None:
        if not isinstance(height, int | float) or not isinstance(width, int | float):
            raise InputError(f"{place}: its height and width are {height!r:.20} and {width!r:.20}, expected numbers")
        size = height, width
    caption = _text(row, "caption", place) if row.get("caption") else ""
    found.images[identifier] = AnnotatedImage(name, size, caption)


def _add_category(found: Annotations, row: dict[str, Any], _number: int, place: str) -> None:
    identifier = _id(row, "id", place)
    if identifier in found.nouns:
        raise InputError(f"{place}: there is another category with the id {identifier!r}; give every category its own")
    try:
        found.nouns[identifier] = category_noun(_text(row, "name", place))
    except InputError as error:
        raise InputError(f"{place}: {error}") from error


def category_noun(name: str) -> str:
    """Return the noun of a category's name: lower case, and spaces where names of files or variables have none.

    Raises:
        InputError: it is empty or too long.
    """
    return tidy_noun(name.replace("_", " "))


def _add_annotation(found: Annotations, row: dict[str, Any], number: int, place: str) -> None:
    image = _id(row, "image_id", place)
    caption = _text(row, "caption", place) if row.get("caption") else ""
    if "segmentation" not in row:
        if not caption:
            raise InputError(f"{place}: it has no segmentation; exemplars need masks, boxes are not enough")
        found.captions.setdefault(image, caption)
        return
    if row.get("iscrowd"):
        found.crowds += 1
        return
    marks = found.marks.setdefault((image, _id(row, "category_id", place)), Marks())
    marks.segmentations.append((number, json.dumps(row["segmentation"])))
    marks.caption = marks.caption or caption


_ADDERS = {IMAGES: _add_image, ANNOTATIONS: _add_annotation, CATEGORIES: _add_category}


def _check_references(found: Annotations, path: Path) -> None:
    for (image, category), marks in found.marks.items():
        place = f"{called(path)}, {ANNOTATIONS}[{marks.segmentations[0][0]}]"
        if image not in found.images:
            raise InputError(f"{place}: there is no image with the id {image!r}")
        if category not in found.nouns:
            raise InputError(f"{place}: there is no category with the id {category!r}")


def _id(row: dict[str, Any], key: str, place: str) -> Id:
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{place}: its {key} is {value!r:.40}, expected a whole number or a text")
    return value


def _text(row: dict[str, Any], key: str, place: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place}: its {key} is {value!r:.40}, expected a text")
    return value
