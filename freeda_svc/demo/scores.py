"""How well masks on disk agree with what the test scenes truly show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from freeda_svc.demo.world import LabelledScene
from freeda_svc.evaluation import ConfusionMatrix
from freeda_svc.miniature.scenes import NOUNS


@dataclass(frozen=True)
class Scores:
    """Agreement over all scenes: mean IoU over the nouns, IoU of each noun, share of right pixels; all 0 to 1.

    The IoU of a noun that is neither in the truth nor in the masks is None.
    """

    mean_iou: float
    iou: dict[str, float | None]
    pixel_accuracy: float


def score_masks(scenes: Sequence[LabelledScene], masks: Sequence[Path]) -> Scores:
    """Compare the masks, whose labels are positions in ``NOUNS``, with the scenes' true labels."""
    confusion = ConfusionMatrix(len(NOUNS))
    for scene, mask in zip(scenes, masks, strict=True):
        confusion.add(scene.labels, np.asarray(Image.open(mask)))
    iou = dict(zip(NOUNS, (None if np.isnan(value) else float(value) for value in confusion.iou()), strict=True))
    return Scores(confusion.mean_iou(), iou, confusion.pixel_accuracy())
