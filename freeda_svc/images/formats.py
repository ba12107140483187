"""The formats of images that are read, and the names of those that are not.

Only formats on a list are opened: each further reader is more code that files from outside can reach, and some are
half known, or start a program of the machine.
"""

import re
from functools import cache

from PIL import (  # the readers that are on the list, so that Pillow need not look for them among all of its own
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    Jpeg2KImagePlugin,  # noqa: F401
    JpegImagePlugin,  # noqa: F401
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    PpmImagePlugin,  # noqa: F401
    TgaImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
)

_READ = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "JPEG2000", "PPM")
_LAST = ("TGA",)  # has no mark at its beginning: any file may be one
HEIF = "HEIF"

HEIF_ENDINGS = frozenset((".heic", ".heif", ".hif"))
_ENDINGS = frozenset(
    (
        *(".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm"),
        *(".ppm", ".tga", ".tif", ".tiff", ".webp"),
    )
)
HEIF_HINT = "pip install 'freeda-svc[heic]' adds its reader"

# Of Pillow's other formats those whose files begin in a way that no others do.
_NAMED = (
    *("EPS", "WMF", "PSD", "DDS", "HDF5", "GRIB", "BUFR", "FITS", "ICNS", "ICO", "CUR", "QOI", "SGI", "SUN", "PCX"),
    *("BLP", "FTEX", "XBM", "XPM"),
)

# How files begin that are pictures, or hold some, and of which Pillow knows nothing; brands of ISO media files.
_MARKS = (
    (re.compile(rb"....ftyp(heic|heix|hevc|hevx|heim|heis|hevm|hevs|mif1|msf1)", re.DOTALL), "HEIC"),
    (re.compile(rb"....ftypcrx ", re.DOTALL), "CR3"),
    (re.compile(rb"....ftyp(qt  |mp4|isom|M4V|3gp)", re.DOTALL), "video"),
    (re.compile(rb"\xff\x0a|\x00\x00\x00\x0cJXL "), "JPEG XL"),
    (re.compile(rb"FUJIFILMCCD-RAW"), "RAF"),
    (re.compile(rb"IIU\x00|IIRO|IIRS|MMOR"), "raw"),
    (re.compile(rb"%PDF-"), "PDF"),
    (re.compile(rb"\s*(<\?xml[^>]*>\s*)?<svg|<\?xml"), "SVG or XML"),
)


@cache
def heif_is_read() -> bool:
    """Whether a reader of phones' pictures is installed; makes it known to Pillow."""
    try:
        from pillow_heif import register_heif_opener  # noqa: PLC0415 - an extra
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def read_formats() -> tuple[str, ...]:
    """Return the formats that are opened, as Pillow calls them."""
    return (*_READ, *((HEIF,) if heif_is_read() else ()), *_LAST)


def image_endings() -> frozenset[str]:
    """Return the endings, in lower case, of files that are taken from a folder; named files are taken anyway."""
    return _ENDINGS | HEIF_ENDINGS if heif_is_read() else _ENDINGS


def is_read(beginning: bytes) -> bool:
    """Whether a file begins like one of a format that is read."""
    return any(_accepts(name, beginning) for name in read_formats())


def name_format(beginning: bytes) -> str:
    """Return the name of a format that is not read, from how a file begins; empty where it is unknown."""
    for mark, name in _MARKS:
        if mark.match(beginning):
            return name
    Image.init()  # only how these files begin is asked; none of their readers is started
    return next((name for name in _NAMED if _accepts(name, beginning)), "")


def _accepts(name: str, beginning: bytes) -> bool:
    accept = Image.OPEN[name][1] if name in Image.OPEN else None
    try:
        return accept is not None and bool(accept(beginning[:16]))
    except Exception:  # noqa: BLE001 - the beginning may be cut off
        return False
