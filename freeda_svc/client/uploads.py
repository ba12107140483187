"""What is sent to a server: images and other files as parts of a form, read while they are sent."""

import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from freeda_svc.batches import find_images
from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules, open_input
from freeda_svc.library.arguments import ImageLike, MaskLike, described, read_image, read_mask, to_path

OCTETS = "application/octet-stream"
_KEPT_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
"""Modes of pictures that a PNG holds as they are."""
_FAST = 1

Part = tuple[str, tuple[str, "io.RawIOBase | bytes", str]]
"""A part of a form, as httpx takes it: its field, then the file's name, its content, and its media type."""


@dataclass(frozen=True, eq=False)
class Upload:
    """An image on its way to a server.

    Attributes:
        name: the file's name, perhaps with folders; the server calls results after it.
        content: the bytes of an image file, or where they lie.
    """

    name: str
    content: bytes | Path

    def part(self, field: str, rules: InputRules = ANYWHERE) -> Part:
        """Return it as a part of a form, to be read from its beginning."""
        content = self.content
        sent = content if isinstance(content, bytes) else FileWhileSent(content, rules)
        return field, (self.name, sent, OCTETS)


class FileWhileSent(io.RawIOBase):
    """A file that is open only while it is read: a form may have more of them than a process may have open."""

    def __init__(self, path: Path, rules: InputRules = ANYWHERE) -> None:
        """Take the file's path; what is wrong with it is found when it is read."""
        super().__init__()
        self._path = path
        self._rules = rules
        self._file: io.BufferedReader | None = None
        self._place = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; the file is closed at its end.

        Raises:
            InputError: it cannot be read.
        """
        if self._file is None:
            self._file = open_input(self._path, self._rules)
            self._file.seek(self._place)
        try:
            content = self._file.read(size)
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from error
        self._place += len(content)
        if not content or size < 0:
            self._shut()
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place, as files do."""
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}.get(whence)
        self._place = (self._size() if begin is None else begin) + offset
        self._shut()
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def close(self) -> None:
        """Close the file."""
        self._shut()
        super().close()

    def _shut(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from error


def read_uploads(images: ImageLike | Iterable[ImageLike]) -> list[Upload]:
    """Return what a person passed as images: one, several, or a folder of them.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    if isinstance(images, str | os.PathLike):
        path = to_path(images)
        if not path.is_dir():
            return [read_upload(path)]
        found = find_images([path])
        if found.problems:
            raise InputError(found.problems[0])
        return [Upload(image.name, image.path) for image in found.images]
    if is_one_image(images):
        return [read_upload(images)]
    if not isinstance(images, Iterable):
        raise InputError(f"expected an image, several, or a folder of them, not {described(images)}")
    uploads = [read_upload(image) for image in images]
    if not uploads:
        raise InputError("no images were given; give at least one")
    return uploads


def read_upload(image: object) -> Upload:
    """Return one image as it is sent: files and bytes as they are, pictures and arrays as PNG.

    Raises:
        InputError: it is no image.
    """
    if isinstance(image, str | os.PathLike):
        path = to_path(image)
        open_input(path).close()
        return Upload(path.name, path)
    if isinstance(image, bytes | bytearray | memoryview):
        return Upload("image", bytes(image))
    if isinstance(image, Image.Image):
        name = Path(str(getattr(image, "filename", "") or "image.png")).with_suffix(".png").name
        if image.mode in _KEPT_MODES:
            return Upload(name, _png(image))
        return Upload(name, _png(Image.fromarray(read_image(image).pixels)))
    if _is_rgba(image):
        return Upload("image.png", _png(Image.fromarray(np.asarray(image))))
    return Upload("image.png", _png(Image.fromarray(read_image(image).pixels)))  # type: ignore[arg-type]


def read_mask_upload(mask: MaskLike) -> Upload:
    """Return a mask as it is sent: a PNG of zeros and 255.

    Raises:
        InputError: it is no mask, or empty.
    """
    inside = read_mask(mask)
    return Upload("mask.png", _png(Image.fromarray(inside.astype(np.uint8) * np.uint8(255))))


def parts_of(uploads: Sequence[Upload], field: str, rules: InputRules = ANYWHERE) -> list[Part]:
    """Return several as parts of a form, under the same field."""
    return [upload.part(field, rules) for upload in uploads]


def is_one_image(images: object) -> bool:
    """Whether a person passed one image, that is not in a folder."""
    if isinstance(images, str | os.PathLike):
        return not to_path(images).is_dir()
    return isinstance(images, bytes | bytearray | memoryview | Image.Image) or hasattr(images, "shape")


def _is_rgba(image: object) -> bool:
    return isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 4  # noqa: PLR2004


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    exif = image.getexif() if image.mode != "P" else None
    image.save(content, format="PNG", compress_level=_FAST, **({"exif": exif} if exif else {}))
    return content.getvalue()
