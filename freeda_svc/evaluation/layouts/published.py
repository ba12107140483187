"""Published datasets as they are unpacked: Pascal VOC and Context, ADE20K, Cityscapes, COCO-Stuff and COCO-Object."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freeda_svc.evaluation.datasets import IGNORED, LabelledImage, LabelValues
from freeda_svc.evaluation.layouts.found import Found, complete, first_existing, members, read_names

_BORDER = 255


@dataclass(frozen=True)
class _Kit:
    """Where a dataset lies below the folder of its year, and how many classes it has beside the background."""

    title: str
    year: str
    labels: str
    listing: str
    classes: int


_VOC = _Kit("VOC 2012", "VOC2012", "SegmentationClass", "ImageSets/Segmentation/val.txt", 20)
_CONTEXT = _Kit("Pascal Context", "VOC2010", "SegmentationClassContext", "ImageSets/SegmentationContext/val.txt", 59)


def list_voc(folder: Path, *, background: bool) -> Found:
    """Find the 1,449 validation images of VOC 2012.

    Args:
        folder: holds ``JPEGImages``, ``SegmentationClass`` and ``ImageSets/Segmentation/val.txt``, or ``VOC2012`` or
            ``VOCdevkit/VOC2012`` with them.
        background: whether the background is a class, the first; otherwise its pixels are ignored.

    Raises:
        InputError: a file is not there; the message names it.
    """
    return _list_kit(_VOC, folder, background=background)


def list_context(folder: Path, *, background: bool) -> Found:
    """Find the 5,104 validation images of Pascal Context.

    Args:
        folder: holds ``JPEGImages``, ``SegmentationClassContext`` (PNG files, 0 for the background, then the 59 classes
            in alphabetical order) and ``ImageSets/SegmentationContext/val.txt``, or ``VOC2010`` or
            ``VOCdevkit/VOC2010`` with them.
        background: whether the background is a class, the first; otherwise its pixels are ignored.

    Raises:
        InputError: a file is not there; the message names it.
    """
    return _list_kit(_CONTEXT, folder, background=background)


def _list_kit(kit: _Kit, folder: Path, *, background: bool) -> Found:
    places = [f"{above}{kit.listing}" for above in ("", f"{kit.year}/", f"VOCdevkit/{kit.year}/")]
    listing = first_existing(kit.title, folder, places)
    root = listing.parents[2]
    images = (
        LabelledImage(name, root / "JPEGImages" / f"{name}.jpg", root / kit.labels / f"{name}.png")
        for name in read_names(kit.title, listing)
    )
    first = 1 if background else 0
    meanings = {value: value - 1 + first for value in range(1, kit.classes + 1)}
    meanings.update({0: 0 if background else IGNORED, _BORDER: IGNORED})
    return Found(complete(kit.title, root, images), LabelValues(meanings))


_ADE_CLASSES = 150
_ADE_UNPACKED = "ADEChallengeData2016"


def list_ade(folder: Path) -> Found:
    """Find the 2,000 validation images of ADE20K.

    Args:
        folder: holds ``images/validation/*.jpg`` and ``annotations/validation/*.png`` (0 is ignored, 1 to 150 are the
            classes), or ``ADEChallengeData2016`` with them.

    Raises:
        InputError: a file is not there; the message names it.
    """
    title = "ADE20K"
    images = first_existing(title, folder, ("images/validation", f"{_ADE_UNPACKED}/images/validation"))
    root = images.parents[1]
    labels = first_existing(title, root, ("annotations/validation",))
    listed = (LabelledImage(path.stem, path, labels / f"{path.stem}.png") for path in members(images, "*.jpg"))
    values = LabelValues({0: IGNORED, **{label + 1: label for label in range(_ADE_CLASSES)}})
    return Found(complete(title, images, listed), values)


EVALUATED_IDENTIFIERS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The label identifiers of the 19 classes, from road to bicycle; all others are ignored."""

_CITY_IDENTIFIERS = 34
_CITY_IMAGE, _LABEL_IDS, _TRAIN_IDS = "_leftImg8bit", "_gtFine_labelIds", "_gtFine_labelTrainIds"
_IGNORED_TRAIN_ID = 255


def list_cityscapes(folder: Path) -> Found:
    """Find the 500 validation images of Cityscapes.

    Args:
        folder: holds ``leftImg8bit/val/CITY/*_leftImg8bit.png`` and ``gtFine/val/CITY/*_gtFine_labelIds.png``, or
            ``*_gtFine_labelTrainIds.png`` where those are missing.

    Raises:
        InputError: a file is not there; the message names it.
    """
    title = "Cityscapes"
    images = first_existing(title, folder, ("leftImg8bit/val",))
    labels = first_existing(title, folder, ("gtFine/val",))
    meanings = dict.fromkeys((*range(_CITY_IDENTIFIERS), _IGNORED_TRAIN_ID), IGNORED)
    suffix = _LABEL_IDS
    if not members(labels, f"*/*{_LABEL_IDS}.png") and members(labels, f"*/*{_TRAIN_IDS}.png"):
        suffix = _TRAIN_IDS
        meanings = {_IGNORED_TRAIN_ID: IGNORED, **{label: label for label in range(len(EVALUATED_IDENTIFIERS))}}
    else:
        meanings.update({number: label for label, number in enumerate(EVALUATED_IDENTIFIERS)})
    listed = (
        LabelledImage(f"{path.parent.name}/{name}", path, labels / path.parent.name / f"{name}{suffix}.png")
        for path in members(images, f"*/*{_CITY_IMAGE}.png")
        for name in (path.stem.removesuffix(_CITY_IMAGE),)
    )
    return Found(complete(title, images, listed), LabelValues(meanings))


_COCO_THINGS, _COCO_CLASSES = 80, 171
_UNLABELLED = 255
_LAST_IDENTIFIER = 182
_NEVER_ANNOTATED = frozenset((12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91))
"""Identifiers of COCO that no image shows: street sign, hat, shoe, eye glasses, plate, mirror, window, desk, door,
blender and hair brush."""

_COCO_IMAGES = ("images/val2017", "val2017")
_COCO_LABELS = ("annotations/val2017", "stuffthingmaps/val2017", "stuffthingmaps_trainval2017/val2017")
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
    converted = {label: label for label in range(_COCO_CLASSES)}
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
    published = {value: label + shift if label < _COCO_THINGS else rest for value, label in stored_classes().items()}
    converted = {0: rest, **{label + 1: label + shift for label in range(_COCO_THINGS)}}
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
    images = first_existing(title, folder, _COCO_IMAGES)
    labels = first_existing(title, folder, _COCO_LABELS)
    files = members(labels, "*.png")
    plain = [path for path in files if not path.stem.endswith("TrainIds")]
    chosen, meanings = plain, published
    if not plain:
        chosen, meanings = [path for path in files if path.stem.endswith(suffix)], converted
    names = [path.stem.removesuffix(suffix) for path in chosen]
    listed = (LabelledImage(name, images / f"{name}.jpg", path) for name, path in zip(names, chosen, strict=True))
    return Found(complete(title, labels, listed), LabelValues({**meanings, _UNLABELLED: unlabelled}))
