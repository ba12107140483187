"""Masks of objects, and the colours that Pascal VOC stores masks in."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images.arrays import decode, mask_from_array
from freeda_svc.images.compression import check_lossless
from freeda_svc.images.files import opened_image, turn_upright
from freeda_svc.input_files import ANYWHERE, InputRules

if TYPE_CHECKING:
    import torch

MaskSource = Union[npt.NDArray[np.generic], "torch.Tensor", Image.Image, "os.PathLike[str]", str]
"""A mask as callers pass it; ``load_mask`` says what of it is taken."""

_ONE_VALUE_A_PIXEL = frozenset(("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"))
_MOST_COLOURS = 256
_MOST_OF_BORDER = 0.75
_BITS, _CHANNELS = 8, 3


def read_mask(path: Path, rules: InputRules = ANYWHERE) -> npt.NDArray[np.bool_]:
    """Read a mask: every pixel that is not zero belongs to the object.

    What counts is the value as it is stored: the index in an indexed image, whatever its palette shows; any channel of
    a colour image. Of an object that was cut out, so that the rest is transparent, what is not transparent counts. The
    EXIF orientation is obeyed as in images.

    Args:
        path: a file of a format that is read here and was compressed without losses, such as PNG.
        rules: where it must be, and how many pixels it may have.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        InputError: it cannot be read, was saved with losses, is a photograph, or shows no object.
    """
    with opened_image(path, rules) as image:
        check_lossless(image, f"the mask {path}")
        mask = _object_in(turn_upright(image), f"the mask {path}")
    return _not_empty(mask, f"the mask {path}")


def load_mask(source: MaskSource, rules: InputRules = ANYWHERE) -> npt.NDArray[np.bool_]:
    """Return a mask from an array, a tensor, a Pillow image or a file.

    Args:
        source: (H, W) or (H, W, 1) bool or integers, as an array or a torch tensor, of which values that are not zero
            mark the object; floats that are 0 or 1; a Pillow image, or the path of a file, as ``read_mask`` takes it.
        rules: for files: where they must be, and how many pixels they may have.

    Returns:
        (H, W) bool, with at least one true pixel.

    Raises:
        InputError: it is none of these, cannot be read, or shows no object.
    """
    if isinstance(source, str | os.PathLike):
        return read_mask(Path(source), rules)
    if isinstance(source, Image.Image):
        return _not_empty(_object_in(decode(source), "the mask"), "the mask")
    return _not_empty(mask_from_array(source), "the mask")


def _not_empty(mask: npt.NDArray[np.bool_], name: str) -> npt.NDArray[np.bool_]:
    if not mask.any():
        raise InputError(f"{name} is empty; give the object's pixels a value that is not zero")
    return mask


def doubt_about_mask(mask: npt.NDArray[np.bool_]) -> str:
    """Say what is odd about a mask that takes nearly all of the image's border, as an inverted one does.

    Such masks come about where a black and white picture is saved with a palette whose first colour is not black, as
    in GIF.

    Args:
        mask: (H, W) bool.

    Returns:
        A sentence without a subject; empty where there is no doubt.
    """
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    if border.mean() < _MOST_OF_BORDER:
        return ""
    return (
        f"marks {mask.mean():.0%} of the image and {border.mean():.0%} of its border; "
        "if that is the background, its value is not zero: save the mask as grey PNG, black outside of the object"
    )


def _object_in(image: Image.Image, name: str) -> npt.NDArray[np.bool_]:
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
            f"{name} has more than {_MOST_COLOURS} colours, so it is a photograph and not a mask; "
            "are image and mask swapped?"
        )
    return np.asarray(np.asarray(colours).any(axis=2))


def voc_colours(count: int) -> npt.NDArray[np.uint8]:
    """Return the first colours of VOC's colour map.

    The bits of a label are dealt to red, green and blue in turn, its lowest three to their highest bits, the next
    three to the bits below, and so on: labels near each other get colours far apart.

    Args:
        count: how many, at most 256.

    Returns:
        (count, 3) uint8, RGB.
    """
    labels = np.arange(count)
    colours = np.zeros((count, _CHANNELS), dtype=np.uint8)
    for place in range(_BITS):
        channel, depth = place % _CHANNELS, place // _CHANNELS
        colours[:, channel] |= (((labels >> place) & 1) << (_BITS - 1 - depth)).astype(np.uint8)
    return colours
