"""Folders in the layout of a dataset: what was written there before is replaced, what others wrote is not touched."""

import json
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path, PurePosixPath

from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import opened_image
from freeda_svc.input_files import KEPT
from freeda_svc.outputs.files import copy_whole, make_folder, write_whole
from freeda_svc.outputs.kept import SegmentedImage

NOTES = ".freeda-files.json"
"""The names of the files that were written, so that they can be replaced by others."""

_QUALITY = 95


class DatasetFolder:
    """A folder of a dataset that replaces what an earlier export wrote.

    Attributes:
        root: the folder.
        written: the files that were asked for, in order.
    """

    def __init__(self, root: Path, names: Iterable[str]) -> None:
        """Begin a folder.

        Args:
            root: is made when it is not there.
            names: of all files that are going to be written, with slashes.

        Raises:
            InputError: a file of that name is there that was not written by an earlier export.
            UnavailableError: it cannot be written.
        """
        self.root = root
        self.written: list[Path] = []
        self._before = _read_notes(root / NOTES)
        self._names = list(names)
        for name in self._names:
            if name not in self._before and (root / name).exists():
                raise InputError(f"{root / name} is there already and was not written by freeda; name another folder")
        make_folder(root)
        self._note({*self._before, *self._names})  # before the first of them is written

    def path(self, name: str) -> Path:
        """Return the path of a file that is going to be written; its folder is made."""
        path = self.root / name
        make_folder(path.parent)
        self.written.append(path)
        return path

    def finish(self) -> list[Path]:
        """Remove what an earlier export wrote and this one did not; return what was written."""
        for name in self._before - set(self._names):
            (self.root / name).unlink(missing_ok=True)
        self._note(set(self._names))
        return self.written

    def _note(self, names: set[str]) -> None:
        write_whole(self.root / NOTES, json.dumps(sorted(names), ensure_ascii=False).encode() + b"\n")


def _read_notes(path: Path) -> set[str]:
    try:
        names = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return set()
    if not isinstance(names, list):
        return set()
    return {name for name in names if isinstance(name, str) and _stays_inside(PurePosixPath(name))}


def _stays_inside(name: PurePosixPath) -> bool:
    return bool(name.parts) and not name.is_absolute() and ".." not in name.parts


def is_plain_jpeg(path: Path) -> bool:
    """Whether a file is a JPEG in grey or RGB.

    Raises:
        InputError: it cannot be read any more.
    """
    with opened_image(path, KEPT) as image:
        return image.format == "JPEG" and image.mode in {"L", "RGB"}


def write_image(picture: SegmentedImage, path: Path, *, as_it_is: bool) -> None:
    """Write a copy of an image's file, or the pixels that were segmented, as PNG, or as JPEG of high quality.

    Args:
        picture: whose image.
        path: ends in .png or .jpg where it is no copy.
        as_it_is: whether it is a copy.

    Raises:
        InputError: the image cannot be read any more.
        NotFoundError: what was kept of the result is gone.
        UnavailableError: the file cannot be written.
    """
    if as_it_is:
        copy_whole(picture.image_file(), path)
        return
    content = BytesIO()
    pixels = Image.fromarray(picture.pixels())
    if path.suffix == ".jpg":
        pixels.save(content, format="JPEG", quality=_QUALITY, subsampling=0)
    else:
        pixels.save(content, format="PNG", compress_level=1)
    write_whole(path, content.getvalue())
