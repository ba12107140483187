"""The files of a dataset: found in the folders of one layout, or any folder of images and one of masks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import IGNORED, LabelledImage, LabelValues
from freeda_svc.images import image_endings
from freeda_svc.text_files import read_text


@dataclass(frozen=True)
class Found:
    """The images of a dataset, in order, and what the values of their labels mean."""

    images: tuple[LabelledImage, ...]
    values: LabelValues


def first_existing(title: str, folder: Path, places: Sequence[str]) -> Path:
    """Return the first place below a folder that exists.

    Args:
        title: of the dataset, for the message.
        folder: that a person named.
        places: where a file or folder may lie, with slashes, the usual place first.

    Raises:
        InputError: none exists; says which was expected.
    """
    for place in places:
        if (folder / place).exists():
            return folder / place
    others = f" (or {', '.join(places[1:])} there)" if places[1:] else ""
    raise InputError(f"{folder} is not laid out as {title}: expected {folder / places[0]}{others}")


def members(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern below a folder, in order.

    Names that begin with a dot are no members of a dataset: they are what some systems put beside each file.
    """
    return sorted(
        path
        for path in folder.glob(pattern)
        if not any(name.startswith(".") for name in path.relative_to(folder).parts)
    )


def read_names(title: str, path: Path) -> list[str]:
    """Read a list of names, one per line; blank lines do not count.

    Raises:
        InputError: it cannot be read or is not UTF-8 text, names nothing, or a name leads elsewhere.
    """
    try:
        names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path} cannot be read as a list of names of {title}: {error}") from error
    if not names:
        raise InputError(f"{path} is empty; expected the names of the images of {title}, one per line")
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise InputError(f"{path} names {name!r}, which leads out of the dataset; expected names of images")
    return names


def complete(title: str, folder: Path, images: Iterable[LabelledImage]) -> tuple[LabelledImage, ...]:
    """Return the images when all of their files are there.

    Raises:
        InputError: there is no image, or a file is missing; names the first.
    """
    listed = tuple(images)
    if not listed:
        raise InputError(f"{folder} holds no image of {title}; is it unpacked?")
    for image in listed:
        for path in (image.image, image.labels):
            if not path.is_file():
                raise InputError(f"{title} is not complete: expected {path}")
    return listed


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
        raise InputError(f"{images} holds {name} {count} times, with different suffixes; keep one image per name")
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
