"""Pictures of a prototype: the image it was pooled from, its mask and its attribution."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.images import opened_image
from freeda_svc.input_files import InputRules

LONG_SIDE = 256
_MOST_PIXELS = 4_000_000
_GAP = 8
_PAPER = (255, 255, 255)
_BRIGHTEST = 255


def heat(image: npt.NDArray[np.uint8], attribution: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Darken an image where its attribution, (H, W) float 0 to 1, is low and tint it red where it is high."""
    weight = attribution[..., None]
    grey = image.astype(np.float32).mean(axis=-1, keepdims=True)
    tinted = grey * 0.55 * (1 - weight) + weight * (0.45 * image + 0.55 * np.array([255.0, 60.0, 40.0]))
    shown: npt.NDArray[np.uint8] = np.clip(tinted, 0, _BRIGHTEST).astype(np.uint8)
    return shown


def compose_prototype(artifacts: Path, image: str, mask: str = "", attribution: str = "") -> Image.Image:
    """Put an image, the same dimmed outside its mask, and under its attribution, side by side.

    Args:
        artifacts: the folder that the thumbnails lie in; nothing outside of it is opened, whatever an imported bank
            says.
        image: thumbnail of the image, below that folder.
        mask: of the weak mask, white inside; left out when empty.
        attribution: of the attribution, white where it is strongest; left out when empty.

    Raises:
        NotFoundError: the image was not kept, or a thumbnail is gone.
    """
    if not image:
        raise NotFoundError("no picture of this prototype was kept")
    pixels = np.asarray(read_thumbnail(artifacts, image).convert("RGB"))
    shown: list[npt.NDArray[np.uint8]] = [pixels]
    size = (pixels.shape[1], pixels.shape[0])
    if mask:
        inside = np.asarray(read_thumbnail(artifacts, mask).convert("L").resize(size, Image.Resampling.NEAREST)) > 0
        shown.append(np.where(inside[..., None], pixels, (pixels * 0.25).astype(np.uint8)))
    if attribution:
        strength = read_thumbnail(artifacts, attribution).convert("L").resize(size, Image.Resampling.BILINEAR)
        shown.append(heat(pixels, np.asarray(strength, dtype=np.float32) / np.float32(_BRIGHTEST)))
    return _side_by_side([Image.fromarray(picture) for picture in shown])


def read_thumbnail(artifacts: Path, name: str) -> Image.Image:
    """Read a thumbnail of a prototype.

    Args:
        artifacts: the folder that the thumbnails lie in; nothing outside of it is opened.
        name: below that folder, as the bank has it; an imported bank may say anything.

    Raises:
        NotFoundError: it was not kept, or is gone.
    """
    if not name:
        raise NotFoundError("no such picture of this prototype was kept")
    path = artifacts / name
    try:
        with opened_image(path, InputRules((artifacts,), _MOST_PIXELS)) as picture:
            picture.load()
            return picture
    except InputError as error:
        raise NotFoundError(f"the thumbnail {path} is gone or damaged: only the prototype itself is left") from error


def _side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    width, height = pictures[0].size
    scale = max(1, LONG_SIDE // max(width, height))
    width, height = width * scale, height * scale
    canvas = Image.new("RGB", (len(pictures) * (width + _GAP) - _GAP, height), _PAPER)
    for number, picture in enumerate(pictures):
        canvas.paste(picture.resize((width, height), Image.Resampling.NEAREST), (number * (width + _GAP), 0))
    return canvas
