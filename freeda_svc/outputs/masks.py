"""Label maps as indexed PNG files."""

from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError
from freeda_svc.outputs.files import check_suffix, write_whole

_DIMENSIONS = 2


def check_labels(labels: npt.NDArray[np.integer], colours: npt.NDArray[np.uint8]) -> None:
    """Refuse a label map that the colours do not cover.

    Raises:
        InputError: the map is not two-dimensional or has no pixels, or a label has no colour.
    """
    if labels.ndim != _DIMENSIONS or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be an (H, W) array of integers, not {labels.dtype} {labels.shape}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= len(colours):
        raise InputError(f"labels must go from 0 to {len(colours) - 1}, one a colour, not from {lowest} to {highest}")


def write_mask(path: Path, labels: npt.NDArray[np.integer], palette: npt.NDArray[np.uint8]) -> None:
    """Write a label map as an indexed PNG: its pixel values are the labels, its palette is for looking at.

    Args:
        path: ends in .png; the folder exists.
        labels: (H, W) integers, 0 to the number of colours less one.
        palette: (n, 3) uint8, RGB, n at most 256.

    Raises:
        InputError: the name ends otherwise, or the labels do not fit the palette.
        UnavailableError: the file cannot be written.
    """
    check_suffix(path, ".png")
    check_labels(labels, palette)
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(palette.astype(np.uint8).tobytes())
    content = BytesIO()
    image.save(content, format="PNG", optimize=False)
    write_whole(path, content.getvalue())
