"""Masks of objects, from image files."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from freeda_svc.errors import InputError
from freeda_svc.images.files import opened_image

_LOSSY_FORMATS = frozenset(("JPEG", "MPO"))
_ONE_VALUE_A_PIXEL = frozenset(("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
_MOST_COLOURS = 256


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Read a mask: every pixel that is not zero belongs to the object.

    What counts is the value as it is stored: the index in an indexed image, whatever its palette shows; any channel of
    a colour image. Of an object that was cut out, so that the rest is transparent, what is not transparent counts. The
    EXIF orientation is obeyed as in images.

    Args:
        path: a file of any lossless format that Pillow reads, such as PNG.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        InputError: it cannot be read, was saved with losses, is a photograph, or shows no object.
    """
    with opened_image(path) as image:
        if image.format in _LOSSY_FORMATS:
            raise InputError(f"the mask {path} is a JPEG, which does not keep pixels exactly; save the mask as PNG")
        image.load()
        mask = _object_in(ImageOps.exif_transpose(image), path)
    if not mask.any():
        raise InputError(f"the mask {path} is empty; give the object's pixels a value that is not zero")
    return mask


def _object_in(image: Image.Image, path: Path) -> npt.NDArray[np.bool_]:
    if image.mode in _ONE_VALUE_A_PIXEL:
        values = np.asarray(image)
        return np.asarray((values != 0) & ~np.isnan(values))
    if "A" in image.getbands():
        opaque = np.asarray(image.getchannel("A")) > 0
        if not opaque.all():
            return np.asarray(opaque)
    colours = image.convert("RGB")
    if colours.getcolors(_MOST_COLOURS) is None:
        raise InputError(
            f"the mask {path} has more than {_MOST_COLOURS} colours, so it is a photograph and not a mask; "
            "are image and mask swapped?"
        )
    return np.asarray(np.asarray(colours).any(axis=2))
