"""Images, whatever their file format and pixel format, as eight-bit RGB."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images.arrays import decode, image_from_array, reduce_to_eight_bits
from freeda_svc.images.files import open_upright
from freeda_svc.input_files import ANYWHERE, InputRules

if TYPE_CHECKING:
    import torch

PAPER = "white"
"""What lies behind transparent pixels for models, which know no transparency."""

_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_HALF_OPAQUE = 128
_PIXELS_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class LoadedImage:
    """An image as models see it.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        visible: (H, W) bool, false where the image is more transparent than opaque; None where it is so nowhere.
        name: of the file that it was read from; empty where there is none.
        regions: (H, W) int32, the caller's own regions as ``load_regions`` returns them; None where there are none.
    """

    pixels: npt.NDArray[np.uint8]
    visible: npt.NDArray[np.bool_] | None = None
    name: str = ""
    regions: npt.NDArray[np.int32] | None = None


ImageSource = Union[npt.NDArray[np.generic], "torch.Tensor", Image.Image, "os.PathLike[str]", str, LoadedImage]
"""An image as callers pass it; ``load_visible`` says what of it is taken."""


def _to_rgb(image: Image.Image, fill: str = "") -> LoadedImage:
    """Convert a decoded image of any mode, some rows after the other, because copies of large images take gigabytes."""
    if image.mode == "F":
        raise InputError("an image has floating point pixels; save it with 8 or 16 bits a channel")
    width, height = image.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    visible = np.empty((height, width), dtype=np.bool_) if image.has_transparency_data else None
    rows = max(1, _PIXELS_AT_ONCE // width)
    for start in range(0, height, rows):
        band = image.crop((0, start, width, min(start + rows, height)))
        if image.mode in _SIXTEEN_BIT_MODES:
            band = _eight_bit_band(band)
        if visible is not None:
            band = band.convert("RGBA")
            visible[start : start + rows] = np.asarray(band.getchannel("A")) >= _HALF_OPAQUE
            band = Image.alpha_composite(Image.new("RGBA", band.size, fill or PAPER), band)
        pixels[start : start + rows] = np.asarray(band if band.mode == "RGB" else band.convert("RGB"))
    if visible is None or fill or visible.all():
        return LoadedImage(pixels)
    if not visible.any():
        raise InputError(
            "every pixel of the image is transparent; take that away, or fill it with a colour (fill_transparent)"
        )
    return LoadedImage(pixels, visible)


def _eight_bit_band(band: Image.Image) -> Image.Image:
    values = np.asarray(band)
    reduced = Image.fromarray(reduce_to_eight_bits(values))
    transparent = band.info.get("transparency")
    if isinstance(transparent, int):  # the one grey that is
        reduced.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return reduced


def load_visible(source: ImageSource, fill: str = "", rules: InputRules = ANYWHERE) -> LoadedImage:
    """Return an image as eight-bit RGB, and where it can be seen.

    What is partly transparent is laid over ``fill``, or over white.

    Args:
        source: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 or uint16, as an array or a torch tensor; a Pillow
            image, taken as it stands, without regard to its EXIF orientation; the path of an image file; or a loaded
            image, which is returned as it is.
        fill: the colour that lies behind the image, so that all of it can be seen; nothing does when empty.
        rules: for files: where they must be, and how many pixels they may have.

    Raises:
        InputError: it is none of these, the array has another shape or type, the image has no pixels, the file cannot
            be read, or without a fill nothing of the image can be seen.
    """
    if isinstance(source, LoadedImage):
        return source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        upright = open_upright(path, rules)
        try:
            return replace(_to_rgb(upright, fill), name=path.name)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    if isinstance(source, Image.Image):
        return _to_rgb(decode(source), fill)
    return _to_rgb(image_from_array(source), fill)


def read_image(path: Path, rules: InputRules = ANYWHERE) -> npt.NDArray[np.uint8]:
    """Read an image file.

    The orientation noted in the file (EXIF) is obeyed; grey, palette, transparent, CMYK and 16-bit images become
    eight-bit RGB; of several pages the first is taken. What is transparent shows white behind it, as on a page.

    Args:
        path: a file of a format that is read here.
        rules: where it must be, and how many pixels it may have.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: there is no such file, it is a folder, may not be read, is elsewhere, is not an image, or one of
            another format, is an animation, is cut off or damaged, or has more pixels than the rules allow.
    """
    return load_visible(path, PAPER, rules).pixels


def load_image(source: ImageSource, rules: InputRules = ANYWHERE) -> npt.NDArray[np.uint8]:
    """Return an image as eight-bit RGB, from an array, a Pillow image or a file; what is transparent shows white.

    Args:
        source: as ``load_visible`` takes it.
        rules: for files: where they must be, and how many pixels they may have.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: as from ``load_visible``.
    """
    return load_visible(source, PAPER, rules).pixels
