"""Masks and label maps drawn on an image as it is stored, although viewers turn it as its EXIF orientation says."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.images.files import opened_image, read_orientation
from freeda_svc.input_files import ANYWHERE, InputRules

DrawnOn = Literal["upright", "stored"]
DRAWN_ON: tuple[DrawnOn, ...] = ("upright", "stored")
"""On what marks were drawn: the image as it is seen, or its pixels as the file stores them."""

Scalar = TypeVar("Scalar", bound=np.generic)

_AS_STORED = 1
_FIRST_TURNED_ASIDE = 5


@dataclass(frozen=True)
class Frame:
    """An image's size, and how its stored pixels become the upright image.

    Attributes:
        height: upright, pixels.
        width: upright, pixels.
        orientation: EXIF's, 1 to 8; 1 where the file says none that can be read.
    """

    height: int
    width: int
    orientation: int

    @property
    def is_turned(self) -> bool:
        """Whether the upright image differs from the stored one."""
        return self.orientation != _AS_STORED

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, upright."""
        return self.height, self.width

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width as they are stored."""
        return (self.width, self.height) if self.orientation >= _FIRST_TURNED_ASIDE else self.size

    def turn(self, mask: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Turn a mask or label map of the stored pixels, (H, W), as the image is turned."""
        if self.orientation >= _FIRST_TURNED_ASIDE:
            mask = mask.T
        rows, columns = _FLIPS[self.orientation]
        return np.ascontiguousarray(mask[::rows, ::columns])


# After the exchange of rows and columns, where there is one: whether rows and columns run backwards.
_FLIPS = {1: (1, 1), 2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}


def read_frame(path: Path, rules: InputRules = ANYWHERE) -> Frame:
    """Read an image's size and EXIF orientation, mostly without decoding it.

    Raises:
        InputError: as ``opened_image`` raises it; damage that only decoding shows may go unnoticed.
    """
    with opened_image(path, rules) as image:
        orientation = read_orientation(image)
        if image.format == "TIFF":
            image.load()  # which turns it, and takes the orientation away
        width, height = image.size
        aside = read_orientation(image) >= _FIRST_TURNED_ASIDE
    return Frame(*((width, height) if aside else (height, width)), orientation)


def is_upright(path: Path, rules: InputRules = ANYWHERE) -> bool:
    """Return whether an image file has no EXIF orientation, which some readers obey and some do not.

    Raises:
        InputError: as ``opened_image`` raises it.
    """
    with opened_image(path, rules) as image:
        return read_orientation(image) == _AS_STORED


def is_drawn_on_stored(
    frame: Frame, size: tuple[int, int] | None, drawn_on: DrawnOn | None, *, image: Path, marks: str
) -> bool:
    """Return whether marks were drawn on an image's pixels as they are stored.

    Of an image that is turned on its side, marks of the upright size can only have been drawn on the upright image. In
    every other case the file does not say, and a mask that falls elsewhere would not be noticed.

    Args:
        frame: of the image.
        size: height and width that the marks are for; None when unknown.
        drawn_on: what the user said of all marks; None when not given.
        image: the image's file, for messages.
        marks: what to call the marks in messages.

    Raises:
        InputError: it was not given, and it matters.
    """
    stored = frame.is_turned and drawn_on == "stored"
    seen = size == frame.size and frame.size != frame.stored_size
    if frame.is_turned and drawn_on is None and not seen and size in {None, frame.size, frame.stored_size}:
        raise InputError(
            f"{image} has the EXIF orientation {frame.orientation}, so viewers turn it, and nothing says whether "
            f"{marks} was drawn on its pixels as they are stored or on the upright picture; say it with "
            "--drawn-on stored or --drawn-on upright"
        )
    return stored
