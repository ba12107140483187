"""What a COCO annotation file marks in its images, read as a stream; unusable rows are counted and left out."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freeda_svc.captions import ANNOTATIONS, coco_rows, opened, source_name
from freeda_svc.errors import InputError
from freeda_svc.images import whole_number
from freeda_svc.input_files import ANYWHERE, InputRules, is_below
from freeda_svc.prototypes.exemplars import tidy_noun

CROWDS = "crowds"
EMPTY = "empty masks"
NO_MASK = "annotations without a usable mask"
STRAY = "polygons of less than three corners"
UNKNOWN_IMAGE = "annotations of images that are not listed"
UNKNOWN_CATEGORY = "annotations of categories that are not listed"
TWICE = "entries whose id another one has"
UNUSABLE = "rows that cannot be read"
CAPTION = "captions that cannot be used"

_ADVICE: Mapping[str, str] = {
    CROWDS: "annotation tools export every brush mask as a crowd; --take-crowds takes them",
    NO_MASK: "exemplars need masks, boxes are not enough",
}


class AnnotationTally:
    """Counts that grow while annotations are read, by reason; the first of each is named."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def note(self, reason: str, which: str, count: int = 1) -> None:
        """Count something that was left out.

        Args:
            reason: one of this module's.
            which: names it, with its place in the file and what is wrong with it.
            count: how many there are of the kind.
        """
        self._counts[reason] += count
        self._first.setdefault(reason, which)

    @property
    def left_out(self) -> dict[str, int]:
        """How many were left out, by reason; reasons that did not occur are missing."""
        return dict(self._counts)

    def lines(self) -> list[str]:
        """Say for each reason how many were left out, which was the first, and what to do where that is known."""
        return [
            f"{count} {reason}, {'the first: ' if count > 1 else ''}{self._first[reason]}"
            + (f" ({_ADVICE[reason]})" if reason in _ADVICE else "")
            for reason, count in self._counts.items()
        ]


IMAGES, CATEGORIES = "images", "categories"
_EXPECTED = "expected COCO annotations, an object with the lists 'images', 'annotations' and 'categories'"
MOST_MARKED = 1 << 31
"""Characters of all segmentations together, which are kept in memory; those of COCO's training images have a fifth."""

_NO_CROWD = frozenset(("", "0", "false", "no"))

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
    size: tuple[int, int] | None
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
    """A file's content, without what was left out.

    Attributes:
        images: by id.
        nouns: of the categories, by id.
        marks: by the ids of image and category, both of them listed.
        captions: of images, from annotations that are captions; the first of each.
    """

    images: dict[Id, AnnotatedImage] = field(default_factory=dict)
    nouns: dict[Id, str] = field(default_factory=dict)
    marks: dict[tuple[Id, Id], Marks] = field(default_factory=dict)
    captions: dict[Id, str] = field(default_factory=dict)


def read_annotations(
    path: Path, tally: AnnotationTally, *, take_crowds: bool = False, rules: InputRules = ANYWHERE
) -> Annotations:
    """Read a COCO annotation file, perhaps compressed with gzip; of what it marks only texts are kept in memory.

    Annotations with a ``caption`` and no ``segmentation`` are captions of their images; an annotation that marks
    something and an image may have a ``caption``, too. Underscores in names of categories are taken for spaces. Ids
    and sizes may be written as 3, 3.0 or "3".

    Args:
        path: the file.
        tally: counts what is left out: crowds, and rows that cannot be used.
        take_crowds: take annotations of crowds like others.
        rules: where the file must be.

    Raises:
        InputError: the file cannot be read, or is no COCO file.
    """
    reading = _Reading(tally, take_crowds=take_crowds)
    adders = {IMAGES: reading.add_image, ANNOTATIONS: reading.add_annotation, CATEGORIES: reading.add_category}
    numbers = dict.fromkeys(adders, 0)
    with opened(path, rules) as stream:
        for section, row in coco_rows(stream, source_name(path), numbers):
            place = f"{section}[{numbers[section]}]"
            number = numbers[section]
            numbers[section] += 1
            if not isinstance(row, dict):
                tally.note(UNUSABLE, f"{place}: expected an object, not {type(row).__name__}")
                continue
            try:
                adders[section](row, number, place)
            except InputError as error:
                tally.note(UNUSABLE, f"{place}: {error}")
            reading.check_size(path)
    for section, number in numbers.items():
        if not number:
            raise InputError(f"{source_name(path)} has no {section}; {_EXPECTED}")
    return reading.end()


def category_noun(name: str) -> str:
    """Return the noun of a category's name: lower case, and spaces where names of files or variables have none.

    Raises:
        InputError: it is empty or too long.
    """
    return tidy_noun(name.replace("_", " "))


