"""Felzenszwalb's superpixels, compiled: scikit-image's at a fraction of its time, on every processor the same.

Felzenszwalb and Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 2004. Pixels are joined along the edges
between neighbours, cheapest first; two regions are joined when the edge costs less than what either of them has inside
plus ``scale / size``. Decision 19 says why this is not scikit-image's function, and how it is the same.
"""

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.ndimage import gaussian_filter

_NEIGHBOURS, _NEIGHBOUR_BITS, _NEIGHBOUR_MASK = 4, 2, 3
_END_BITS, _END_MASK = 32, 2**32 - 1
_LARGEST_VALUE = 255
# Costs are sorted coarsely first, by exponent and so many bits of the fraction; below the smallest all go together.
_FRACTION_BITS = 12
_SMALLEST_COST, _ABOVE_ALL_COSTS = 2.0**-20, 2.0
_RUN = 12
# All paths to the roots are shortened when so many edges were looked at, and again after a fifth as many more.
_FIRST_SHORTENING = 20_000

Function = TypeVar("Function", bound=Callable[..., object])


def cut_felzenszwalb(
    image: npt.NDArray[np.uint8], *, scale: float, sigma: float, min_size: int
) -> npt.NDArray[np.int32]:
    """Cut an image into superpixels.

    Args:
        image: (H, W, 3) uint8, RGB, of fewer than 2^29 pixels.
        scale: how much contrast separates two regions; larger gives larger regions.
        sigma: standard deviation of the Gaussian that smooths first, pixels; 0 smooths nothing.
        min_size: regions of fewer pixels are joined to the neighbour they differ least from.

    Returns:
        (H, W) int32 labels from 0 without gaps, in the order in which regions begin in the image. Pixels of one region
        hang together by sides or corners.
    """
    height, width = image.shape[:2]
    smooth = gaussian_filter(image / _LARGEST_VALUE, (sigma, sigma, 0), mode="reflect", truncate=4.0)
    costs = np.empty(height * width * _NEIGHBOURS, dtype=np.float64)
    _compare_neighbours(smooth, costs)
    lowest, highest = (_coarse(cost) for cost in (_SMALLEST_COST, _ABOVE_ALL_COSTS))
    edges = np.empty(len(costs), dtype=np.int32)
    starts = _sort_coarsely(costs.view(np.int64), edges, lowest, highest - lowest)
    parents, sizes, parting = _join_pixels(starts, edges, costs, width, scale / _LARGEST_VALUE)
    _join_small_regions(parents, sizes, parting, min_size)
    return number_regions(parents).reshape(height, width)


def _coarse(cost: float) -> int:
    return int(np.float64(cost).view(np.int64)) >> (52 - _FRACTION_BITS)


def compiled(function: Function) -> Function:
    """Compile when it is first called, and keep that for other processes where there is a place to keep it."""
    try:
        return cast("Function", njit(nogil=True, cache=True)(function))
    except RuntimeError:  # neither this package's folder nor the user's cache can be written
        return cast("Function", njit(nogil=True)(function))


@compiled
def _difference(image: npt.NDArray[np.float64], y: int, x: int, below: int, beside: int) -> float:
    """The Euclidean distance of two pixels' colours; negative where the second is outside of the image."""
    if below >= image.shape[0] or beside < 0 or beside >= image.shape[1]:
        return -1.0
    red = image[below, beside, 0] - image[y, x, 0]
    green = image[below, beside, 1] - image[y, x, 1]
    blue = image[below, beside, 2] - image[y, x, 2]
    return math.sqrt(red * red + green * green + blue * blue)


@compiled
def _compare_neighbours(image: npt.NDArray[np.float64], costs: npt.NDArray[np.float64]) -> None:
    """The costs of the edges of each pixel: to the right, downwards, to the lower right, to the lower left."""
    height, width = image.shape[:2]
    edge = 0
    for y in range(height):
        for x in range(width):
            costs[edge] = _difference(image, y, x, y, x + 1)
            costs[edge + 1] = _difference(image, y, x, y + 1, x)
            costs[edge + 2] = _difference(image, y, x, y + 1, x + 1)
            costs[edge + 3] = _difference(image, y, x, y + 1, x - 1)
            edge += 4


@compiled
def _sort_coarsely(
    bits: npt.NDArray[np.int64], edges: npt.NDArray[np.int32], lowest: int, groups: int
) -> npt.NDArray[np.int32]:
    """Put edges into groups of about the same cost, in each as they lie in the image; return where groups begin.

    The bits of numbers that are not negative are in the order of the numbers.
    """
    starts = np.zeros(groups + 1, dtype=np.int32)
    group_of = np.empty(len(bits), dtype=np.int32)
    for edge in range(len(bits)):
        group = min(max((bits[edge] >> (52 - _FRACTION_BITS)) - lowest, 0), groups - 1)
        if bits[edge] < 0:  # there is no such neighbour
            group = -1
        group_of[edge] = group
        starts[group + 1] += 1
    starts[0] = 0
    for group in range(groups):
        starts[group + 1] += starts[group]
    following = starts.copy()
    for edge in range(len(bits)):
        group = group_of[edge]
        if group >= 0:
            edges[following[group]] = edge
            following[group] += 1
    return starts


@compiled
def _root(parents: npt.NDArray[np.int32], pixel: int) -> int:
    while parents[pixel] != pixel:
        parents[pixel] = parents[parents[pixel]]
        pixel = parents[pixel]
    return pixel


