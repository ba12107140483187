"""The scale at which the models see an image, and the windows it is cut into."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation.bilinear import bilinear_samples, resample


@dataclass(frozen=True)
class Window:
    """A part of the scaled image: rows ``top`` to ``bottom`` and columns ``left`` to ``right``, both exclusive."""

    top: int
    left: int
    bottom: int
    right: int


def scaled_size(height: int, width: int, *, short_side: int, long_side: int) -> tuple[int, int]:
    """Return the height and width to which an image is scaled.

    The shorter side becomes ``short_side``, unless the longer one would then exceed ``long_side``; the
    proportions are kept up to rounding to the nearest pixel, and no side is less than one pixel.
    """
    scale = min(short_side / min(height, width), long_side / max(height, width))
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def resize_image(image: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Resize an image bilinearly, corners not aligned, without antialiasing.

    Args:
        image: (H, W, 3) uint8.
        height: of the result.
        width: of the result.

    Returns:
        (height, width, 3) uint8, rounded.
    """
    if image.shape[:2] == (height, width):
        return image
    rows = bilinear_samples(image.shape[0], height, aligned=False)
    columns = bilinear_samples(image.shape[1], width, aligned=False)
    # Only the rows that are read are converted, so that a large photo is never converted to floating point as a whole.
    lower = torch.from_numpy(image[rows.lower.numpy()]).float()
    upper = torch.from_numpy(image[rows.upper.numpy()]).float()
    resized = resample(torch.lerp(lower, upper, rows.fraction.reshape(-1, 1, 1)), columns, dim=1)
    return resized.round().clamp(0, 255).to(torch.uint8).numpy()


def window_positions(length: int, window: int, stride: int) -> tuple[int, ...]:
    """Return where windows begin along one axis; the last is moved back so that it ends at the border.

    An axis shorter than the window has one window at 0, which is as long as the axis.
    """
    last = max(length - window, 0)
    return (*range(0, last, stride), last)


def cut_windows(height: int, width: int, *, window: int, stride: int) -> tuple[Window, ...]:
    """Cover a scaled image with windows, row by row; all are of the same size."""
    return tuple(
        Window(top, left, min(top + window, height), min(left + window, width))
        for top in window_positions(height, window, stride)
        for left in window_positions(width, window, stride)
    )


def place_windows(height: int, width: int, parameters: SegmentationParameters) -> tuple[Window, ...]:
    """Cover a scaled image with windows in the way that the parameters ask for."""
    if parameters.window_way == "whole":
        return (Window(0, 0, height, width),)
    return cut_windows(height, width, window=parameters.window, stride=parameters.stride)
