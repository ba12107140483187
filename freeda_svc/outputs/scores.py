"""Scores as files: the score of each pixel's category, and those of all categories in a region."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError, one_line
from freeda_svc.outputs.files import check_suffix, write_whole

MOST = 65535
"""The pixel value of the score 1."""

_FAST = 1
_ROWS_AT_ONCE = 512


def write_score_image(path: Path, scores: npt.NDArray[np.float32]) -> None:
    """Write scores as a grey PNG of 16 bits: the pixel value divided by 65535 is the score.

    Args:
        path: ends in .png; the folder exists.
        scores: (H, W) float32; what is below 0 or above 1 becomes 0 or 1.

    Raises:
        InputError: the name ends otherwise.
        UnavailableError: the file cannot be written.
    """
    _write_sixteen_bits(path, scores, lowest=0.0)


def keep_scores(path: Path, scores: npt.NDArray[np.float32]) -> None:
    """Write scores of -1 to 1 as a grey PNG of 16 bits, from which ``read_kept_scores`` reads them to 2e-5."""
    _write_sixteen_bits(path, scores, lowest=-1.0)


def read_kept_scores(path: Path) -> npt.NDArray[np.float32]:
    """Read what ``keep_scores`` wrote.

    Returns:
        (H, W) float32, -1 to 1.

    Raises:
        InputError: the file is not such an image, or damaged.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            values = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"the scores {path} cannot be read: {one_line(error)}") from error
    return values.astype(np.float32) * np.float32(2 / MOST) - np.float32(1)


def _write_sixteen_bits(path: Path, scores: npt.NDArray[np.float32], lowest: float) -> None:
    path = check_suffix(path, ".png")
    values = np.empty(scores.shape, dtype=np.uint16)
    for start in range(0, len(scores), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        shares = (scores[rows] - lowest) / (1 - lowest)
        values[rows] = np.round(np.clip(np.nan_to_num(shares), 0, 1) * MOST)
    content = BytesIO()
    Image.fromarray(values).save(content, format="PNG", compress_level=_FAST)
    write_whole(path, content.getvalue())


def write_score_arrays(path: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write arrays of scores as a compressed NPZ file, which ``numpy.load`` reads.

    Raises:
        InputError: the name does not end in .npz.
        UnavailableError: the file cannot be written.
    """
    path = check_suffix(path, ".npz")
    content = BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    write_whole(path, content.getvalue())
