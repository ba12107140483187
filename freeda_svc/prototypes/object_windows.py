"""The part of an image in which an object is shown to an encoder: a window around it."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

CONTEXT = 1.5
"""Side of the window over the longer side of the object's box."""

_BRIGHTEST = 255

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class ObjectWindow:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of an image, both exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    def cut(self, pixels: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Return this part of an image or mask (H, W, ...)."""
        return pixels[self.top : self.bottom, self.left : self.right]


def window_around(mask: npt.NDArray[np.bool_]) -> ObjectWindow:
    """Return the window in which an object is shown to an encoder.

    It is square, ``CONTEXT`` times as large as the object and around its middle, as far as the image reaches: moved
    back where it would leave the image, and cut off where it is larger than it. In a whole photograph an object may
    cover less than one cell of the feature grid, and what is pooled there is its surroundings; generated images, of
    which the other prototypes are, show their nouns large.

    Args:
        mask: (H, W) bool, with at least one true pixel.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    side = round(CONTEXT * max(bottom - top, right - left))
    first_row, height = _place(top + bottom, side, mask.shape[0])
    first_column, width = _place(left + right, side, mask.shape[1])
    return ObjectWindow(first_row, first_column, first_row + height, first_column + width)


def _place(twice_middle: int, side: int, length: int) -> tuple[int, int]:
    """Return where along an axis of some length a window begins, and how long it is."""
    size = min(side, length)
    return min(max((twice_middle - size) // 2, 0), length - size), size


def make_photo(pixels: npt.NDArray[np.uint8], size: int) -> torch.Tensor:
    """Squash a window to an encoder's size, with antialiasing where it is shrunk.

    A camera's pixels are many times those of a generated image; without antialiasing most of them would be passed
    over.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        size: of the result, pixels.

    Returns:
        (3, size, size) float32, 0 to 1.
    """
    photo = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].to(torch.float32) / _BRIGHTEST
    if photo.shape[-2:] == (size, size):
        return photo[0]
    squashed = functional.interpolate(photo, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return squashed[0].clamp(0.0, 1.0)
