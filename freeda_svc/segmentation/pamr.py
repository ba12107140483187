"""Pixel-adaptive mask refinement (PAMR; Araslanov & Roth, CVPR 2020): scores flow between pixels of similar colour.

A pixel i has eight neighbours at each of several distances. Its affinity to a neighbour j is, over the colour channels,

    a(i, j) = mean of -|x(i) - x(j)| / (1e-8 + 0.1 sigma(i)),

where sigma(i) is the standard deviation of the channel over the neighbours of i at all distances and i itself, which
counts once a distance. A softmax over all neighbours of i makes weights of affinities, and each iteration replaces the
scores of i by the weighted mean of its neighbours' scores. Beyond the border the pixels at the border go on.
"""

from collections.abc import Iterator
from itertools import product

import torch
from torch.nn import functional

from freeda_svc.parameters import RefinementParameters

WEIGHTS_KEPT = 64_000_000
"""How many weights (neighbours x pixels) are kept from one iteration to the next, 256 MB; more are computed again."""

_ROWS_AT_ONCE = 16
_SMALLEST_DEVIATION = 1e-8
_SOFTNESS = 0.1

Offsets = tuple[tuple[int, int], ...]


def refine(image: torch.Tensor, scores: torch.Tensor, parameters: RefinementParameters) -> torch.Tensor:
    """Refine the scores of a window along the edges of its image.

    Args:
        image: (H, W, 3), RGB of any scale: weights do not change when it is scaled or shifted.
        scores: (N, H, W) float32; each category is refined on its own.
        parameters: how often, and which neighbours.

    Returns:
        (N, H, W) float32.
    """
    widest = max(parameters.dilations)
    colours = _extended(image.permute(2, 0, 1).to(torch.float32), widest)
    height = scores.shape[1]
    kept: dict[int, torch.Tensor] = {}
    keeps = 8 * len(parameters.dilations) * height * scores.shape[2] <= WEIGHTS_KEPT
    for _ in range(parameters.iterations):
        around, refined = _extended(scores, widest), torch.zeros_like(scores)
        for start in range(0, height, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, height)
            weights = kept.get(start)
            if weights is None:
                weights = neighbour_weights(colours, start, stop, parameters.dilations)
                if keeps:
                    kept[start] = weights
            band = refined[:, start:stop]
            shifted = _shifted(around, start, stop, _neighbours(parameters.dilations), widest)
            for weight, values in zip(weights, shifted, strict=True):
                band.addcmul_(weight, values)
        scores = refined
    return scores


def neighbour_weights(colours: torch.Tensor, start: int, stop: int, dilations: tuple[int, ...]) -> torch.Tensor:
    """Return the weights of the neighbours of the pixels in rows ``start`` to ``stop``, exclusive.

    Args:
        colours: (channels, H + 2 d, W + 2 d) float32, extended beyond its borders by the largest dilation d.
        start: the first row.
        stop: the row after the last.
        dilations: distances of neighbours.

    Returns:
        (8 neighbours x dilations, stop - start, W) float32, which sum to one for each pixel.
    """
    widest = max(dilations)
    (centre,) = _shifted(colours, start, stop, ((0, 0),), widest)
    near = torch.stack(list(_shifted(colours, start, stop, _neighbours(dilations), widest)))
    deviation = torch.cat((near, centre.expand(len(dilations), *centre.shape))).std(dim=0)
    affinity = -(near - centre).abs() / (_SMALLEST_DEVIATION + _SOFTNESS * deviation)
    return affinity.mean(dim=1).softmax(dim=0)


def _neighbours(dilations: tuple[int, ...]) -> Offsets:
    """Rows and columns from a pixel to its neighbours, distance by distance."""
    around = [offset for offset in product((-1, 0, 1), repeat=2) if offset != (0, 0)]
    return tuple((row * dilation, column * dilation) for dilation in dilations for row, column in around)


def _extended(values: torch.Tensor, border: int) -> torch.Tensor:
    """Repeat the border of (N, H, W) values outwards."""
    return functional.pad(values[None], (border, border, border, border), mode="replicate")[0]


def _shifted(extended: torch.Tensor, start: int, stop: int, offsets: Offsets, border: int) -> Iterator[torch.Tensor]:
    """Yield, for each offset, the (N, stop - start, W) values that lie there from the pixels of some rows."""
    width = extended.shape[2] - 2 * border
    for row, column in offsets:
        top, left = border + row, border + column
        yield extended[:, top + start : top + stop, left : left + width]
