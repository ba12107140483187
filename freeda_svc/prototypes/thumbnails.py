"""Thumbnails of generated images and their weak masks, so that a person can see what a prototype was pooled from."""

import hashlib
import re
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import UnavailableError
from freeda_svc.whole_files import placed_whole

LONGEST_SIDE = 256
_FOLDER = PurePosixPath("thumbnails")
_WHITE = 255


def noun_slug(noun: str) -> str:
    """Return a noun as a part of a file name: lower-case letters, digits and dashes, another for every noun."""
    slug = re.sub(r"[^a-z0-9]+", "-", noun).strip("-")
    if slug == noun:
        return slug
    return f"{slug}-{hashlib.sha256(noun.encode('utf-8')).hexdigest()[:8]}".lstrip("-")


def write_image_thumbnail(root: Path, name: str, pixels: npt.NDArray[np.uint8]) -> str:
    """Write an image (H, W, 3) uint8 as PNG, called as it is named; return its path below ``root``.

    Raises:
        UnavailableError: it cannot be written.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return _write(root, _FOLDER / f"{name}.png", image)


def write_mask_thumbnail(root: Path, name: str, noun: str, mask: npt.NDArray[np.bool_]) -> str:
    """Write a mask (H, W) bool as black and white PNG; return its path below ``root``.

    Raises:
        UnavailableError: it cannot be written.
    """
    image = Image.fromarray(mask.astype(np.uint8) * _WHITE)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.NEAREST)
    return _write(root, _FOLDER / f"{name}.{noun_slug(noun)}.mask.png", image.convert("1"))


def write_attribution_thumbnail(root: Path, name: str, noun: str, attribution: npt.NDArray[np.float32]) -> str:
    """Write an attribution (H, W) float, finite, as a grey PNG from its least (black) to its most (white).

    Returns:
        Its path below ``root``.

    Raises:
        UnavailableError: it cannot be written.
    """
    least, most = float(attribution.min()), float(attribution.max())
    scaled = (attribution - least) / (most - least) if most > least else np.zeros_like(attribution)
    image = Image.fromarray((scaled * _WHITE).round().astype(np.uint8))
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return _write(root, _FOLDER / f"{name}.{noun_slug(noun)}.attribution.png", image)


def _write(root: Path, relative: PurePosixPath, image: Image.Image) -> str:
    path = root / relative
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with placed_whole(path) as aside:
            image.save(aside, format="PNG")
    except OSError as error:
        raise UnavailableError(f"the thumbnail {path} cannot be written: {error.strerror or error}") from error
    return relative.as_posix()
