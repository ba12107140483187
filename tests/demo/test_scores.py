"""Masks on disk are compared with the truth, class by class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from freeda_svc.demo.world import LabelledScene, score_masks
from freeda_svc.miniature.scenes import NOUNS

SKY, BALL, CAR = (NOUNS.index(noun) for noun in ("sky", "ball", "car"))


def test_iou_is_counted_over_all_scenes(tmp_path: Path) -> None:
    truths = [np.full((2, 4), SKY, np.uint8), np.full((2, 4), SKY, np.uint8)]
    truths[0][:, :2] = BALL
    masks = [truths[0].copy(), truths[1].copy()]
    masks[1][0] = BALL
    paths = []
    for number, mask in enumerate(masks):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(mask).save(paths[-1])
    scores = score_masks([LabelledScene(path, truth) for path, truth in zip(paths, truths, strict=True)], paths)
    assert scores.iou[NOUNS[SKY]] == pytest.approx(8 / 12)
    assert scores.iou[NOUNS[BALL]] == pytest.approx(4 / 8)
    assert scores.iou[NOUNS[CAR]] is None
    assert scores.mean_iou == pytest.approx((8 / 12 + 4 / 8) / 2)
    assert scores.pixel_accuracy == pytest.approx(12 / 16)
