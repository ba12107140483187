"""The parts of an image: the regions of its windows, each with its feature.

Pixels that belong to no region, or to one without weight on the feature grid, count as parts of the grid's cells that
they are interpolated from.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.packs import Pack
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.segmentation.bilinear import bilinear_samples
from freeda_svc.segmentation.encoding import EncodedWindow, encode_windows
from freeda_svc.segmentation.given_regions import RegionMap, cut_given
from freeda_svc.segmentation.regions import pool_regions
from freeda_svc.segmentation.windows import Window, place_windows, resize_image, scaled_size

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of one window.

    Attributes:
        features: (M, Dv) float32, the feature of each region and cell that pixels belong to.
        pixels: (M, N) float32, how many pixels of the scaled image with each of N labels a part stands for; where
            windows overlap, a pixel is divided among them.
        embedding: (Dt,) float32, of the window, not normalised; None where it was not requested.
    """

    features: torch.Tensor
    pixels: torch.Tensor
    embedding: torch.Tensor | None


def image_parts(
    pack: Pack,
    image: npt.NDArray[np.uint8],
    parameters: SegmentationParameters,
    *,
    labels: npt.NDArray[np.int32] | None = None,
    count: int = 1,
    embed: bool = False,
    regions: RegionMap | None = None,
) -> Iterator[Parts]:
    """Encode an image and cut it as a segmentation with the same parameters does.

    Args:
        pack: holds the models.
        image: (H, W, 3) uint8, RGB.
        parameters: windows and superpixels.
        labels: (H, W) int32 from 0, below 0 for pixels that are left out; all are 0 when None.
        count: N, how many labels there are.
        embed: whether the image-text model is to embed the windows.
        regions: (h, w) int32, given regions at the size to which the image is scaled; None for superpixels alone.

    Yields:
        The parts of one window after another.
    """
    height, width = image.shape[:2]
    scaled = scaled_size(height, width, short_side=parameters.short_side, long_side=parameters.long_side)
    scaled_image = resize_image(image, *scaled)
    given = np.zeros(scaled, dtype=np.int32) if labels is None else nearest_pixels(labels, scaled)
    windows = place_windows(*scaled, parameters)
    covered = np.zeros(scaled, dtype=np.float32)
    for window in windows:
        covered[_slices(window)] += 1
    crops = (scaled_image[_slices(window)] for window in windows)
    encoded = encode_windows(pack, crops, parameters.superpixels, embed=embed)
    shares = np.reciprocal(covered)
    for window, encoded_window in zip(windows, encoded, strict=True):
        if regions is not None:
            cut = cut_given(regions, window, encoded_window.superpixels)
            encoded_window = replace(encoded_window, superpixels=cut.labels)  # noqa: PLW2901 - the same with regions
        yield cut_parts(encoded_window, given[_slices(window)], shares[_slices(window)], count)


def nearest_pixels(values: npt.NDArray[Value], size: tuple[int, ...]) -> npt.NDArray[Value]:
    """Resize (H, W) values to another size; each pixel takes the value at its centre."""
    rows, columns = (
        np.minimum((np.arange(target) + 0.5) * (source / target), source - 1).astype(np.int64)
        for source, target in zip(values.shape, size, strict=True)
    )
    nearest: npt.NDArray[Value] = values[rows[:, None], columns[None, :]]
    return nearest


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.top, window.bottom), slice(window.left, window.right)


def cut_parts(
    window: EncodedWindow, labels: npt.NDArray[np.int32], shares: npt.NDArray[np.float32], count: int
) -> Parts:
    """Return the parts of a window with the pixels that belong to each.

    Args:
        window: its features and superpixels.
        labels: (H, W) int32, 0 to N - 1, below 0 for pixels that are left out.
        shares: (H, W) float32, how much each pixel counts.
        count: N.
    """
    superpixels = window.superpixels.to(torch.int64)
    dimension, rows, columns = window.features.shape
    cells = window.features.reshape(dimension, rows * columns).T
    regions = max(int(superpixels.max()) + 1, 0)
    features = cells.new_zeros(0, dimension)
    if regions:
        features, weighted = pool_regions(window.features, superpixels)
        superpixels = superpixels.masked_fill(~(weighted[superpixels.clamp(min=0)] & (superpixels >= 0)), -1)
    labelled, counted = torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(shares)
    inside = (superpixels >= 0) & (labelled >= 0)
    pixels = torch.zeros((regions + rows * columns) * count)
    pixels.index_add_(0, superpixels[inside] * count + labelled[inside], counted[inside])
    y, x = ((superpixels < 0) & (labelled >= 0)).nonzero(as_tuple=True)
    height, width = superpixels.shape
    down = bilinear_samples(rows, height, aligned=True)
    across = bilinear_samples(columns, width, aligned=True)
    for row, row_weight in ((down.lower, 1 - down.fraction), (down.upper, down.fraction)):
        for column, column_weight in ((across.lower, 1 - across.fraction), (across.upper, across.fraction)):
            part = regions + row[y] * columns + column[x]
            pixels.index_add_(0, part * count + labelled[y, x], counted[y, x] * row_weight[y] * column_weight[x])
    table = pixels.reshape(-1, count)
    used = table.sum(dim=1) > 0
    return Parts(torch.cat((features, cells))[used], table[used], window.embedding)
