"""Exemplars from a COCO annotation file and its folder of images."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.captions.sources import called
from freeda_svc.errors import InputError
from freeda_svc.images import coco_mask, upright_size
from freeda_svc.prototypes.annotations import (
    ANNOTATIONS,
    AnnotatedImage,
    Annotations,
    Id,
    category_noun,
    read_annotations,
)
from freeda_svc.prototypes.exemplar_files import MarkedImage
from freeda_svc.prototypes.exemplars import tidy_caption

_NAMES_SHOWN = 20


@dataclass
class AnnotationTally:
    """Counts that grow while annotations are read.

    Attributes:
        crowds: annotations of crowds, left out because they mark much else, too.
        empty: what was left out because its mask has no pixel, mostly slivers of polygons.
    """

    crowds: int = 0
    empty: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """How many were left out, by reason; reasons that did not occur are missing."""
        counts = {"crowds": self.crowds, "empty masks": self.empty}
        return {reason: count for reason, count in counts.items() if count}


def read_annotated_images(
    path: Path, folder: Path, nouns: Collection[str] = (), tally: AnnotationTally | None = None
) -> Iterator[MarkedImage]:
    """Read what a COCO annotation file marks: for each image and each of its categories one mask.

    All annotations of a category in an image are merged, as all mentions of a noun in a caption are, so a flock of
    sheep does not outvote the pictures of a single one.

    Args:
        path: the file, JSON, perhaps compressed with gzip.
        folder: holds the images.
        nouns: names of categories; none means all.
        tally: counts what was left out.

    Yields:
        Marked images in the order of the file's images; the noun is the category's name, the caption that of the
        annotation, or else of the image, where there is one.

    Raises:
        InputError: there is no such folder or category, the file or a row of it is broken, an image cannot be read or
            is of another size than annotated, or nothing is left. Raised while reading; what was yielded before is
            good.
    """
    counts = tally if tally is not None else AnnotationTally()
    if not folder.is_dir():
        raise InputError(f"there is no folder of images {folder}; give the one that {called(path)} belongs to")
    found = read_annotations(path)
    counts.crowds += found.crowds
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
        mask = _mask(entry, folder, [row for each in marks for row in each.segmentations], path)
        if not mask.any():
            counts.empty += 1
            continue
        yielded = True
        captions = (*(each.caption for each in marks), entry.caption, found.captions.get(image, ""))
        try:
            caption = tidy_caption(next(filter(None, captions), ""), noun)
        except InputError as error:
            raise InputError(f"{called(path)}, of the image {entry.name}: {error}") from error
        yield MarkedImage(noun, folder / entry.name, mask, caption)
    if not yielded:
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts.left_out.items())
        raise InputError(f"{called(path)} marks nothing that can be used{f' ({reasons})' if reasons else ''}")


def _choose(found: Annotations, nouns: Collection[str], path: Path) -> set[Id]:
    """Return the ids of the categories that are meant."""
    known = set(found.nouns.values())
    wanted = {category_noun(noun) for noun in nouns} or known
    for noun in sorted(wanted - known):
        names = sorted(known)
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        raise InputError(
            f"{called(path)} has no category {noun!r}; its categories are {', '.join(names[:_NAMES_SHOWN])}{more}"
        )
    return {identifier for identifier, noun in found.nouns.items() if noun in wanted}


def _mask(
    entry: AnnotatedImage, folder: Path, segmentations: list[tuple[int, str]], path: Path
) -> npt.NDArray[np.bool_]:
    height, width = upright_size(folder / entry.name)
    if entry.size is not None and entry.size != (height, width):
        raise InputError(
            f"{folder / entry.name} is {width} x {height} pixels, but was annotated at {entry.size[1]} x "
            f"{entry.size[0]}; give the images that {called(path)} was made for (turned upright, if cameras noted how)"
        )
    mask = np.zeros((height, width), dtype=np.bool_)
    for number, segmentation in segmentations:
        try:
            mask |= coco_mask(json.loads(segmentation), height, width)
        except InputError as error:
            raise InputError(f"{called(path)}, {ANNOTATIONS}[{number}]: {error}") from error
    return mask
