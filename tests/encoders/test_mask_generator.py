"""Masks of promptable models: as the libraries' own pipeline finds them, and resolved into one map."""

import sys

import numpy as np
import pytest
from PIL import Image

import freeda_svc.torchvision_operators  # noqa: F401  (before the model libraries)

# isort: split
import torch
from transformers import MaskGenerationPipeline, Sam2ImageProcessor, Sam3ImageProcessor

from freeda_svc.encoders import MaskGenerator
from freeda_svc.encoders.mask_generator import FoundMasks, distinct_boxes, resolve_overlaps
from freeda_svc.errors import InputError
from freeda_svc.miniature.scenes import CROWDED, paint_scene
from freeda_svc.parameters import RegionParameters
from tests.encoders.tiny_sam import SIDE, sam2, sam3

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)
ANY = RegionParameters(points_per_side=6, iou_threshold=0.0, stability_threshold=0.0, duplicate_threshold=1.0)
IMAGE = paint_scene((7, 1), CROWDED).image


def generator(make: object = sam2) -> MaskGenerator:
    return MaskGenerator(make(), MEAN, STD)  # type: ignore[operator]


def found(masks: list[np.ndarray], scores: list[float] | None = None) -> FoundMasks:
    stacked = np.stack(masks)
    return FoundMasks(
        stacked.shape[1:],
        np.packbits(stacked.reshape(len(masks), -1), axis=1),
        stacked.sum(axis=(1, 2)),
        np.zeros((len(masks), 4)),
        np.array(scores or [0.5] * len(masks), dtype=np.float32),
    )


@pytest.mark.parametrize(("make", "processor"), [(sam2, Sam2ImageProcessor), (sam3, Sam3ImageProcessor)])
@pytest.mark.parametrize("thresholds", [(0.0, 0.0), (0.4, 0.0), (0.3, 0.2)])
def test_masks_are_those_of_the_librarys_own_pipeline(
    make: object, processor: type, thresholds: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    # torchvision's suppression is compiled, which not every installation has; here all masks stay
    module = sys.modules[processor.__module__]
    monkeypatch.setattr(module, "batched_nms", lambda boxes, **_: torch.arange(len(boxes)))
    iou, stability = thresholds
    parameters = ANY.replace(iou_threshold=iou, stability_threshold=stability)
    sides = {"height": SIDE, "width": SIDE}
    images = processor(size=sides, image_mean=list(MEAN), image_std=list(STD))
    pipeline = MaskGenerationPipeline(model=make(), image_processor=images)  # type: ignore[operator]
    options = {"pred_iou_thresh": iou, "stability_score_thresh": stability, "crops_nms_thresh": 1.0}
    answer = pipeline(Image.fromarray(IMAGE), points_per_batch=36, points_per_crop=6, **options)
    expected = sorted(np.asarray(mask).tobytes() for mask in answer["masks"] if np.asarray(mask).any())
    masks = generator(make).masks(IMAGE, (SIDE, SIDE), parameters)
    ours = sorted(masks.mask(number).tobytes() for number in range(len(masks.areas)))
    assert len(ours) > 1
    assert ours == expected


def test_a_map_has_the_asked_size_and_regions_without_gaps() -> None:
    regions = generator().regions(IMAGE, (40, 72), ANY)
    assert (regions.shape, regions.dtype) == ((40, 72), np.int32)
    present = np.unique(regions)
    assert present[-1] > 0
    assert list(present[present >= 0]) == list(range(present[-1] + 1))


def test_points_lie_everywhere_in_an_image_that_is_not_square(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    masks = generator()
    forward = masks._model.forward  # noqa: SLF001 - what the model is asked
    monkeypatch.setattr(masks._model, "forward", lambda **given: (seen.append(given), forward(**given))[1])  # noqa: SLF001
    masks.masks(np.concatenate([IMAGE, IMAGE], axis=1), (32, 64), ANY.replace(points_per_side=9))
    points = torch.cat([given["input_points"][0, :, 0] for given in seen])
    middles = (np.arange(9) + 0.5) * SIDE / 9
    assert len(seen) == 2  # 81 points are more than go together
    assert np.allclose(np.unique(points[:, 0]), middles)
    assert np.allclose(np.unique(points[:, 1]), middles)


def test_few_and_small_masks_are_left_out_and_none_is_fine() -> None:
    masks = generator().masks(IMAGE, (SIDE, SIDE), ANY)
    median = float(np.median(masks.areas)) / SIDE**2
    larger = generator().masks(IMAGE, (SIDE, SIDE), ANY.replace(least_area=median))
    assert 0 < len(larger.areas) < len(masks.areas)
    nothing = generator().regions(IMAGE, (SIDE, SIDE), ANY.replace(iou_threshold=1.0))
    assert (nothing == -1).all()


def test_of_boxes_that_are_alike_the_best_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 4], [20, 0, 30, 10]], dtype=np.float64)
    scores = np.array([0.5, 0.9, 0.4, 0.6], dtype=np.float32)
    assert distinct_boxes(boxes, scores, 0.7).tolist() == [1, 3, 2]
    assert distinct_boxes(boxes, scores, 0.95).tolist() == [1, 3, 0, 2]
    assert distinct_boxes(boxes, scores, 0.0).tolist() == [1, 3]
    assert distinct_boxes(boxes[:0], scores[:0], 0.7).tolist() == []


def test_smaller_masks_lie_over_larger_ones_and_of_equal_ones_the_better() -> None:
    large, small, same = (np.zeros((6, 6), dtype=bool) for _ in range(3))
    large[:5], small[1:3, 1:3], same[1:3, 2:4] = True, True, True
    regions = resolve_overlaps(found([small, same, large], [0.9, 0.3, 0.8]))
    assert (regions[5] == -1).all()
    assert regions[0, 0] == 0
    assert regions[1].tolist() == [0, 2, 2, 1, 0, 0]
    covered = resolve_overlaps(found([small, small, large], [0.9, 0.3, 0.8]))
    assert sorted(np.unique(covered)) == [-1, 0, 1]


def test_values_that_are_not_finite_are_refused() -> None:
    broken = sam2()
    with torch.no_grad():
        broken.mask_decoder.iou_prediction_head.proj_out.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="mask generator gives values that are not finite"):
        MaskGenerator(broken, MEAN, STD).regions(IMAGE, (8, 8), ANY)
