"""Images and masks that callers of the library pass in: arrays, tensors, Pillow images; anything else is refused."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError, one_line

Array = npt.NDArray[np.generic]
Source = TypeVar("Source")

_LARGEST_SIXTEEN_BIT = 65535
_SIXTEEN_TO_EIGHT = 257  # 65535 / 255
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_GREY, _COLOUR, _BATCH = 2, 3, 4  # dimensions
_IMAGE_EXPECTED = "an image: the path of an image file, a PIL image, or an (H, W, 3) uint8 array or tensor"
_MASK_EXPECTED = "a mask: the path of a mask file, a PIL image, or an (H, W) bool array or tensor"


def decode(image: Image.Image) -> Image.Image:
    """Return a Pillow image with its pixels decoded.

    Raises:
        InputError: it has no pixels, or they cannot be decoded.
    """
    if 0 in image.size:
        raise InputError("an image has no pixels; give one with at least one row and one column")
    try:
        image.load()
    except Exception as error:  # decoders raise anything
        reason = one_line(error)
        raise InputError(f"the PIL image is closed, cut off or damaged ({reason}); open it again") from error
    return image


def image_from_array(source: object) -> Image.Image:
    """Return an array or tensor as a Pillow image.

    Args:
        source: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 or uint16, as a NumPy array, a torch tensor on any
            device, or anything else that NumPy understands as an array.

    Raises:
        InputError: it is something else.
    """
    pixels = as_array(source, _IMAGE_EXPECTED)
    channels = 1 if pixels.ndim == _GREY else pixels.shape[-1] if pixels.ndim == _COLOUR else 0
    mode = _MODES.get(channels)
    if mode is None or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(
            "an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or uint16, "
            f"not {pixels.dtype} {pixels.shape}{_image_hint(pixels)}"
        )
    if pixels.dtype == np.uint16:
        pixels = reduce_to_eight_bits(pixels)
    return Image.fromarray(pixels.reshape(pixels.shape[:2]) if mode == "L" else pixels)


def reduce_to_eight_bits(pixels: Array) -> npt.NDArray[np.uint8]:
    """Scale 16-bit values to eight bits.

    Raises:
        InputError: there are values outside of 0 to 65535.
    """
    values = pixels.astype(np.int64)
    if values.min() < 0 or values.max() > _LARGEST_SIXTEEN_BIT:
        raise InputError("an image has 32-bit pixels beyond 0..65535; save it with 8 or 16 bits a channel")
    return np.asarray((values + _SIXTEEN_TO_EIGHT // 2) // _SIXTEEN_TO_EIGHT, dtype=np.uint8)


def mask_from_array(source: object) -> npt.NDArray[np.bool_]:
    """Return a mask that is an array or tensor.

    Args:
        source: (H, W) or (H, W, 1) bool, or numbers of which those that are not zero mark the object; floats only 0
            and 1.

    Returns:
        (H, W) bool, perhaps without a true pixel.

    Raises:
        InputError: it is something else.
    """
    values = as_array(source, _MASK_EXPECTED)
    if values.ndim == _COLOUR and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != _GREY or values.size == 0 or values.dtype.kind not in "buif":
        raise InputError(f"a mask array must be (H, W), bool or integers, not {values.dtype} {values.shape}")
    if values.dtype.kind == "f" and not np.isin(values, (0, 1)).all():
        raise InputError("a mask of floats must hold 0 and 1 only; apply a threshold first, such as mask > 0.5")
    return np.asarray(values != 0)


def each_image(images: Iterable[Source]) -> Iterator[Source]:
    """Iterate over several images.

    Raises:
        InputError: it is a single image, or nothing to iterate over.
    """
    single = isinstance(images, str | bytes | os.PathLike | Image.Image)
    dimensions = getattr(images, "ndim", None)  # an (N, H, W, 3) array is N images
    if single or (dimensions is not None and dimensions != _BATCH) or not isinstance(images, Iterable):
        raise InputError(f"expected several images, such as a list of them, not {_kind(images)}")
    return iter(images)


def as_array(source: object, expected: str) -> Array:
    """Return what NumPy makes of an array or tensor, in the machine's byte order.

    Raises:
        InputError: it is something else.
    """
    torch = sys.modules.get("torch")  # whoever passes a tensor has imported it
    if torch is not None and isinstance(source, torch.Tensor):
        tensor = source.detach().cpu()
        array: Array = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()  # NumPy has no bfloat16
    elif hasattr(source, "__array__") and not isinstance(source, np.generic):
        array = np.asarray(source)
    else:
        raise InputError(f"expected {expected}, not {_kind(source)}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _image_hint(pixels: Array) -> str:
    """Say how to make an image of an array that is none; empty where that is not known."""
    if pixels.ndim == _BATCH:
        return "; it is a batch: pass one of its images"
    if pixels.ndim == _COLOUR and pixels.shape[0] in _MODES and pixels.shape[2] not in _MODES:
        return "; its channels come first: use numpy.moveaxis(image, 0, -1)"
    if pixels.dtype.kind == "f":
        return "; convert values from 0 to 1 with (image * 255).round().astype('uint8')"
    if pixels.dtype.kind in "iu" and pixels.dtype not in (np.uint8, np.uint16):
        return "; convert values from 0 to 255 with image.astype('uint8')"
    return ""


def _kind(value: object) -> str:
    """Say in a few words what was passed."""
    if value is None:
        return "None"
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes; PIL.Image.open(io.BytesIO(data)) reads an encoded image"
    if isinstance(value, str | os.PathLike):
        return f"the path {os.fspath(value)!r:.80}"
    name = type(value).__name__
    if isinstance(value, list | tuple | dict | set):
        return f"a {name} of length {len(value)}"
    shape = getattr(value, "shape", None)
    return f"{name} {tuple(shape)}" if isinstance(shape, tuple) and shape else name
