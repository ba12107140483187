"""Checks of arguments: a wrong one is refused in one sentence that says what was expected and what was passed."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Set, Sized
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images import (
    ImageSource,
    LoadedImage,
    MaskSource,
    RegionsSource,
    load_mask,
    load_regions,
    load_visible,
    turn_upright,
)
from freeda_svc.parameters import OverlapWay, RegionWay
from freeda_svc.segmentation import Category, check_categories

ImageLike = ImageSource | bytes
"""An image: the path of a file, the bytes of one, a Pillow image, an array or a tensor."""
MaskLike = MaskSource | bytes
"""A mask, in the same ways."""
RegionsLike = RegionsSource
"""The regions of an image: a label map (an array of whole numbers or the path of a PNG file, 0 for no region), masks
(an (N, H, W) bool array, or a list of masks and COCO run lengths), or the path of a JSON file of these."""
CategoriesLike = Iterable[str | Category]
"""Texts, such as ``dog`` or ``boat|ship``, or categories."""

UNNAMED = "image"
"""What an image is called that came without a file name."""

_SHOWN = 40


def described(value: object) -> str:
    """Say what a value is, in a few words for an error."""
    shape = getattr(value, "shape", None)
    kind = type(value).__name__
    if isinstance(shape, tuple) and shape:
        return f"a {kind} of shape {shape}"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, str):
        return f"the text {value if len(value) <= _SHOWN else f'{value[:_SHOWN]}...'!r}"
    if isinstance(value, os.PathLike):
        return f"the path {os.fspath(value)!r}"
    return f"{kind} of length {len(value)}" if isinstance(value, Sized) else f"a {kind}"


def is_path(value: object) -> bool:
    """Whether a value names a file or folder."""
    return isinstance(value, str | os.PathLike)


def to_path(value: "str | os.PathLike[str]") -> Path:
    """Return a path with the user's home filled in."""
    return Path(value).expanduser()


def read_image(value: ImageLike, fill: str = "", *, many: str = "") -> LoadedImage:
    """Read an image that was passed to the library.

    Args:
        value: see ``ImageLike``; the orientation noted in a file (EXIF) is obeyed, also in a Pillow image.
        fill: the colour that lies behind transparent images; nothing does when empty.
        many: the method that takes several images, for the message; empty where there is none.

    Raises:
        InputError: it is no image, or cannot be read.
    """
    hint = f"; {many} takes several images" if many else ""
    if isinstance(value, str | os.PathLike):
        path = to_path(value)
        if path.is_dir():
            raise InputError(f"expected an image, not the folder {path}{hint}")
        return load_visible(path, fill)
    if isinstance(value, bytes | bytearray | memoryview):
        with _as_file(bytes(value), "the image given as bytes") as path:
            return replace(load_visible(path, fill), name="")
    if isinstance(value, Image.Image):
        name = Path(str(getattr(value, "filename", "") or "")).name
        return replace(load_visible(_upright(value, "the image"), fill), name=name)
    try:
        return load_visible(value, fill)
    except InputError as error:
        several = isinstance(value, list | tuple | Iterator)
        raise InputError(f"{error}{hint if several else ''}") from error


def read_mask(value: MaskLike) -> npt.NDArray[np.bool_]:
    """Read a mask that was passed to the library.

    Args:
        value: see ``MaskLike``; pixels that are not zero belong to the object.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        InputError: it is no mask, cannot be read, or is empty.
    """
    if isinstance(value, str | os.PathLike):
        return load_mask(to_path(value))
    if isinstance(value, bytes | bytearray | memoryview):
        with _as_file(bytes(value), "the mask given as bytes") as path:
            return load_mask(path)
    return load_mask(_upright(value, "the mask") if isinstance(value, Image.Image) else value)


def is_region_way(value: object) -> bool:
    """Whether a value is the word for a way of regions, perhaps a wrong one, and no path."""
    if not isinstance(value, str):
        return False
    path = Path(value)
    return value in get_args(RegionWay) or (path.name == value and not path.suffix and not path.exists())


def read_regions(value: RegionsLike | None, image: LoadedImage, overlaps: OverlapWay) -> LoadedImage:
    """Return an image with the regions that were passed for it; the image itself where none were.

    Raises:
        InputError: they are no regions, cannot be read, or do not fit the image.
    """
    if value is None:
        return image
    source = to_path(value) if isinstance(value, str | os.PathLike) else value
    size = image.pixels.shape[0], image.pixels.shape[1]
    what = f"the regions of {image.name}" if image.name and not isinstance(source, Path) else ""
    return replace(image, regions=load_regions(source, size, overlaps=overlaps, what=what))


def read_categories(value: CategoriesLike) -> tuple[Category, ...]:
    """Check categories that were passed to the library.

    Raises:
        InputError: they are no list of texts, there are none, or one is not usable.
    """
    expected = 'categories are a list of texts, such as ["boat|ship", "water"]'
    if isinstance(value, str):
        texts = ", ".join(f'"{part.strip()}"' for part in value.split(",") if part.strip())
        raise InputError(f"{expected}, not {described(value)}; write [{texts}]")
    if isinstance(value, bytes | Mapping | Set) or not isinstance(value, Iterable):
        order = ", whose order gives the labels" if isinstance(value, Mapping | Set) else ""
        raise InputError(f"{expected}{order}, not {described(value)}")
    entries = list(value)
    for entry in entries:
        if not isinstance(entry, str | Category):
            raise InputError(f"{expected}; one of them is {described(entry)}")
    return check_categories(entries)


def read_formats(value: Iterable[str]) -> list[str]:
    """Check that formats are a list of texts, not that there are such formats.

    Raises:
        InputError: they are no list of texts.
    """
    expected = 'formats are a list of names, such as ["mask", "coco"]'
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InputError(f"{expected}, not {described(value)}")
    names = list(value)
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"{expected}; one of them is {described(name)}")
    return names


def read_text(value: str, what: str) -> str:
    """Check a text that was passed to the library.

    Raises:
        InputError: it is none, or empty.
    """
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is a text, not {described(value)}")
    return value


def _upright(image: Image.Image, what: str) -> Image.Image:
    try:
        return turn_upright(image)
    except (OSError, ValueError, SyntaxError) as error:  # read from its file only now
        raise InputError(f"{what} cannot be decoded: {' '.join(str(error).split())}") from error


@contextmanager
def _as_file(content: bytes, what: str) -> Iterator[Path]:
    """Put encoded bytes into a file, as decoders of the service read them; errors do not name it."""
    with tempfile.NamedTemporaryFile(prefix="freeda-") as file:
        file.write(content)
        file.flush()
        try:
            yield Path(file.name)
        except InputError as error:
            raise InputError(str(error).replace(file.name, what)) from error
