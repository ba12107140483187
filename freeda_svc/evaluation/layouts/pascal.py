"""Pascal VOC 2012 and Pascal Context, in the folders of the VOC development kit."""

from dataclasses import dataclass
from pathlib import Path

from freeda_svc.evaluation.datasets import LabelledImage
from freeda_svc.evaluation.label_files import IGNORED, LabelValues
from freeda_svc.evaluation.layouts.found import Found, complete, first_existing, read_names

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
