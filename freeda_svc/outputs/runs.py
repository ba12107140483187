"""Label maps as lengths of runs, which COCO's and Label Studio's masks are made of."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.masks import UNKNOWN


def category_runs(pixels: npt.NDArray[np.integer]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Cut a flattened label map into the runs of each category that it shows.

    Args:
        pixels: (P,) integers, labels; -1 is unknown and left out.

    Yields:
        A category, in ascending order, and the lengths of its runs: outside, inside, outside, and so on, (n,) int64
            that sum up to P. The first is 0 where the first pixel lies inside; the last may lie in- or outside.
    """
    borders = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts = np.concatenate(([0], borders))
    stops = np.concatenate((borders, [pixels.size]))
    values = pixels[starts]
    order = np.argsort(values, kind="stable")
    categories, firsts = np.unique(values[order], return_index=True)
    for category, members in zip(categories.tolist(), np.split(order, firsts[1:]), strict=True):
        if category == UNKNOWN:
            continue
        edges = np.stack((starts[members], stops[members]), axis=1).ravel()
        lengths = np.diff(edges, prepend=0)
        rest = pixels.size - int(edges[-1])
        yield category, np.append(lengths, rest) if rest else lengths
