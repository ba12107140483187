"""Pixels that nobody can see, because the image is transparent there: they belong to no category.

Models know no transparency and see a colour in its place. What they make of it is left out of all that is told.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.segmentation.intersections import MergedRegions
from freeda_svc.segmentation.merging import SCORES_AT_ONCE, Merged
from freeda_svc.segmentation.parts import nearest_pixels
from freeda_svc.segmentation.result import UNKNOWN

NO_SCORE = 0.0
"""The score of pixels that nobody can see."""


def leave_out_transparent(merged: Merged, visible: npt.NDArray[np.bool_], *, refined: bool) -> Merged:
    """Take the pixels that cannot be seen out of a merged image.

    Args:
        merged: the image; its labels and scores are changed.
        visible: (H, W) bool.
        refined: whether the highest scores are those of refined scores, which are not kept and stay as they are.

    Returns:
        The same with highest scores of what can be seen.
    """
    merged.labels[~visible] = UNKNOWN
    merged.scores[~visible] = NO_SCORE
    return merged if refined else replace(merged, highest=_highest_in_sight(merged, visible))


def _highest_in_sight(merged: Merged, visible: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the (N,) highest score of each category where something can be seen at the scale that models see."""
    regions: MergedRegions = merged.regions
    seen = nearest_pixels(visible, regions.map.shape)
    if not seen.any():  # a line that is thinner than a pixel of that scale
        return merged.highest
    numbers = np.unique(regions.map[seen])
    highest = torch.from_numpy(regions.scores[numbers[numbers >= 0]].max(axis=0, initial=-np.inf))
    rows, columns = (torch.from_numpy(places) for places in np.nonzero(seen & (regions.map < 0)))
    at_once = max(1, SCORES_AT_ONCE // len(highest))
    for start in range(0, len(rows), at_once):
        part = regions.pixel_scores(rows[start : start + at_once], columns[start : start + at_once])
        highest = torch.maximum(highest, part.amax(dim=0))
    return np.asarray(highest.numpy(), dtype=np.float32)
