"""Whether an image was compressed with losses, from how it was compressed and not from its name."""

import struct
from typing import IO

from PIL import Image

from freeda_svc.errors import InputError

_ALWAYS_LOSSY = {"JPEG": "JPEG", "MPO": "JPEG", "AVIF": "AVIF", "HEIF": "HEIC"}
"""AVIF and HEIC can be without losses, too, but hardly any are, and their headers do not say which."""

_COMPRESSION_TAG, _STRIPS_TAG, _TILES_TAG = 259, 273, 324
_LOSSY_IN_TIFF = {
    **dict.fromkeys((6, 7, 34892), "JPEG"),
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    50002: "JPEG XL",
    52546: "JPEG XL",
}
_WEBP_IN_TIFF = 50001
_WEBP_HEADER_BYTES = 12

_CODESTREAM, _START_OF_TILE = b"\xff\x4f\xff\x51", 0xFF90
_CODING_STYLE, _CODING_STYLE_OF_COMPONENT = 0xFF52, 0xFF53
_MOST_OF_HEADER = 1 << 16
_WIDE_COMPONENTS = 257


def check_lossless(image: Image.Image, what: str) -> None:
    """Check that an image that was just opened, and not decoded yet, was compressed without losses.

    JPEG 2000 with the reversible transform is taken, although it may have been cut to a size, which no header says.

    Args:
        image: as ``opened_image`` gives it.
        what: to call it in the message, such as ``the mask a.png``.

    Raises:
        InputError: it was compressed with losses, or with a method that mostly has some.
    """
    how = _lossy_method(image)
    if how:
        raise InputError(
            f"{what} was compressed by {how} with losses, so its pixels are not as they were drawn; "
            "save it as PNG again"
        )


def _lossy_method(image: Image.Image) -> str:
    """Return the name of the method; empty where it keeps all."""
    file: IO[bytes] = image.fp  # type: ignore[attr-defined]
    match image.format:
        case "WEBP":
            return "WebP" if _is_lossy_webp(file) else ""
        case "JPEG2000":
            return "JPEG 2000" if _is_irreversible(_part(file, 0, _MOST_OF_HEADER)) else ""
        case "TIFF":
            return _lossy_in_tiff(image, file)
        case _:
            return _ALWAYS_LOSSY.get(image.format or "", "")


def _part(file: IO[bytes], start: int, count: int) -> bytes:
    place = file.tell()
    file.seek(start)
    content = file.read(count)
    file.seek(place)
    return content


def _is_lossy_webp(file: IO[bytes], start: int = 0) -> bool:
    """Whether the pixels of a WebP file within another are not in a chunk of the lossless kind."""
    place = start + _WEBP_HEADER_BYTES
    while len(header := _part(file, place, 8)) == 8:  # noqa: PLR2004 - of every chunk
        kind, length = struct.unpack("<4sI", header)
        if kind in {b"VP8 ", b"VP8L"}:
            return bool(kind == b"VP8 ")
        place += 8 + length + length % 2
    return True


def _is_irreversible(content: bytes) -> bool:
    """Whether a JPEG 2000 codestream names the 9-7 wavelet, whose coefficients are rounded, for any component."""
    place = content.find(_CODESTREAM)
    components = int.from_bytes(content[place + 40 : place + 42], "big")
    place += 2
    while place + 4 <= len(content):
        marker, length = struct.unpack_from(">HH", content, place)
        if marker == _START_OF_TILE:
            break
        transform = {
            _CODING_STYLE: place + 13,
            _CODING_STYLE_OF_COMPONENT: place + 10 + (components >= _WIDE_COMPONENTS),
        }.get(marker)
        if transform is not None and content[transform : transform + 1] == b"\0":
            return True
        place += 2 + length
    return False


def _lossy_in_tiff(image: Image.Image, file: IO[bytes]) -> str:
    tags = image.tag_v2  # type: ignore[attr-defined]
    method = tags.get(_COMPRESSION_TAG)
    if method != _WEBP_IN_TIFF:
        return _LOSSY_IN_TIFF.get(method, "")
    offsets = tags.get(_STRIPS_TAG) or tags.get(_TILES_TAG)
    start = offsets[0] if isinstance(offsets, tuple) else int(offsets or 0)
    return "WebP" if _is_lossy_webp(file, start) else ""
