"""Image files without the metadata that would keep their pixels from being read.

Libraries refuse whole files for a text that is too long, a profile that is too large or EXIF data that are broken.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET, BufferedIOBase, BufferedReader, BytesIO, RawIOBase
from typing import IO

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT"))
_XMP = b"XML:com.adobe.xmp\0\0"  # the second null says that it is not compressed
_EXIF_TEXT = b"Raw profile type exif\0"
_ORIENTING = frozenset((b"eXIf", b"iTXt", b"tEXt", b"zTXt"))
_LONGEST_METADATA = 1 << 19  # Pillow refuses files with texts of twice as many bytes, unpacked
_HEADER = struct.Struct(">I4s")
_CHECKSUM_BYTES = 4

_AVIF = re.compile(rb"....ftypavi[fs]", re.DOTALL)
_EXIF_ITEM = re.compile(rb"(infe\x02.{7})Exif", re.DOTALL)
_MARK_BYTES = 12
_MOST_BOXES = 1 << 16


def pixel_stream(file: BufferedReader) -> IO[bytes]:
    """Return an open image file as decoders should see it: of a PNG file without its texts and profiles.

    EXIF data stay where they are whole, for the orientation.
    """
    kept = list(_kept_of_png(file)) if file.peek(len(_PNG)).startswith(_PNG) else []
    file.seek(0)
    if len(kept) <= 1:  # nothing is left out in between
        return file
    return BufferedReader(_Spliced(file, kept))


def without_exif(file: IO[bytes]) -> BytesIO | None:
    """Return a copy of an open AVIF file that mentions no EXIF data; None where it mentions none, or is none.

    Its own properties, which stay, also say how it is turned.
    """
    file.seek(0)
    beginning = file.read(_MARK_BYTES)
    if not _AVIF.match(beginning):
        return None  # a film, perhaps, which is not read whole for that
    content = beginning + file.read()
    boxes, found = _EXIF_ITEM.subn(rb"\1skip", content[:_MOST_BOXES])
    return BytesIO(boxes + content[_MOST_BOXES:]) if found else None


@dataclass(frozen=True)
class _Range:
    """Bytes ``start`` to ``stop``, exclusive, of a file, which lie at ``offset`` and after of what is shown of it."""

    start: int
    stop: int
    offset: int


def _kept_of_png(file: BufferedReader) -> Iterator[_Range]:
    """Find what is kept of a PNG file; ranges that follow each other are one."""
    size = file.seek(0, SEEK_END)
    start = shown = 0
    place = len(_PNG)
    while place + _HEADER.size <= size:
        file.seek(place)
        length, kind = _HEADER.unpack(file.read(_HEADER.size))
        stop = place + _HEADER.size + length + _CHECKSUM_BYTES
        if not kind.isalpha() or stop > size:
            break  # damaged or cut off, which the decoder is to see
        if not _is_kept(file, kind, length):
            if place > start:
                yield _Range(start, place, shown)
                shown += place - start
            start = stop
        place = stop
    if size > start:
        yield _Range(start, size, shown)


def _is_kept(file: BufferedReader, kind: bytes, length: int) -> bool:
    """Whether a chunk, whose content comes next, is needed: for pixels, or for the orientation and whole."""
    if kind[:1].isupper() or kind in _PIXEL_CHUNKS:
        return True
    if kind not in _ORIENTING or length > _LONGEST_METADATA:
        return False
    content, checksum = file.read(length), file.read(_CHECKSUM_BYTES)
    if zlib.crc32(kind + content).to_bytes(_CHECKSUM_BYTES, "big") != checksum:
        return False
    match kind:
        case b"eXIf":
            return True
        case b"iTXt":
            return content.startswith(_XMP)
        case _:
            return content.startswith(_EXIF_TEXT) and (kind == b"tEXt" or _is_short(content[len(_EXIF_TEXT) + 1 :]))


def _is_short(packed: bytes) -> bool:
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, _LONGEST_METADATA)
    except zlib.error:
        return False
    return unpacking.eof


class _Spliced(RawIOBase):
    """Some ranges of a file, one after the other."""

    def __init__(self, file: BufferedIOBase, ranges: list[_Range]) -> None:
        self._file = file
        self._ranges = ranges
        self._size = ranges[-1].offset + ranges[-1].stop - ranges[-1].start
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._place = max(0, offset + {SEEK_SET: 0, SEEK_CUR: self._place, SEEK_END: self._size}[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = next((part for part in reversed(self._ranges) if part.offset <= self._place), None)
        if part is None or self._place >= self._size:
            return 0
        start = part.start + self._place - part.offset
        self._file.seek(start)
        count = self._file.readinto(memoryview(buffer)[: min(len(buffer), part.stop - start)])
        self._place += count
        return count
