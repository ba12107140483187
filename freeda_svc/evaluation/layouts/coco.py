"""COCO-Stuff (164k) and what is derived from it, COCO-Object."""

from collections.abc import Mapping
from pathlib import Path

from freeda_svc.evaluation.datasets import LabelledImage
from freeda_svc.evaluation.label_files import IGNORED, LabelValues
from freeda_svc.evaluation.layouts.found import Found, complete, first_existing, members

THINGS, CLASSES = 80, 171
_UNLABELLED = 255
_LAST_IDENTIFIER = 182
_NEVER_ANNOTATED = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91))
"""Identifiers of COCO that no image shows: street sign, hat, shoe, eye glasses, plate, mirror, window, desk, door,
blender and hair brush."""

_IMAGES = ("images/val2017", "val2017")
_LABELS = ("annotations/val2017", "stuffthingmaps/val2017", "stuffthingmaps_trainval2017/val2017")
_STUFF_CONVERTED, _OBJECT_CONVERTED = "_labelTrainIds", "_instanceTrainIds"


def stored_classes() -> dict[int, int]:
    """Return the class, 0 to 170, of each value in the published maps of stuff and things.

    A map holds COCO's identifiers less one: 0 to 90 for things, of which eleven never occur, and 91 to 181 for stuff.
    """
    identifiers = [number for number in range(1, _LAST_IDENTIFIER + 1) if number not in _NEVER_ANNOTATED]
    return {identifier - 1: label for label, identifier in enumerate(identifiers)}


def list_coco_stuff(folder: Path) -> Found:
    """Find the 5,000 validation images of COCO-Stuff.

    Args:
        folder: holds ``images/val2017`` and ``annotations/val2017`` with the published maps of stuff and things, 0 to
            181, or with maps of the 171 classes called ``*_labelTrainIds.png``.

    Raises:
        InputError: a file is not there; the message names it.
    """
    converted = {label: label for label in range(CLASSES)}
    return _list_coco("COCO-Stuff", folder, _STUFF_CONVERTED, stored_classes(), converted, unlabelled=IGNORED)


def list_coco_object(folder: Path, *, background: bool) -> Found:
    """Find the 5,000 validation images of COCO-Object: the things of COCO-Stuff, all else is background.

    Args:
        folder: holds what `list_coco_stuff` takes, or maps called ``*_instanceTrainIds.png``: 0 for the background,
            then the 80 things.
        background: whether the background is a class, the first; otherwise its pixels are ignored.

    Raises:
        InputError: a file is not there; the message names it.
    """
    rest = 0 if background else IGNORED
    shift = 1 if background else 0
    published = {value: label + shift if label < THINGS else rest for value, label in stored_classes().items()}
    converted = {0: rest, **{label + 1: label + shift for label in range(THINGS)}}
    return _list_coco("COCO-Object", folder, _OBJECT_CONVERTED, published, converted, unlabelled=rest)


def _list_coco(
    title: str,
    folder: Path,
    suffix: str,
    published: Mapping[int, int],
    converted: Mapping[int, int],
    *,
    unlabelled: int,
) -> Found:
    images = first_existing(title, folder, _IMAGES)
    labels = first_existing(title, folder, _LABELS)
    files = members(labels, "*.png")
    plain = [path for path in files if not path.stem.endswith("TrainIds")]
    chosen, meanings = plain, published
    if not plain:
        chosen, meanings = [path for path in files if path.stem.endswith(suffix)], converted
    names = [path.stem.removesuffix(suffix) for path in chosen]
    listed = (LabelledImage(name, images / f"{name}.jpg", path) for name, path in zip(names, chosen, strict=True))
    return Found(complete(title, labels, listed), LabelValues({**meanings, _UNLABELLED: unlabelled}))
