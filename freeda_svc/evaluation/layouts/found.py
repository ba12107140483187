"""What a layout reader gives, and what it says when a file is not where it should be."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from freeda_svc.errors import InputError
from freeda_svc.evaluation.datasets import LabelledImage
from freeda_svc.evaluation.label_files import LabelValues
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
    """Read a list of names, one a line; blank lines do not count.

    Raises:
        InputError: it cannot be read or is not UTF-8 text, names nothing, or a name leads elsewhere.
    """
    try:
        names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path} cannot be read as a list of names of {title}: {error}") from error
    if not names:
        raise InputError(f"{path} is empty; expected the names of the images of {title}, one a line")
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
