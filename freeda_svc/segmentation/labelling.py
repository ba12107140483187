"""The best category of each pixel of an image, from the scores of regions of the scaled image.

Resizing the scores bilinearly gives a pixel a mean of four neighbours, and most pixels have four neighbours in one
region, which has chosen already. Where regions meet, a mean of scores can only be led by a category that no other one
beats at all four neighbours: these few candidates are compared, and the scores of all others are never resized.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from freeda_svc.segmentation.bilinear import Samples, bilinear_samples
from freeda_svc.segmentation.intersections import MergedRegions

PIXELS_AT_ONCE = 500_000
"""How many pixels of the image are labelled at once."""

COMPARED_AT_ONCE = 400_000
"""How many scores of each corner are compared at once, few enough to stay in a processor's cache."""

_CANDIDATES_AT_ONCE = 2_000_000
"""How many scores of each corner are in memory at once while the best is searched."""

LARGEST_KEY = 2**62

Band = tuple[slice, torch.Tensor, torch.Tensor, torch.Tensor]
"""Rows of an image; (rows, W) int64, the best category of each pixel; (rows, W) float32, its score; and (N,) float32,
the highest score of each category at any pixel of the scaled image that is read."""


@dataclass(frozen=True, eq=False)
class _Axis:
    """The cells between neighbours along one axis that pixels of the image lie in.

    Attributes:
        lower: (cells,) the first of each cell's two positions in the scaled image.
        upper: (cells,) the second.
        cell: (pixels,) the cell of each pixel.
        fraction: (pixels,) the weight of the second position.
    """

    lower: torch.Tensor
    upper: torch.Tensor
    cell: torch.Tensor
    fraction: torch.Tensor


def _axis(samples: Samples, same_size: bool) -> _Axis:
    lower, cell = torch.unique_consecutive(samples.lower, return_inverse=True)
    upper = lower if same_size else (lower + 1).clamp(max=int(samples.upper.max()))
    return _Axis(lower, upper, cell, samples.fraction)


