"""Taking images in: they are checked and copied, so that nothing accepted can be lost or change later."""

import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.whole_files import write_whole

INPUTS = "inputs"
CHUNK = 1 << 20


def check_images(images: Sequence[Path]) -> None:
    """See that every path is an image, from its header.

    Raises:
        InputError: none was given, or one does not exist, is a folder, cannot be read or is no image; names the first
            and says how many more there are.
    """
    if not images:
        raise InputError("no images were given; give at least one image file")
    problems = []
    for image in images:
        try:
            _check(image)
        except InputError as error:
            problems.append(error)
    if problems:
        more = f" (and {len(problems) - 1} more of {len(images)} files)" if len(problems) > 1 else ""
        raise InputError(f"{problems[0]}{more}") from problems[0]


def keep_image(settings: Settings, image: Path) -> str:
    """Copy an image into the artifacts under the hash of its content; equal images are kept once.

    Returns:
        The copy's path below the artifact root.

    Raises:
        InputError: the image cannot be read any more.
        UnavailableError: the copy cannot be written.
    """
    folder = settings.artifacts_folder / INPUTS
    try:
        source = image.open("rb")
    except OSError as error:
        raise InputError(f"{image}: cannot be read: {error.strerror}") from error
    with source:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, aside = tempfile.mkstemp(dir=folder, prefix=".incoming-")
            try:
                with os.fdopen(descriptor, "wb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
                    copy.flush()
                    os.fsync(copy.fileno())
                with Path(aside).open("rb") as copied:
                    name = f"{hashlib.file_digest(copied, 'sha256').hexdigest()}{image.suffix.lower()}"
                Path(aside).replace(folder / name)
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UnavailableError(f"{image} cannot be copied to {folder}: {error.strerror}") from error
    return f"{INPUTS}/{name}"


def keep_bytes(settings: Settings, content: bytes, suffix: str) -> str:
    """Write a file into the artifacts under the hash of its content; equal files are kept once.

    Returns:
        Its path below the artifact root.

    Raises:
        UnavailableError: it cannot be written.
    """
    folder = settings.artifacts_folder / INPUTS
    name = f"{hashlib.sha256(content).hexdigest()}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, content)
    except OSError as error:
        raise UnavailableError(f"{folder / name} cannot be written: {error.strerror}") from error
    return f"{INPUTS}/{name}"


def _check(image: Path) -> None:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - listing jobs does without it

    if image.is_dir():
        raise InputError(f"{image}: is a folder; give image files")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(image) as opened:
                opened.verify()
    except FileNotFoundError as error:
        raise InputError(f"{image}: no such file") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{image}: is not an image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{image}: has more than {Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller") from error
    except OSError as error:
        raise InputError(f"{image}: cannot be read: {error.strerror or error}") from error
    except (SyntaxError, ValueError) as error:  # what Pillow's decoders raise for damaged files
        raise InputError(f"{image}: is a damaged image: {error}") from error
