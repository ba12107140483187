"""Photos of any size, made of pictures that come with scikit-image."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage import data

NAMES = ("astronaut", "coffee", "chelsea", "rocket")
"""Pictures that lie in scikit-image's own folder, so that nothing is downloaded."""

Photo = npt.NDArray[np.uint8]


def photo(name: str, height: int, width: int) -> Photo:
    """Return one of the pictures, its centre cut to the proportions asked for and resized: (height, width, 3) uint8."""
    picture = Image.fromarray(np.asarray(getattr(data, name)())[..., :3])
    scale = min(picture.height / height, picture.width / width)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box))


def photos(count: int, side: int) -> Sequence[Photo]:
    """Return different square photos: (side, side, 3) uint8 each, the pictures turned and mirrored in turns."""
    return [np.rot90(photo(NAMES[number % len(NAMES)], side, side), number // len(NAMES)) for number in range(count)]
