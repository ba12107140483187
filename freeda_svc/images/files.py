"""Opening image files, with a one-line message for anything that can be wrong with them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from freeda_svc.errors import InputError, one_line
from freeda_svc.images.formats import HEIF_HINT, is_read, name_format, read_formats
from freeda_svc.images.pixel_streams import pixel_stream, without_exif
from freeda_svc.input_files import ANYWHERE, MOST_ALLOWED_PIXELS, InputRules, open_input

# Pillow has one limit for all that a process does, below what cameras have. Ours is checked for each file.
Image.MAX_IMAGE_PIXELS = MOST_ALLOWED_PIXELS

_ANIMATED_FORMATS = frozenset(("GIF", "PNG", "WEBP", "AVIF"))
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_RAW_VERSION_TAG, _SUBFILE_TYPE_TAG, _PREVIEW = 50706, 254, 1
_MARK_BYTES = 64


@contextmanager
def opened_image(path: Path, rules: InputRules = ANYWHERE) -> Iterator[Image.Image]:
    """Open an image file; what is raised inside the block while it is decoded becomes one line, too.

    Args:
        path: a file of a format that is read here.
        rules: where it must be, and how many pixels it may have.

    Raises:
        InputError: there is no such file, it is a folder, may not be read, is elsewhere, is not an image, or one of
            another format, is an animation, is cut off or damaged, or has more pixels than the rules allow.
    """
    with open_input(path, rules) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that metadata are odd, which are not used
        try:
            with _open(file) as image:
                _check_kind(image, path, rules)
                yield image
        except InputError:
            raise
        except UnidentifiedImageError as error:
            raise InputError(_say_what_it_is(file, path)) from error
        except Image.DecompressionBombError as error:
            raise InputError(_too_many_pixels(path, rules)) from error
        except MemoryError as error:
            raise InputError(f"{path} needs more memory to be decoded than there is; scale it down first") from error
        except Exception as error:  # decoders raise anything, and it concerns this one file
            raise InputError(_damaged(path, error)) from error


def _open(file: BufferedReader) -> Image.Image:
    try:
        return Image.open(pixel_stream(file), formats=read_formats())
    except Exception:
        plain = without_exif(file)
        if plain is None:
            raise
        return Image.open(plain, formats=read_formats())


def _say_what_it_is(file: BufferedReader, path: Path) -> str:
    file.seek(0)
    beginning = file.read(_MARK_BYTES)
    if not beginning:
        return f"{path} is empty, a file of no bytes; get a whole copy of the image"
    if is_read(beginning):
        return _damaged(path, "its beginning cannot be understood")
    name = name_format(beginning)
    if name == "HEIC":
        return f"{path} is a HEIC image; {HEIF_HINT}, or save it as JPEG or PNG"
    if name:
        return f"{path} is a {name} file, a format that is not read here; save it as JPEG or PNG"
    return f"{path} is not an image in a known format; give a file such as JPEG or PNG"


def _damaged(path: Path, reason: object) -> str:
    return f"{path} is cut off or damaged ({one_line(reason)}); get a whole copy of the image"


def _too_many_pixels(path: Path, rules: InputRules) -> str:
    return (
        f"{path} has more than {rules.most_pixels:,} pixels; "
        "scale it down first, or change the setting max_image_pixels"
    )


def _check_kind(image: Image.Image, path: Path, rules: InputRules) -> None:
    if image.width * image.height > rules.most_pixels:
        raise InputError(_too_many_pixels(path, rules))
    if image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False):
        pictures = getattr(image, "n_frames", 0)
        raise InputError(f"{path} is an animation of {pictures} pictures; save the one you mean as a file of its own")
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if _RAW_VERSION_TAG in tags or (tags.get(_SUBFILE_TYPE_TAG) or 0) & _PREVIEW:
            raise InputError(f"{path} is a raw photograph with a small preview; develop it, as JPEG or PNG")


def open_upright(path: Path, rules: InputRules = ANYWHERE) -> Image.Image:
    """Read an image file and turn it as its EXIF orientation says; of several pages the first is taken.

    Args:
        path: a file of a format that is read here.
        rules: where it must be, and how many pixels it may have.

    Returns:
        The decoded image in its own mode.

    Raises:
        InputError: as ``opened_image`` raises it.
    """
    with opened_image(path, rules) as image:
        return turn_upright(image)


def turn_upright(image: Image.Image) -> Image.Image:
    """Decode an open image and turn it as its EXIF orientation says; one that cannot be read counts as none."""
    image.load()
    turn = _TURNS.get(read_orientation(image))
    return image if turn is None else image.transpose(turn)


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of an open image, 1 to 8; 1 where it says none that can be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - broken metadata raise anything; the pixels are whole
        orientation = None
    return orientation if orientation in _TURNS else 1


def check_image_file(path: Path, rules: InputRules = ANYWHERE) -> None:
    """Check that a file is an image and whole, as far as that is known from its header without decoding pixels.

    Raises:
        InputError: as ``opened_image`` raises it.
    """
    with opened_image(path, rules) as image:
        image.verify()
