"""Any folder of images with a folder of indexed masks."""

from collections import Counter
from pathlib import Path

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import LabelledImage
from freeda_svc.evaluation.label_files import IGNORED, LabelValues
from freeda_svc.evaluation.layouts.found import Found, complete, members
from freeda_svc.images import image_endings

_TITLE = "a folder of images and masks"
_MASKS = (".png", ".tif", ".tiff", ".bmp")


def list_folders(images: Path, masks: Path, *, classes: int, first: int = 0, ignore: int = 255) -> Found:
    """Find images with masks of the same name, in any subfolder.

    Args:
        images: a folder of images in any known format.
        masks: a folder in which each image's mask has the image's name, but for the suffix.
        classes: how many classes there are.
        first: the value of the first class, 0 or 1; where it is 1, pixels of value 0 are ignored.
        ignore: the value of pixels that are not counted.

    Raises:
        InputError: a folder or mask is not there, or the ignored value is one of a class.
    """
    for folder in (images, masks):
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder; expected one of {'images' if folder is images else 'masks'}")
    if first <= ignore < first + classes:
        raise InputError(
            f"the ignored value {ignore} is that of a class: the {classes} classes have {first} to "
            f"{first + classes - 1}; give another with --ignore"
        )
    suffixes = image_endings()
    found = [path for path in members(images, "**/*") if path.suffix.lower() in suffixes and path.is_file()]
    beside = _masks_by_name(masks)
    listed = []
    for path in found:
        name = _name_of(path, images)
        listed.append(LabelledImage(name, path, beside.get(name, masks / f"{name}{_MASKS[0]}")))
    name, count = Counter(item.name for item in listed).most_common(1)[0] if listed else ("", 0)
    if count > 1:
        raise InputError(f"{images} holds {name} {count} times, with different suffixes; keep one image a name")
    meanings = {0: IGNORED} if first else {}
    meanings.update({first + label: label for label in range(classes)})
    meanings[ignore] = IGNORED
    return Found(complete(_TITLE, images, listed), LabelValues(meanings))


def _name_of(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _masks_by_name(folder: Path) -> dict[str, Path]:
    """Return each mask by its name without suffix; of several the one whose suffix comes first in ``_MASKS``."""
    found = [path for path in members(folder, "**/*") if path.suffix.lower() in _MASKS and path.is_file()]
    found.sort(key=lambda path: _MASKS.index(path.suffix.lower()), reverse=True)
    return {_name_of(path, folder): path for path in found}
