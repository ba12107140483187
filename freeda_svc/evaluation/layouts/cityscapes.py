"""Cityscapes, with the fine annotations."""

from pathlib import Path

from freeda_svc.evaluation.datasets import LabelledImage
from freeda_svc.evaluation.label_files import IGNORED, LabelValues
from freeda_svc.evaluation.layouts.found import Found, complete, first_existing, members

EVALUATED_IDENTIFIERS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The label identifiers of the 19 classes, from road to bicycle; all others are ignored."""

_IDENTIFIERS = 34
_IMAGE, _LABELS, _CONVERTED = "_leftImg8bit", "_gtFine_labelIds", "_gtFine_labelTrainIds"
_IGNORED_WHEN_CONVERTED = 255


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
    meanings = dict.fromkeys((*range(_IDENTIFIERS), _IGNORED_WHEN_CONVERTED), IGNORED)
    suffix = _LABELS
    if not members(labels, f"*/*{_LABELS}.png") and members(labels, f"*/*{_CONVERTED}.png"):
        suffix = _CONVERTED
        meanings = {_IGNORED_WHEN_CONVERTED: IGNORED, **{label: label for label in range(len(EVALUATED_IDENTIFIERS))}}
    else:
        meanings.update({number: label for label, number in enumerate(EVALUATED_IDENTIFIERS)})
    listed = (
        LabelledImage(f"{path.parent.name}/{name}", path, labels / path.parent.name / f"{name}{suffix}.png")
        for path in members(images, f"*/*{_IMAGE}.png")
        for name in (path.stem.removesuffix(_IMAGE),)
    )
    return Found(complete(title, images, listed), LabelValues(meanings))
