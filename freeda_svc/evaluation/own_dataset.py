"""A user's own images and masks as a dataset."""

import re
from pathlib import Path

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import Dataset
from freeda_svc.evaluation.layouts import list_folders
from freeda_svc.parameters import check_categories
from freeda_svc.text_files import read_text
from freeda_svc.vocabularies import list_vocabularies, load_vocabulary

BACKGROUND = "background"

_NUMBERED = re.compile(r"\d+\s*[\s,;:=.)]\s*\S")


def read_classes(source: str) -> tuple[str, ...]:
    """Read a list of classes: a vocabulary's, or those of a text file, one per line in the order of the labels.

    Args:
        source: the name of a vocabulary, or the path of a file.

    Raises:
        InputError: it is neither, or the file cannot be read, is empty, or numbers its lines.
    """
    if source in list_vocabularies():
        return load_vocabulary(source).names
    path = Path(source)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # no file can be called so
        is_file = False
    if not is_file:
        raise InputError(
            f"there is no file of classes {source:.200}; give one with a class a line, or a vocabulary: "
            f"{', '.join(list_vocabularies())}"
        )
    try:
        lines = read_text(path, f"the file of classes {source}").splitlines()
    except OSError as error:
        raise InputError(f"the file of classes {source} cannot be read: {error}") from error
    classes = tuple(line.strip() for line in lines if line.strip())
    if not classes:
        raise InputError(f"the file of classes {source} is empty; write one class a line, in the order of the labels")
    if len(classes) > 1 and all(_NUMBERED.match(name) for name in classes[1:]):  # there may be a header
        raise InputError(
            f"the lines of the file of classes {source} begin with numbers, as {classes[-1]!r:.40}; write the names "
            "alone, in the order of the labels"
        )
    return classes


def folder_dataset(images: Path, masks: Path, classes: str, *, first: int = 0, ignore: int = 255) -> Dataset:
    """Make a dataset of a folder of images and one of masks.

    A first class that is called ``background`` is not asked for: it is what fits no other class.

    Args:
        images: as `list_folders` takes them.
        masks: as `list_folders` takes them.
        classes: as `read_classes` takes them; ``cat|kitten`` is a class with a synonym.
        first: the value of the first class, 0 or 1.
        ignore: the value of pixels that are not counted.

    Raises:
        InputError: a file or folder is missing, or the classes are not usable.
    """
    names = read_classes(classes)
    background = names[0].casefold() == BACKGROUND
    asked = check_categories(names[1:] if background else names)
    found = list_folders(images, masks, classes=len(names), first=first, ignore=ignore)
    return Dataset(
        name=images.name,
        classes=names,
        categories=asked,
        background=background,
        images=found.images,
        values=found.values,
    )
