"""Images with true labels: what a label file holds, and which class each of its values means."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.images import check_lossless, opened_image, turn_upright
from freeda_svc.parameters import Category

IGNORED = -1
"""The class of pixels that are not counted."""

_UNDEFINED = -2
_INDEXED_MODES = frozenset(("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N"))
_MOST_VALUES = 65_536


def read_labels(path: Path) -> npt.NDArray[np.int32]:
    """Read the values of a label map as they are stored: in an indexed image the index, whatever its palette shows.

    An EXIF orientation is obeyed as in images.

    Args:
        path: an indexed or grey image, 8 or 16 bit, of a format that is read here, without losses, such as PNG.

    Returns:
        (H, W) int32.

    Raises:
        InputError: it cannot be read, was saved with losses, or is a colour image.
    """
    with opened_image(path) as image:
        check_lossless(image, f"the label map {path}")
        if image.mode not in _INDEXED_MODES:
            raise InputError(f"the labels {path} are a {image.mode} image; expected an indexed or grey one")
        return np.asarray(turn_upright(image)).astype(np.int32)


class LabelValues:
    """Which class each value of a dataset's label maps means."""

    def __init__(self, classes: Mapping[int, int]) -> None:
        """Take the classes.

        Args:
            classes: for each value that may be stored, 0 to 65,535, its class, or ``IGNORED``.

        Raises:
            InputError: a value is out of range, or there is none.
        """
        if not classes or min(classes) < 0 or max(classes) >= _MOST_VALUES:
            raise InputError(f"the values of labels must lie between 0 and {_MOST_VALUES - 1}, and there must be one")
        self._classes = np.full(max(classes) + 1, _UNDEFINED, dtype=np.int64)
        for value, meaning in classes.items():
            self._classes[value] = meaning

    @property
    def ignored(self) -> tuple[int, ...]:
        """The values whose pixels are not counted, in order."""
        return tuple(np.flatnonzero(self._classes == IGNORED).tolist())

    def read(self, path: Path) -> npt.NDArray[np.int64]:
        """Read the classes of an image's pixels.

        Args:
            path: as `read_labels` takes it.

        Returns:
            (H, W) int64, from 0, or ``IGNORED``.

        Raises:
            InputError: as `read_labels` raises it, or a value means nothing in this dataset.
        """
        stored = read_labels(path)
        within = (stored >= 0) & (stored < len(self._classes))
        classes = np.where(within, self._classes[np.where(within, stored, 0)], _UNDEFINED)
        undefined = classes == _UNDEFINED
        if undefined.any():
            raise InputError(
                f"the labels {path} hold the value {stored[undefined][0]}, which is no class of this dataset; "
                "is it another dataset, or another kind of labels?"
            )
        return classes


@dataclass(frozen=True)
class LabelledImage:
    """An image and its true labels; the name is that of the image within its dataset, perhaps with folders."""

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class Dataset:
    """Images with true labels.

    Attributes:
        name: what the dataset is called.
        classes: the names of all classes, in the order of the labels.
        categories: what is asked for, in the same order; without the background.
        background: whether the first class is all that belongs to no other class, so that it is not asked for.
        images: in the order in which they are evaluated.
        values: which class each value of a label map means.
    """

    name: str
    classes: tuple[str, ...]
    categories: tuple[Category, ...]
    background: bool
    images: tuple[LabelledImage, ...]
    values: LabelValues
