"""Pixels that belong to none of the categories: nothing fits there, or the image is transparent.

As in the released code, "unknown" is one more channel that competes with the scores of the categories: each window has
one, it is averaged and resized like them, and where it is not below the best score, the pixel is unknown. The channel
is a constant, or one where a local similarity is below the threshold and zero elsewhere.

Models know no transparency and see a colour in its place; scores there are dropped.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.parameters import UnknownParameters
from freeda_svc.segmentation.intersections import MergedRegions, intersect_windows
from freeda_svc.segmentation.merging import SCORES_AT_ONCE, Merged, score_rows
from freeda_svc.segmentation.parts import nearest_pixels
from freeda_svc.segmentation.result import UNKNOWN
from freeda_svc.segmentation.window_scores import WindowScores
from freeda_svc.segmentation.windows import Window

NO_SCORE = 0.0
"""The score of transparent pixels."""


def unknown_channel(
    scores: WindowScores,
    local: WindowScores,
    parameters: UnknownParameters,
    chosen: torch.Tensor | None = None,
) -> WindowScores:
    """Mark where the local similarities of a window are below the threshold.

    Args:
        scores: of the window.
        local: its local similarities, see ``local_window``.
        parameters: ``local_before`` tests the highest local similarity, ``local_after`` that of the category
            with the best score.
        chosen: (H, W) int64, the category with the best score where refinement made it; that of ``scores`` when None.

    Returns:
        One channel instead of the categories: 1 where the pixel is unknown, else 0.
    """
    height, width = scores.superpixels.shape
    channel = torch.zeros(height, width)
    if parameters.way == "local_after" and chosen is not None:
        for start in range(height):
            values = local.rows(start, start + 1).gather(0, chosen[None, start : start + 1])[0]
            channel[start] = (values < parameters.limit).float()
        return _channel(scores, torch.zeros(0, 1), channel, torch.full_like(scores.superpixels, -1))
    by_region = _too_low(scores.by_region, local.by_region, parameters)
    rows, columns = (scores.superpixels < 0).nonzero(as_tuple=True)
    at_once = max(1, SCORES_AT_ONCE // scores.categories)
    for first in range(0, len(rows), at_once):
        at = rows[first : first + at_once], columns[first : first + at_once]
        channel[at] = _too_low(scores.pixels(*at), local.pixels(*at), parameters)
    return _channel(scores, by_region[:, None], channel, scores.superpixels)


def _too_low(scores: torch.Tensor, local: torch.Tensor, parameters: UnknownParameters) -> torch.Tensor:
    """Return (M,) float32: 1 where the local one of (M, N) similarities that counts is below the threshold."""
    if parameters.way == "local_after":
        relevant = local.gather(1, scores.argmax(dim=1, keepdim=True))[:, 0]
    else:
        relevant = local.amax(dim=1)
    return (relevant < parameters.limit).float()


def _channel(
    scores: WindowScores, by_region: torch.Tensor, by_pixel: torch.Tensor, superpixels: torch.Tensor
) -> WindowScores:
    """Return the scores with one channel instead of the categories; pixels without region have values of their own."""
    return replace(
        scores,
        superpixels=superpixels,
        by_region=by_region,
        local=by_region,
        global_similarity=torch.zeros(1),
        dense=by_pixel[:, :, None],  # a grid as fine as the window, which upsampling leaves as it is
        regions=len(by_region),
    )


def mark_unknown(
    merged: Merged, channels: Sequence[tuple[Window, WindowScores]], parameters: UnknownParameters
) -> Merged:
    """Give the pixels that belong to no category the label ``UNKNOWN``.

    Args:
        merged: the image with the best category of each pixel; its labels are changed.
        channels: the channel of each window, see ``unknown_channel``; none where the channel is constant.
        parameters: its ``limit`` is the constant.

    Returns:
        The same; scores stay those of the best category.
    """
    labels, size = merged.labels, merged.labels.shape  # changed in place: those of a large photo take 400 MB
    if parameters.way == "channel":
        labels[merged.scores <= parameters.limit] = UNKNOWN
    elif parameters.way != "none":
        regions = intersect_windows(channels, merged.regions.map.shape)
        band = max(1, SCORES_AT_ONCE // max(size[1], merged.regions.map.shape[1]) // 4)
        for start in range(0, size[0], band):
            stop = min(start + band, size[0])
            channel = score_rows(regions, size, start, stop)[0].numpy()
            labels[start:stop][channel >= merged.scores[start:stop]] = UNKNOWN
    return merged


def mark_transparent(merged: Merged, visible: npt.NDArray[np.bool_], *, refined: bool) -> Merged:
    """Give transparent pixels the label ``UNKNOWN`` and no score.

    Args:
        merged: the image; its labels and scores are changed.
        visible: (H, W) bool, where the image is not transparent.
        refined: whether the highest scores are those of refined scores, which are not kept; these stay as they are.

    Returns:
        The same, with the highest scores of visible pixels.
    """
    merged.labels[~visible] = UNKNOWN
    merged.scores[~visible] = NO_SCORE
    return merged if refined else replace(merged, highest=_highest_visible(merged, visible))


def _highest_visible(merged: Merged, visible: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the (N,) highest score of each category among the visible pixels of the scaled image."""
    regions: MergedRegions = merged.regions
    shown = nearest_pixels(visible, regions.map.shape)
    if not shown.any():  # a line that is thinner than a pixel of that scale
        return merged.highest
    numbers = np.unique(regions.map[shown])
    highest = torch.from_numpy(regions.scores[numbers[numbers >= 0]].max(axis=0, initial=-np.inf))
    rows, columns = (torch.from_numpy(places) for places in np.nonzero(shown & (regions.map < 0)))
    at_once = max(1, SCORES_AT_ONCE // len(highest))
    for start in range(0, len(rows), at_once):
        part = regions.pixel_scores(rows[start : start + at_once], columns[start : start + at_once])
        highest = torch.maximum(highest, part.amax(dim=0))
    return np.asarray(highest.numpy(), dtype=np.float32)
