"""An image under the colours of its labels: at the size it is shown in, and the colour of each category in it."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.outputs.differences import TINT, on_grey
from freeda_svc.outputs.masks import UNKNOWN
from freeda_svc.outputs.palettes import UNKNOWN_SHOWN

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""How bright red, green and blue are."""

_ROWS_AT_ONCE = 256

Image8 = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]


def reduce_to(longest: int, image: Image8, labels: Labels) -> tuple[Image8, Labels]:
    """Reduce an image, (H, W, 3) uint8, and its (H, W) labels, until the longer side has at most so many pixels."""
    height, width = labels.shape
    scale = min(1.0, longest / max(height, width))
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    if (down, across) == (height, width):
        return image, labels
    reduced = Image.fromarray(image).resize((across, down), Image.Resampling.LANCZOS, reducing_gap=2.0)
    rows = np.minimum((np.arange(down) + 0.5) * height / down, height - 1).astype(np.int64)
    columns = np.minimum((np.arange(across) + 0.5) * width / across, width - 1).astype(np.int64)
    return np.asarray(reduced), labels[rows[:, None], columns[None]]


def blend(image: Image8, labels: Labels, colours: Image8) -> Image8:
    """Lay the colours over the image; what is unknown loses its own colours and becomes grey.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) integers, -1 where unknown.
        colours: (N, 3) uint8, RGB.

    Returns:
        (H, W, 3) uint8.
    """
    tints = np.vstack((colours, [UNKNOWN_SHOWN])).astype(np.float32) * TINT  # UNKNOWN, -1, is the last one
    blended = np.empty_like(image)
    for start in range(0, len(image), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        under = image[rows].astype(np.float32)
        unknown = labels[rows] == UNKNOWN
        under[unknown] = (under[unknown] @ np.array(LUMINANCE, dtype=np.float32))[:, None]
        mixed = under * (1 - TINT) + tints[labels[rows]]
        blended[rows] = mixed.round().astype(np.uint8)
    return blended


def mean_colours(blended: Image8, labels: Labels, categories: int) -> npt.NDArray[np.float64]:
    """Return the (N + 1, 3) mean colour of each category as it is shown, of what is unknown first; NaN where absent."""
    places = labels.ravel() + 1
    counts = np.bincount(places, minlength=categories + 1)
    sums = [
        np.bincount(places, weights=blended[..., channel].ravel(), minlength=categories + 1) for channel in range(3)
    ]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.stack(sums, axis=1) / counts[:, None])


def shown_means(
    blended: Image8, labels: Labels, colours: Image8, present: Iterable[int]
) -> dict[int, npt.NDArray[np.float64]]:
    """Return the (3,) colour in which a picture shows each category, on average.

    Args:
        blended: (H, W, 3) uint8, as ``blend`` returns it.
        labels: (H, W) integers, -1 where unknown.
        colours: (N, 3) uint8, RGB.
        present: the labels of the whole image; one of a few pixels may be lost where the picture is reduced,
            and has then the colour that it would have over grey.
    """
    means = mean_colours(blended, labels, len(colours))
    plain = on_grey(np.vstack((colours, [UNKNOWN_SHOWN])))
    return {label: plain[label] if np.isnan(means[label + 1, 0]) else means[label + 1] for label in present}
