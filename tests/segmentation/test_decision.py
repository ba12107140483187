"""Unknown pixels and refinement, against a restatement that holds every score at every pixel."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.parameters import (
    RefinementParameters,
    SegmentationParameters,
    SuperpixelParameters,
    UnknownParameters,
    UnknownWay,
    parse_categories,
)
from freeda_svc.segmentation.decision import Decision
from freeda_svc.segmentation.merging import Merged
from freeda_svc.segmentation.pamr import refine
from freeda_svc.segmentation.refining import merge_refined
from freeda_svc.segmentation.result import UNKNOWN, score_categories
from freeda_svc.segmentation.scoring import Ensemble, cosine
from freeda_svc.segmentation.windows import Window, cut_windows

SCALED = (20, 29)
WINDOWS = cut_windows(*SCALED, window=12, stride=7)
BETA = 0.7
PAMR = RefinementParameters(way="pamr", iterations=2, dilations=(1, 2))
PARAMETERS = SegmentationParameters(
    k=5,
    beta=BETA,
    short_side=20,
    long_side=100,
    window=12,
    stride=7,
    superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=100.0, sigma=1.0, min_size=20),
)
THRESHOLDS = {"channel": 0.545, "local_before": 0.585, "local_after": 0.56}

Seen = tuple[Window, torch.Tensor, torch.Tensor, torch.Tensor]


def prototypes() -> torch.Tensor:
    return torch.randn(4, 6, generator=torch.Generator().manual_seed(9))


def image() -> np.ndarray:
    blocks = np.random.default_rng(3).integers(0, 256, (5, 8, 3)).repeat(4, axis=0).repeat(4, axis=1)
    return blocks[: SCALED[0], : SCALED[1]].astype(np.uint8)


def seen_windows() -> list[Seen]:
    """Windows with regions, some of which get no weight, and one window without any."""
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    windows = []
    for number, window in enumerate(WINDOWS):
        superpixels = torch.from_numpy(rng.integers(0, 6, (4, 4)).repeat(3, axis=0).repeat(3, axis=1))
        superpixels[1, 1] = superpixels[5, 6] = superpixels[9, 2] = 6 + torch.arange(1)
        if number == 2:
            superpixels = torch.full_like(superpixels, -1)
        features = torch.randn(6, 4, 4, generator=generator)
        windows.append((window, features, superpixels, torch.rand(4, generator=generator) * 0.4 + 0.2))
    return windows


def decide(parameters: SegmentationParameters, size: tuple[int, int]) -> Merged:
    decision = Decision(lambda features: cosine(features, prototypes()), Ensemble(BETA), parameters)
    for seen in seen_windows():
        decision.add_window(*seen)
    assert any(bool((scores.superpixels < 0).any()) and scores.regions for _, scores in decision.windows)
    return decision.decide(image(), size)


def local_similarity(features: torch.Tensor, superpixels: torch.Tensor) -> torch.Tensor:
    """(4, 12, 12) sigmoid of the cosine, from dense masks."""
    cells = functional.cosine_similarity(features[None], prototypes()[:, :, None, None], dim=1)
    local = functional.interpolate(torch.sigmoid(cells)[None], size=(12, 12), mode="bilinear", align_corners=True)[0]
    for region in range(int(superpixels.max()) + 1):
        mask = (superpixels == region).float()
        small = functional.interpolate(mask[None, None], size=(4, 4), mode="bilinear", align_corners=True)[0, 0]
        if float(small.sum()) > 0:
            pooled = (features * small).sum(dim=(1, 2)) / small.sum()
            similarity = torch.sigmoid(functional.cosine_similarity(pooled[None], prototypes(), dim=1))
            local[:, superpixels == region] = similarity[:, None]
    return local


def restated(
    way: UnknownWay, threshold: float, size: tuple[int, int], refinement: RefinementParameters | None
) -> Merged:
    """Labels as the released code makes them: unknown is the first channel, and the first of equal ones wins."""
    total, count = torch.zeros(5, *SCALED), torch.zeros(SCALED)
    for window, features, superpixels, similarity in seen_windows():
        covered = slice(window.top, window.bottom), slice(window.left, window.right)
        local = local_similarity(features, superpixels)
        scores = BETA * local + (1 - BETA) * similarity[:, None, None]
        if refinement is not None:
            scores = refine(torch.from_numpy(image()[covered]), scores, refinement)
        channel = {
            "none": torch.full((12, 12), -1.0),
            "channel": torch.full((12, 12), threshold),
            "local_before": (local.amax(dim=0) < threshold).float(),
            "local_after": (local.gather(0, scores.argmax(dim=0)[None])[0] < threshold).float(),
        }[way]
        total[:, covered[0], covered[1]] += torch.cat((channel[None], scores))
        count[covered] += 1
    final = functional.interpolate((total / count)[None], size=size, mode="bilinear", align_corners=False)[0]
    return Merged(
        labels=final.argmax(dim=0).numpy().astype(np.int32) - 1,
        scores=final[1:].amax(dim=0).numpy(),
        highest=final[1:].amax(dim=(1, 2)).numpy(),
        regions=None,
    )


@pytest.mark.parametrize("size", [SCALED, (41, 60), (13, 18)])
@pytest.mark.parametrize("refinement", [None, PAMR], ids=["plain", "refined"])
@pytest.mark.parametrize("way", ["none", *THRESHOLDS])
def test_labels_are_those_of_one_more_channel(
    way: UnknownWay, refinement: RefinementParameters | None, size: tuple[int, int]
) -> None:
    threshold = THRESHOLDS.get(way, 0.4)
    parameters = PARAMETERS.replace(
        unknown=UnknownParameters(way=way, threshold=threshold, local_threshold=threshold),
        refinement=refinement or RefinementParameters(),
    )
    expected, found = restated(way, threshold, size, refinement), decide(parameters, size)
    assert found.labels.dtype == np.int32
    assert (found.labels == expected.labels).mean() > 0.99  # up to ties
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    share = (expected.labels == UNKNOWN).mean()
    assert (share == 0) if way == "none" else (0.05 < share < 0.95)


def test_a_pixel_at_the_threshold_is_unknown() -> None:
    merged = decide(PARAMETERS, SCALED)
    threshold = float(merged.scores[3, 4])
    unknown = decide(PARAMETERS.replace(unknown=UnknownParameters(way="channel", threshold=threshold)), SCALED)
    assert unknown.labels[3, 4] == UNKNOWN
    assert np.array_equal(unknown.labels == UNKNOWN, merged.scores <= np.float32(threshold))
    assert np.array_equal(unknown.scores, merged.scores)


def test_unknown_pixels_are_no_category() -> None:
    merged = decide(PARAMETERS.replace(unknown=UnknownParameters(way="channel", threshold=0.545)), SCALED)
    scores = score_categories(parse_categories("a, b, c, d"), merged)
    unknown = float((merged.labels == UNKNOWN).mean())
    assert 0 < unknown < 1
    assert sum(score.area_share for score in scores) == pytest.approx(1 - unknown)
    for index, score in enumerate(scores):
        taken = merged.labels == index
        assert score.absent == (not taken.any())
        assert score.score == (pytest.approx(merged.scores[taken].mean()) if taken.any() else None)
    everything = decide(PARAMETERS.replace(unknown=UnknownParameters(way="channel", threshold=1.0)), SCALED)
    assert all(score.absent for score in score_categories(parse_categories("a, b, c, d"), everything))


@pytest.mark.parametrize("at_once", [1, 2 * 20 * 29, 3 * 20 * 29, 10**8])
def test_categories_may_be_refined_a_few_at_a_time(at_once: int) -> None:
    decision = Decision(lambda features: cosine(features, prototypes()), Ensemble(BETA), PARAMETERS)
    for seen in seen_windows():
        decision.add_window(*seen)
    whole, chosen = merge_refined(decision.windows, image(), (41, 60), PAMR)
    parts, chosen_in_parts = merge_refined(decision.windows, image(), (41, 60), PAMR, at_once)
    assert np.array_equal(parts.labels, whole.labels)
    assert np.array_equal(parts.scores, whole.scores)
    assert np.array_equal(parts.highest, whole.highest)
    assert all(torch.equal(one, other) for one, other in zip(chosen_in_parts, chosen, strict=True))
    np.testing.assert_allclose(whole.highest, restated("none", 0, (41, 60), PAMR).highest, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 2 * 20 * 29, 10**8])
def test_of_equal_categories_the_first_is_chosen(at_once: int) -> None:
    doubled = prototypes().repeat(2, 1)
    decision = Decision(lambda features: cosine(features, doubled), Ensemble(BETA), PARAMETERS)
    for window, features, superpixels, similarity in seen_windows():
        decision.add_window(window, features, superpixels, similarity.repeat(2))
    merged, _ = merge_refined(decision.windows, image(), (41, 60), PAMR, at_once)
    assert merged.labels.max() < 4