@compiled
def _shorten(parents: npt.NDArray[np.int32]) -> None:
    """Let every pixel point to its root, which is never behind it."""
    for pixel in range(len(parents)):
        parents[pixel] = parents[parents[pixel]]


@compiled
def _merge(  # noqa: PLR0917 - compiled functions know no keywords
    costs: npt.NDArray[np.float64],
    ends: npt.NDArray[np.int64],
    start: int,
    middle: int,
    end: int,
    costs_aside: npt.NDArray[np.float64],
    ends_aside: npt.NDArray[np.int64],
) -> None:
    """Make one sorted run of two that lie side by side."""
    if costs[middle - 1] <= costs[middle]:
        return
    for place in range(start, middle):
        costs_aside[place], ends_aside[place] = costs[place], ends[place]
    left, right, place = start, middle, start
    while left < middle and right < end:
        if costs_aside[left] <= costs[right]:
            costs[place], ends[place] = costs_aside[left], ends_aside[left]
            left += 1
        else:
            costs[place], ends[place] = costs[right], ends[right]
            right += 1
        place += 1
    while left < middle:  # what is left on the right is in its place
        costs[place], ends[place] = costs_aside[left], ends_aside[left]
        left += 1
        place += 1


@compiled
def sort_nearly_sorted(
    costs: npt.NDArray[np.float64],
    ends: npt.NDArray[np.int64],
    count: int,
    costs_aside: npt.NDArray[np.float64],
    ends_aside: npt.NDArray[np.int64],
) -> None:
    """Sort ``count`` edges by cost where they lie; of equal costs the first stays first. Merges short sorted runs."""
    for start in range(0, count, _RUN):
        for position in range(start + 1, min(start + _RUN, count)):
            cost, both = costs[position], ends[position]
            place = position
            while place > start and costs[place - 1] > cost:
                costs[place], ends[place] = costs[place - 1], ends[place - 1]
                place -= 1
            costs[place], ends[place] = cost, both
    run = _RUN
    while run < count:
        for start in range(0, count - run, 2 * run):
            _merge(costs, ends, start, start + run, min(start + 2 * run, count), costs_aside, ends_aside)
        run *= 2


@compiled
def _join_pixels(
    starts: npt.NDArray[np.int32],
    edges: npt.NDArray[np.int32],
    costs: npt.NDArray[np.float64],
    width: int,
    scale: float,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Join pixels along edges, cheapest first.

    Returns:
        The pixel to which each points, its region's first one in the end; the sizes of regions, at their first pixels;
        and the edges between regions, cheapest first, by the regions that they part.
    """
    pixels = len(edges) // _NEIGHBOURS
    parents = np.arange(pixels).astype(np.int32)
    sizes = np.ones(pixels, dtype=np.int32)
    # What an edge must cost less than to be a reason to join a region; single precision, as in scikit-image.
    limits = np.full(pixels, np.float32(scale))
    steps = np.array([1, width, width + 1, width - 1], dtype=np.int32)
    largest = np.diff(starts).max()
    # The regions at both ends of an edge, in one number.
    found, found_aside = np.empty(largest, dtype=np.int64), np.empty(largest, dtype=np.int64)
    found_costs, costs_aside = np.empty(largest), np.empty(largest)
    apart, parting = 0, np.empty(len(edges), dtype=np.int64)
    seen, shorten_at = 0, _FIRST_SHORTENING
    for group in range(len(starts) - 1):
        # Most edges lie inside of a region by now: they need not be sorted.
        count = 0
        for position in range(starts[group], starts[group + 1]):
            edge = edges[position]
            pixel = edge >> _NEIGHBOUR_BITS
            one, other = parents[pixel], parents[pixel + steps[edge & _NEIGHBOUR_MASK]]
            if one == other:
                continue
            one, other = _root(parents, one), _root(parents, other)
            if one != other:
                found[count] = (np.int64(one) << _END_BITS) | other
                found_costs[count] = costs[edge]
                count += 1
        sort_nearly_sorted(found_costs, found, count, costs_aside, found_aside)
        for position in range(count):
            cost, both = found_costs[position], found[position]
            one, other = _root(parents, both >> _END_BITS), _root(parents, both & _END_MASK)
            if one == other:
                continue
            if cost < min(limits[one], limits[other]):
                first, second = min(one, other), max(one, other)
                parents[second] = first
                sizes[first] += sizes[second]
                limits[first] = np.float32(cost + scale / sizes[first])
            else:
                parting[apart] = both
                apart += 1
        seen += starts[group + 1] - starts[group]
        if seen > shorten_at:
            _shorten(parents)
            shorten_at = seen + seen // 5
    return parents, sizes, parting[:apart]


@compiled
def _join_small_regions(
    parents: npt.NDArray[np.int32], sizes: npt.NDArray[np.int32], parting: npt.NDArray[np.int64], min_size: int
) -> None:
    for both in parting:
        one, other = _root(parents, both >> _END_BITS), _root(parents, both & _END_MASK)
        if one != other and min(sizes[one], sizes[other]) < min_size:
            first, second = min(one, other), max(one, other)
            parents[second] = first
            sizes[first] += sizes[second]


@compiled
def number_regions(parents: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Number regions in the order of their first pixels, which are their roots."""
    labels = np.empty(len(parents), dtype=np.int32)
    regions = 0
    for pixel in range(len(parents)):
        if parents[pixel] == pixel:
            labels[pixel] = regions
            regions += 1
        else:
            labels[pixel] = labels[parents[pixel]]
    return labels
