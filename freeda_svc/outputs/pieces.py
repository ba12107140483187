"""The connected pieces of a label map: the entries of formats of instances."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from freeda_svc.counts import counted
from freeda_svc.outputs.masks import UNKNOWN
from freeda_svc.parameters import PieceParameters


@dataclass(frozen=True, eq=False)
class Piece:
    """A connected piece of a category.

    Attributes:
        category: its index.
        top: pixels from the upper border of the image to its box.
        left: pixels from the left border.
        inside: (h, w) bool, the piece within its box.
    """

    category: int
    top: int
    left: int
    inside: npt.NDArray[np.bool_]

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.inside))

    @property
    def box(self) -> tuple[slice, slice]:
        """Where it is in the image."""
        height, width = self.inside.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def mean(self, scores: npt.NDArray[np.float32], labels: npt.NDArray[np.integer]) -> float:
        """Return the mean of (H, W) scores over those of its pixels that have its label."""
        own = self.inside & (labels[self.box] == self.category)
        return float(scores[self.box][own].mean(dtype=np.float64))


def find_pieces(labels: npt.NDArray[np.integer], parameters: PieceParameters) -> list[Piece]:
    """Cut a label map into connected pieces; those that touch at a corner only are two.

    Args:
        labels: (H, W) integers, -1 where unknown.
        parameters: which are left out, and whether holes are filled; filled pieces may lie over others.

    Returns:
        By category, the largest of each first.
    """
    from scipy.ndimage import binary_fill_holes  # noqa: PLC0415 - slow to import, and few commands need it
    from skimage.measure import label as connected_components  # noqa: PLC0415 - as above
    from skimage.measure import regionprops  # noqa: PLC0415 - as above

    components = connected_components(labels, background=UNKNOWN, connectivity=1)
    sizes = np.bincount(components.ravel())
    components[(sizes < parameters.least_area)[components]] = 0
    pieces = []
    for region in regionprops(components):
        top, left, _, _ = region.bbox
        inside = region.image
        category = int(labels[top, left + int(inside[0].argmax())])
        pieces.append(Piece(category, top, left, binary_fill_holes(inside) if parameters.fill_holes else inside))
    return sorted(pieces, key=lambda piece: (piece.category, -piece.area, piece.top, piece.left))


def join_pieces(pieces: Iterable[Piece], size: tuple[int, int]) -> list[Piece]:
    """Join pieces of each category, sorted by it, in an image of a height and width."""
    joined = []
    for category, members in groupby(pieces, key=lambda piece: piece.category):
        whole = Piece(category, 0, 0, np.zeros(size, dtype=np.bool_))
        for piece in members:
            whole.inside[piece.box] |= piece.inside
        joined.append(whole)
    return joined


def as_text(parameters: PieceParameters) -> str:
    """Return what was asked for, for the notes of a file."""
    holes = "filled" if parameters.fill_holes else "kept"
    return f"connected pieces of at least {counted(parameters.least_area, 'pixel')}, holes {holes}"