class _Reading:
    """What was read of a file so far; a row that cannot be read raises InputError."""

    def __init__(self, tally: AnnotationTally, *, take_crowds: bool) -> None:
        self._found = Annotations()
        self._tally = tally
        self._take_crowds = take_crowds
        self._images_twice: set[Id] = set()
        self._categories_twice: set[Id] = set()
        self._kept = 0

    def add_image(self, row: dict[str, Any], _number: int, place: str) -> None:
        identifier, name = _id(row, "id"), _file_name(row)
        if not is_below(name) or not name.isprintable():
            raise InputError(f"{name!r:.200} is no path inside the folder of images; expected one, with slashes")
        entry = AnnotatedImage(name, _size(row), self._caption(row, place))
        if self._found.images.setdefault(identifier, entry).name != name:
            self._images_twice.add(identifier)
            self._tally.note(TWICE, f"{place}: there is another image with the id {identifier!r}")

    def add_category(self, row: dict[str, Any], _number: int, place: str) -> None:
        identifier, noun = _id(row, "id"), category_noun(_text(row, "name"))
        if self._found.nouns.setdefault(identifier, noun) != noun:
            self._categories_twice.add(identifier)
            self._tally.note(TWICE, f"{place}: there is another category with the id {identifier!r}")

    def add_annotation(self, row: dict[str, Any], number: int, place: str) -> None:
        image, caption = _id(row, "image_id"), self._caption(row, place)
        if not row.get("segmentation"):
            if caption:
                self._found.captions.setdefault(image, caption)
            else:
                self._tally.note(NO_MASK, f"{place}: it has no segmentation")
            return
        if _is_crowd(row.get("iscrowd")) and not self._take_crowds:
            self._tally.note(CROWDS, place)
            return
        marks = self._found.marks.setdefault((image, _id(row, "category_id")), Marks())
        segmentation = json.dumps(row["segmentation"])
        marks.segmentations.append((number, segmentation))
        self._kept += len(segmentation)
        marks.caption = marks.caption or caption

    def check_size(self, path: Path) -> None:
        """See that what is kept has room.

        Raises:
            InputError: there is more than ``MOST_MARKED``.
        """
        if self._kept > MOST_MARKED:
            raise InputError(f"{source_name(path)} marks more than fits into memory; divide it into several files")

    def end(self) -> Annotations:
        """Return what was read, without what refers to nothing, or to one of several."""
        found = self._found
        for identifier in self._images_twice:
            del found.images[identifier]
        for identifier in self._categories_twice:
            del found.nouns[identifier]
        for image, category in list(found.marks):
            if image in found.images and category in found.nouns:
                continue
            unknown = image not in found.images
            reason, which = (
                (UNKNOWN_IMAGE, f"its image_id is {image!r}")
                if unknown
                else (UNKNOWN_CATEGORY, f"its category_id is {category!r}")
            )
            lost = found.marks.pop((image, category)).segmentations
            self._tally.note(reason, f"{ANNOTATIONS}[{lost[0][0]}]: {which:.80}", len(lost))
        return found

    def _caption(self, row: dict[str, Any], place: str) -> str:
        caption = row.get("caption") or ""
        if isinstance(caption, str):
            return caption
        self._tally.note(CAPTION, f"{place}: its caption is {caption!r:.40}, expected a text")
        return ""


def _id(row: dict[str, Any], key: str) -> Id:
    value = row.get(key)
    number = whole_number(value)
    if isinstance(value, str) and value.strip():
        # only a text that reads like a number is one: "007" is a name
        return number if number is not None and str(number) == value else value
    if number is None:
        raise InputError(f"its {key} is {value!r:.40}, expected a whole number or a text")
    return number


def _file_name(row: dict[str, Any]) -> str:
    """Return an image's file name; LVIS only gives the address of COCO's image, which ends with it."""
    if "file_name" not in row and row.get("coco_url"):
        return _text(row, "coco_url").rpartition("/")[2]
    return _text(row, "file_name")


def _size(row: dict[str, Any]) -> tuple[int, int] | None:
    """Return an image's height and width; None where it does not say, which some tools write as zero."""
    written = row.get("height"), row.get("width")
    if not any(side and side != "0" for side in written):
        return None
    height, width = map(whole_number, written)
    if height is None or width is None or min(height, width) < 1:
        raise InputError(f"its height and width are {written[0]!r:.20} and {written[1]!r:.20}, expected whole numbers")
    return height, width


def _is_crowd(value: object) -> bool:
    return value.strip().casefold() not in _NO_CROWD if isinstance(value, str) else bool(value)


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"its {key} is {value!r:.40}, expected a text")
    return value
