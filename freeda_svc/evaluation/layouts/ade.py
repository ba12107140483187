"""ADE20K with 150 classes, as in the scene parsing challenge of 2016."""

from pathlib import Path

from freeda_svc.evaluation.datasets import LabelledImage
from freeda_svc.evaluation.label_files import IGNORED, LabelValues
from freeda_svc.evaluation.layouts.found import Found, complete, first_existing, members

CLASSES = 150
_UNPACKED = "ADEChallengeData2016"


def list_ade(folder: Path) -> Found:
    """Find the 2,000 validation images of ADE20K.

    Args:
        folder: holds ``images/validation/*.jpg`` and ``annotations/validation/*.png`` (0 is ignored, 1 to 150 are the
            classes), or ``ADEChallengeData2016`` with them.

    Raises:
        InputError: a file is not there; the message names it.
    """
    title = "ADE20K"
    images = first_existing(title, folder, ("images/validation", f"{_UNPACKED}/images/validation"))
    root = images.parents[1]
    labels = first_existing(title, root, ("annotations/validation",))
    listed = (LabelledImage(path.stem, path, labels / f"{path.stem}.png") for path in members(images, "*.jpg"))
    values = LabelValues({0: IGNORED, **{label + 1: label for label in range(CLASSES)}})
    return Found(complete(title, images, listed), values)