def label_bands(regions: MergedRegions, size: tuple[int, int], scores_at_once: int) -> Iterator[Band]:
    """Choose the best category of each pixel, band by band.

    Args:
        regions: of the image, with their scores.
        size: height and width of the image.
        scores_at_once: how many scores (categories x pixels) are in memory at once; the result does not depend on it.

    Yields:
        Bands from top to bottom. Labels are those of resizing all scores and taking the first of the highest ones,
        except where the two best scores are equal up to rounding.
    """
    scaled = regions.map.shape
    down = bilinear_samples(scaled[0], size[0], aligned=False)
    across = _axis(bilinear_samples(scaled[1], size[1], aligned=False), scaled[1] == size[1])
    last = _last_rows(regions, scores_at_once)
    start = 0
    while start < size[0]:
        most = min(start + max(1, PIXELS_AT_ONCE // size[1]), size[0])
        allowed = int(torch.searchsorted(down.upper, last[down.lower[start]], right=True))
        stop = max(start + 1, min(most, allowed))
        part = _axis(down.part(start, stop), scaled[0] == size[0])
        labels, scores, highest = _label(regions, part, across)
        yield slice(start, stop), labels, scores, highest
        start = stop


def _last_rows(regions: MergedRegions, scores_at_once: int) -> torch.Tensor:
    """Return, for each row of the scaled image, the last one that can be read together with it: (h,) int64.

    What takes room is pixels with scores of their own, and places in the scaled image themselves.
    """
    image = torch.from_numpy(regions.map)
    alone = (image < 0).sum(dim=1) * regions.scores.shape[1] / scores_at_once
    taken = (alone + image.shape[1] / PIXELS_AT_ONCE).to(torch.float64).cumsum(dim=0)
    before = taken - taken.diff(prepend=taken.new_zeros(1))
    return torch.searchsorted(taken, before + 1, right=True) - 1


def _label(regions: MergedRegions, down: _Axis, across: _Axis) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Label the pixels of a band: labels and scores (rows, W), and the highest score of each category (N,)."""
    table, corners = _scores_of_corners(regions, down, across)
    best, leader = table.max(dim=1)
    cell = down.cell[:, None] * len(across.lower) + across.cell
    labels, scores = leader[corners[0]][cell], best[corners[0]][cell]
    for cells, candidates in contested(table, leader, corners):
        slot = torch.full((corners.shape[1],), -1)
        slot[cells] = torch.arange(len(cells))
        rows, columns = (slot[cell] >= 0).nonzero(as_tuple=True)
        values = table[corners[:, cells, None], candidates]
        at_once = max(1, PIXELS_AT_ONCE // candidates.shape[1])
        for first in range(0, len(rows), at_once):
            y, x = rows[first : first + at_once], columns[first : first + at_once]
            chosen = slot[cell[y, x]]
            above = torch.lerp(values[0, chosen], values[2, chosen], down.fraction[y, None])
            beside = torch.lerp(values[1, chosen], values[3, chosen], down.fraction[y, None])
            mixed, choice = torch.lerp(above, beside, across.fraction[x, None]).max(dim=1)
            labels[y, x], scores[y, x] = candidates[chosen, choice], mixed
    return labels, scores, table.amax(dim=0)


def _scores_of_corners(regions: MergedRegions, down: _Axis, across: _Axis) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the (U, N) scores of everything that is read, and the (4, cells) rows of it at the corners of each cell.

    Corners go from left to right, then from top to bottom.
    """
    height, width = regions.map.shape
    known = len(regions.scores)
    image = torch.from_numpy(regions.map)
    pixels = torch.arange(known, known + height * width).reshape(height, width)  # numbers of those scored alone
    found = []
    for rows in (down.lower, down.upper):
        for columns in (across.lower, across.upper):
            at = rows[:, None], columns[None, :]
            found.append(torch.where(image[at] < 0, pixels[at], image[at].to(torch.int64)).reshape(-1))
    corners = torch.stack(found)
    read = torch.zeros(known + height * width, dtype=torch.bool)
    read[corners] = True
    table = torch.from_numpy(regions.scores)[read[:known]]
    alone = read[known:].nonzero()[:, 0]
    if len(alone):
        table = torch.cat((table, regions.pixel_scores(alone // width, alone % width)))
    return table, (read.cumsum(dim=0) - 1)[corners]


def contested(
    table: torch.Tensor, leader: torch.Tensor, corners: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Find the cells in which regions meet and the categories that can lead there.

    Args:
        table: (U, N) scores.
        leader: (U,) the best category of each row.
        corners: (4, cells) rows of the table.

    Yields:
        (M,) cells and their (M, C) candidates in ascending order, repeated where a cell has fewer.
    """
    leaders = leader[corners]
    agreed = (leaders == leaders[0]).all(dim=0)
    agreed_cells = (agreed & (corners != corners[0]).any(dim=0)).nonzero()[:, 0]
    yield agreed_cells, leaders[0, agreed_cells, None]
    disputed = (~agreed).nonzero()[:, 0]
    meetings, met = _distinct_meetings(corners[:, disputed], len(table))
    counts, listed = _list_candidates(table, leader, meetings)
    ends = counts.cumsum(dim=0)
    most = 2
    while len(disputed):  # those with few candidates and those with many apart, as they are kept in rectangles
        fits = counts[met] <= most
        chosen = met[fits]
        at_once = max(1, _CANDIDATES_AT_ONCE // most)
        fitting = disputed[fits]
        for first in range(0, len(fitting), at_once):
            part = chosen[first : first + at_once]
            place = torch.arange(most).minimum(counts[part, None] - 1)
            yield fitting[first : first + at_once], listed[(ends - counts)[part, None] + place]
        disputed, met, most = disputed[~fits], met[~fits], 2 * most


def _list_candidates(
    table: torch.Tensor, leader: torch.Tensor, meetings: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how many candidates each of the (4, T) meetings has, (T,), and all of them one after the other."""
    counts, listed = [], []
    at_once = max(1, COMPARED_AT_ONCE // table.shape[1])
    for first in range(0, meetings.shape[1], at_once):
        part = meetings[:, first : first + at_once]
        possible = _candidates(table[part], leader[part])
        counts.append(possible.sum(dim=1))
        listed.append(possible.nonzero()[:, 1])
    return torch.cat(counts or [meetings[0]]), torch.cat(listed or [meetings[0]])


def _distinct_meetings(corners: torch.Tensor, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the (4, T) different sets of corners, and the set of each of the (4, cells) corners given."""
    ordered = corners.sort(dim=0).values
    if rows**4 > LARGEST_KEY:
        return ordered, torch.arange(corners.shape[1])
    keys = ((ordered[0] * rows + ordered[1]) * rows + ordered[2]) * rows + ordered[3]
    distinct, met = torch.unique(keys, return_inverse=True)
    digits = [distinct // rows**power % rows for power in (3, 2, 1, 0)]
    return torch.stack(digits), met


def _candidates(scores: torch.Tensor, leaders: torch.Tensor) -> torch.Tensor:
    """Return the (T, N) categories that can lead at any mean of four corners.

    Args:
        scores: (4, T, N) at the corners.
        leaders: (4, T) the best category of each corner.
    """
    rivals = scores.gather(2, leaders.T.expand(4, -1, -1))  # (corner, T, leader)
    rivals = torch.cat((rivals, rivals.mean(dim=2, keepdim=True)), dim=2)
    possible = torch.ones(scores.shape[1:], dtype=torch.bool)
    for number in range(rivals.shape[2]):
        higher = scores[0] > rivals[0, :, number, None]
        for corner in range(1, 4):
            higher |= scores[corner] > rivals[corner, :, number, None]
        possible &= higher
    return possible.scatter_(1, leaders.T, True)
