"""Opening image files, with one line for whatever can be wrong with them."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from freeda_svc.errors import InputError

# What the decoders of Pillow raise on damaged files, by format.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    zlib.error,
)
_TURNED_ASIDE = frozenset((5, 6, 7, 8))


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """Open an image file; what is raised inside the block while it is decoded becomes one line, too.

    Args:
        path: a file of any format that Pillow reads.

    Raises:
        InputError: there is no such file, it is a folder, may not be read, is not an image, is cut off or
            damaged, or has so many pixels that decoding it would exhaust the memory.
    """
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:
        raise InputError(f"{path} cannot be looked up: {error.strerror}; check its name and its folder") from error
    if is_folder:
        raise InputError(f"{path} is a folder; name an image file")
    if not is_there:
        raise InputError(f"no such image file: {path}")
    try:
        with Image.open(path) as image:
            yield image
    except PermissionError as error:
        raise InputError(f"{path} may not be read; check its permissions") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image in a known format; give a file such as JPEG or PNG") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise InputError(f"{path} has more than {limit} million pixels; scale it down first") from error
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is cut off or damaged ({reason}); get a whole copy of the image") from error


def open_upright(path: Path) -> Image.Image:
    """Read an image file and turn it as its EXIF orientation says; of an animation the first picture is taken.

    Args:
        path: a file of any format that Pillow reads.

    Returns:
        The decoded image in its own mode.

    Raises:
        InputError: as ``opened_image`` raises it.
    """
    with opened_image(path) as image:
        image.load()
        return ImageOps.exif_transpose(image)


def upright_size(path: Path) -> tuple[int, int]:
    """Return the height and width of an image file, upright, mostly without decoding it.

    Raises:
        InputError: as ``opened_image`` raises it; damage that only decoding shows may go unnoticed.
    """
    with opened_image(path) as image:
        if image.format == "TIFF":
            image.load()  # which turns it, and takes the orientation away
        width, height = image.size
        aside = image.getexif().get(ExifTags.Base.Orientation) in _TURNED_ASIDE
    return (width, height) if aside else (height, width)
