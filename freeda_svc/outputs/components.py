"""Connected components of a label map, without the libraries that have them: importing those takes longer than this."""

import numpy as np
import numpy.typing as npt


def connected_components(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Number the connected pieces of equal labels; pixels that touch at a corner only are not connected.

    Args:
        labels: (H, W) integers.

    Returns:
        (H, W) int64 from 0 without gaps, in the order in which pieces begin in the image.
    """
    height, width = labels.shape
    begins = np.ones((height, width), dtype=np.bool_)  # a run of equal labels within a row
    begins[:, 1:] = labels[:, 1:] != labels[:, :-1]
    runs = begins.ravel().cumsum().reshape(height, width) - 1
    # two runs touch where both have one label, and once for each column in which they do: the first one is enough
    touch = (labels[1:] == labels[:-1]) & (begins[1:] | begins[:-1])
    firsts = _first_of_each(int(begins.sum()), runs[:-1][touch], runs[1:][touch])
    numbers = (firsts == np.arange(len(firsts))).cumsum() - 1
    found: npt.NDArray[np.int64] = numbers[firsts][runs]
    return found


def _first_of_each(count: int, some: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the first node that each of ``count`` nodes is connected with by edges between some and others.

    Trees are hung below smaller ones and flattened in turns (Shiloach and Vishkin 1982).
    """
    roots = np.arange(count)
    while True:
        one, other = roots[some], roots[others]
        apart = one != other
        if not apart.any():
            return roots
        some, others, one, other = some[apart], others[apart], one[apart], other[apart]
        np.minimum.at(roots, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(shorter := roots[roots], roots):
            roots = shorter
