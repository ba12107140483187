"""Images, whatever their file format and pixel format, as eight-bit RGB."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.images.files import open_upright

ImageSource = npt.NDArray[np.generic] | Image.Image | Path | str

_SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_MOST_OF_SIXTEEN_BITS = 65535
_CHANNELS_OF_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_DIMENSIONS = (2, 3)


def _reduce_to_eight_bits(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    values = pixels.astype(np.int64)
    if values.min() < 0 or values.max() > _MOST_OF_SIXTEEN_BITS:
        raise InputError("an image has 32-bit pixels beyond 0..65535; save it with 8 or 16 bits a channel")
    return np.asarray((values + 128) // 257, dtype=np.uint8)


def _to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Convert a loaded image of any mode; what is transparent shows white behind it, as on a page."""
    if image.mode == "F":
        raise InputError("an image has floating point pixels; save it with 8 or 16 bits a channel")
    if image.mode in _SIXTEEN_BIT_MODES:
        image = Image.fromarray(_reduce_to_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _from_array(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    expected = "an image array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or uint16"
    if pixels.ndim not in _DIMENSIONS or pixels.size == 0 or pixels.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{expected}, not {pixels.dtype} {pixels.shape}")
    if pixels.dtype == np.uint16:
        pixels = _reduce_to_eight_bits(pixels)
    planes = pixels[:, :, None] if pixels.ndim == _DIMENSIONS[0] else pixels
    mode = _CHANNELS_OF_MODES.get(planes.shape[2])
    if mode is None:
        raise InputError(f"{expected}, not {pixels.dtype} {pixels.shape}")
    return _to_rgb(Image.fromarray(planes[:, :, 0] if mode == "L" else planes))


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image file.

    The orientation noted in the file (EXIF) is obeyed; grey, palette, transparent, CMYK and 16-bit images become
    eight-bit RGB; of several pages the first is taken.

    Args:
        path: a file of any format that Pillow reads.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: there is no such file, it is a folder, may not be read, is not an image, is an animation, is cut
            off or damaged, or has so many pixels that decoding it would exhaust the memory.
    """
    upright = open_upright(path)
    try:
        return _to_rgb(upright)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def load_image(source: ImageSource) -> npt.NDArray[np.uint8]:
    """Return an image as eight-bit RGB, from an array, a Pillow image or a file.

    Args:
        source: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8 or uint16; a Pillow image, taken as it stands,
            without regard to its EXIF orientation; or a path.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: the array has another shape or type, the image no pixels, or the file cannot be read.
    """
    if isinstance(source, Path | str):
        return read_image(Path(source))
    if isinstance(source, Image.Image):
        if 0 in source.size:
            raise InputError("an image has no pixels; give one with at least one row and one column")
        return _to_rgb(source)
    return _from_array(source)
