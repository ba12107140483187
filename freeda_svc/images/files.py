"""Opening image files, with one line for whatever can be wrong with them."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from freeda_svc.errors import InputError

MOST_PIXELS = 200_000_000
"""Larger images are refused: decoded, they would take gigabytes. Cameras reach about 150 million pixels."""

# Pillow warns from this number of pixels on, and refuses twice as many; its own limit is below that of cameras.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS

_ANIMATED_FORMATS = frozenset(("GIF", "PNG", "WEBP", "AVIF"))

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
        InputError: there is no such file, it is a folder, may not be read, is not an image, is an animation, is cut
            off or damaged, or has so many pixels that decoding it would exhaust the memory.
    """
    _check_file(path)
    try:
        with Image.open(path) as image:
            _check_kind(image, path)
            yield image
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path} may not be read; check its permissions") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not an image in a known format; give a file such as JPEG or PNG") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(_too_many_pixels(path)) from error
    except _DECODER_ERRORS as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is cut off or damaged ({reason}); get a whole copy of the image") from error


def _check_file(path: Path) -> None:
    try:
        is_folder, is_there, is_file = path.is_dir(), path.exists(), path.is_file()
    except OSError as error:
        raise InputError(f"{path} cannot be looked up: {error.strerror}; check its name and its folder") from error
    if is_folder:
        raise InputError(f"{path} is a folder; name an image file")
    if not is_there:
        raise InputError(f"no such image file: {path}")
    if not is_file:
        raise InputError(f"{path} is no regular file; name an image file")


def _too_many_pixels(path: Path) -> str:
    return f"{path} has more than {MOST_PIXELS // 1_000_000} million pixels; scale it down first"


def _check_kind(image: Image.Image, path: Path) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise InputError(_too_many_pixels(path))
    if image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False):
        pictures = getattr(image, "n_frames", 0)
        raise InputError(f"{path} is an animation of {pictures} pictures; save the one you mean as a file of its own")


def open_upright(path: Path) -> Image.Image:
    """Read an image file and turn it as its EXIF orientation says; of several pages the first is taken.

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
