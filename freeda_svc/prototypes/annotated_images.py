"""Exemplars from a COCO annotation file and its folder of images."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.captions import ANNOTATIONS, source_name
from freeda_svc.errors import InputError
from freeda_svc.images import DrawnOn, coco_mask, is_drawn_on_stored, read_frame, stray_polygons
from freeda_svc.input_files import ANYWHERE, InputRules
from freeda_svc.prototypes.annotations import (
    CAPTION,
    EMPTY,
    NO_MASK,
    STRAY,
    Annotations,
    AnnotationTally,
    Id,
    category_noun,
    read_annotations,
)
from freeda_svc.prototypes.exemplar_files import MarkedImage
from freeda_svc.prototypes.exemplars import tidy_caption

_NAMES_SHOWN = 20


def read_annotated_images(
    path: Path,
    folder: Path,
    nouns: Collection[str] = (),
    tally: AnnotationTally | None = None,
    *,
    take_crowds: bool = False,
    drawn_on: DrawnOn | None = None,
    rules: InputRules = ANYWHERE,
) -> Iterator[MarkedImage]:
    """Read what a COCO annotation file marks: for each image and each of its categories one mask.

    All annotations of a category in an image are merged, as all mentions of a noun in a caption are, so a flock of
    sheep does not outvote the pictures of a single one. What cannot be used is left out and counted.

    Args:
        path: the file, JSON, perhaps compressed with gzip.
        folder: holds the images.
        nouns: names of categories; none means all.
        tally: counts what was left out.
        take_crowds: take annotations of crowds like others.
        drawn_on: on what the annotations of images were drawn that have an EXIF orientation.
        rules: where the file and the images have to lie, and how many pixels they may have.

    Yields:
        Marked images in the order of the file's images; the noun is the category's name, the caption that of the
        annotation, or else of the image, where there is one.

    Raises:
        InputError: there is no such folder or category, the file is none, an image cannot be read or is of another size
            than annotated, it is turned and ``drawn_on`` is missing, or nothing is left. Raised
            while reading; what was yielded before is good.
    """
    counts = tally if tally is not None else AnnotationTally()
    if not folder.is_dir():
        raise InputError(f"there is no folder of images {folder}; give the one that {source_name(path)} belongs to")
    found = read_annotations(path, counts, take_crowds=take_crowds, rules=rules)
    chosen = _choose(found, nouns, path)
    merged: dict[tuple[Id, str], list[Id]] = {}
    for image, category in found.marks:
        if category in chosen:
            merged.setdefault((image, found.nouns[category]), []).append(category)
    order = {image: number for number, image in enumerate(found.images)}
    yielded = False
    for image, noun in sorted(merged, key=lambda key: order[key[0]]):
        entry = found.images[image]
        marks = [found.marks[image, category] for category in merged[image, noun]]
        file = folder / entry.name
        frame = read_frame(file, rules)
        stored = is_drawn_on_stored(frame, entry.size, drawn_on, image=file, marks=source_name(path))
        height, width = frame.stored_size if stored else frame.size
        if entry.size not in {None, (height, width)}:
            raise InputError(
                f"{file} is {width} x {height} pixels{' as stored' if stored else ''}, but was annotated at "
                f"{entry.size[1]} x {entry.size[0]}; give the images that {source_name(path)} was made for"
            )
        rows = [row for each in marks for row in each.segmentations]
        mask = _mask(rows, (height, width), counts)
        if mask is None:
            continue
        if not mask.any():
            counts.note(EMPTY, f"{noun} in {entry.name}")
            continue
        yielded = True
        captions = (*(each.caption for each in marks), entry.caption, found.captions.get(image, ""))
        caption = _caption(next(filter(None, captions), ""), noun, entry.name, counts)
        yield MarkedImage(noun, file, frame.turn(mask) if stored else mask, caption)
    if not yielded:
        reasons = "; ".join(counts.lines())
        raise InputError(f"{source_name(path)} marks nothing that can be used{f': {reasons}' if reasons else ''}")


def _choose(found: Annotations, nouns: Collection[str], path: Path) -> set[Id]:
    """Return the ids of the chosen categories."""
    known = set(found.nouns.values())
    wanted = {category_noun(noun) for noun in nouns} or known
    for noun in sorted(wanted - known):
        names = sorted(known)
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        raise InputError(
            f"{source_name(path)} has no category {noun!r}; its categories are {', '.join(names[:_NAMES_SHOWN])}{more}"
        )
    return {identifier for identifier, noun in found.nouns.items() if noun in wanted}


def _mask(
    segmentations: list[tuple[int, str]], size: tuple[int, int], counts: AnnotationTally
) -> npt.NDArray[np.bool_] | None:
    """Merge segmentations into a mask of some height and width; None when none of them can be used."""
    merged = None
    for number, segmentation in segmentations:
        place, content = f"{ANNOTATIONS}[{number}]", json.loads(segmentation)
        try:
            mask = coco_mask(content, *size)
        except InputError as error:
            counts.note(NO_MASK, f"{place}: {error}")
            continue
        if stray := stray_polygons(content):
            counts.note(STRAY, place, stray)
        merged = mask if merged is None else merged | mask
    return merged


def _caption(caption: str, noun: str, image: str, counts: AnnotationTally) -> str:
    try:
        return tidy_caption(caption, noun)
    except InputError as error:
        counts.note(CAPTION, f"of the image {image}: {error}")
        return tidy_caption("", noun)
