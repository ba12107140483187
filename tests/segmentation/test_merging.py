import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.segmentation.merging import merge_windows
from freeda_svc.segmentation.window_scores import WindowScores, score_window
from freeda_svc.segmentation.windows import Window, cut_windows

SCALED = (20, 29)


def scored_windows(categories: int = 4) -> list[tuple[Window, WindowScores]]:
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    prototypes = torch.randn(categories, 6, generator=generator)
    windows = []
    for window in cut_windows(*SCALED, window=12, stride=7):
        superpixels = torch.from_numpy(rng.integers(0, 9, (4, 4)).repeat(3, axis=0).repeat(3, axis=1))
        features = torch.randn(6, 4, 4, generator=generator)
        similarity = torch.rand(categories, generator=generator)
        windows.append((window, score_window(features, superpixels, prototypes, similarity, 0.7)))
    return windows


def averaged(windows: list[tuple[Window, WindowScores]]) -> torch.Tensor:
    total, count = torch.zeros(4, *SCALED), torch.zeros(SCALED)
    for window, scores in windows:
        total[:, window.top : window.bottom, window.left : window.right] += scores.rows(0, 12)
        count[window.top : window.bottom, window.left : window.right] += 1
    assert count.max() > 1
    return total / count


@pytest.mark.parametrize("size", [(20, 29), (41, 60), (13, 18), (5, 7), (1, 1)])
def test_scores_are_averaged_then_resized_then_compared(size: tuple[int, int]) -> None:
    windows = scored_windows()
    expected = functional.interpolate(averaged(windows)[None], size=size, mode="bilinear", align_corners=False)[0]
    merged = merge_windows(windows, SCALED, size)
    assert merged.labels.dtype == np.int32
    assert merged.labels.shape == size
    np.testing.assert_allclose(merged.scores, expected.amax(dim=0).numpy(), atol=1e-5)
    chosen = torch.gather(expected, 0, torch.from_numpy(merged.labels).long()[None])[0]
    np.testing.assert_allclose(chosen.numpy(), merged.scores, atol=1e-5)
    assert (merged.labels == expected.argmax(dim=0).numpy()).mean() > 0.99


@pytest.mark.parametrize("scores_at_once", [1, 4 * 60 * 3, 4 * 60 * 40])
def test_bands_do_not_change_the_result(scores_at_once: int) -> None:
    windows = scored_windows()
    whole = merge_windows(windows, SCALED, (41, 60))
    banded = merge_windows(windows, SCALED, (41, 60), scores_at_once)
    assert np.array_equal(banded.labels, whole.labels)
    assert np.array_equal(banded.scores, whole.scores)
    assert np.array_equal(banded.highest, whole.highest)
