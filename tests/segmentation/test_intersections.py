import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.segmentation.intersections import NO_REGION, MergedRegions, intersect_windows
from freeda_svc.segmentation.window_scores import WindowScores, score_window
from freeda_svc.segmentation.windows import Window, cut_windows

CATEGORIES = 3
Scored = list[tuple[Window, WindowScores]]


def scored(seed: int, scaled: tuple[int, int], window: int, stride: int, *, regions: int = 5) -> Scored:
    """Windows cut into blocks, some of which have no weight on a grid of 4 x 4."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    prototypes = torch.randn(CATEGORIES, 6, generator=generator)
    windows = []
    for part in cut_windows(*scaled, window=window, stride=stride):
        shape = part.bottom - part.top, part.right - part.left
        superpixels = np.zeros(shape, dtype=np.int32)
        for region in range(1, regions):
            top, left = rng.integers(shape[0]), rng.integers(shape[1])
            superpixels[top : top + rng.integers(1, 6), left : left + rng.integers(1, 6)] = region
        features = torch.randn(6, 4, 4, generator=generator)
        similarity = torch.rand(CATEGORIES, generator=generator)
        windows.append((part, score_window(features, torch.from_numpy(superpixels), prototypes, similarity, 0.7)))
    return windows


def averaged(windows: Scored, scaled: tuple[int, int]) -> torch.Tensor:
    """(N, h, w): the mean over the windows at every pixel."""
    total, count = torch.zeros(CATEGORIES, *scaled), torch.zeros(scaled)
    for window, scores in windows:
        total[:, window.top : window.bottom, window.left : window.right] += scores.rows(0, window.bottom - window.top)
        count[window.top : window.bottom, window.left : window.right] += 1
    return total / count


def pixel_by_pixel(merged: MergedRegions, scaled: tuple[int, int]) -> torch.Tensor:
    """(N, h, w): what the regions and the pixels without one say."""
    scores = torch.empty(CATEGORIES, *scaled)
    numbers = torch.from_numpy(merged.map).long()
    rows, columns = (numbers >= 0).nonzero(as_tuple=True)
    scores[:, rows, columns] = torch.from_numpy(merged.scores)[numbers[rows, columns]].T
    rows, columns = (numbers < 0).nonzero(as_tuple=True)
    scores[:, rows, columns] = merged.pixel_scores(rows, columns).T
    return scores


@given(
    seed=st.integers(0, 500),
    scaled=st.tuples(st.integers(5, 30), st.integers(5, 30)),
    window=st.integers(5, 14),
    data=st.data(),
)
def test_scores_are_the_means_of_pixels(seed: int, scaled: tuple[int, int], window: int, data: st.DataObject) -> None:
    windows = scored(seed, scaled, window, data.draw(st.integers(3, window)))
    merged = intersect_windows(windows, scaled)
    assert torch.equal(pixel_by_pixel(merged, scaled), averaged(windows, scaled))
    assert merged.map.dtype == np.int32
    assert merged.scores.dtype == np.float32
    assert set(merged.map.ravel()) - {NO_REGION} == set(range(len(merged.scores)))


def test_pixels_are_together_where_the_same_regions_meet() -> None:
    windows = scored(1, (20, 29), 12, 7)
    merged = intersect_windows(windows, (20, 29))
    met: dict[tuple[int, ...], set[int]] = {}
    for row in range(20):
        for column in range(29):
            regions = [-1] * len(windows)
            weightless = False
            for number, (window, scores) in enumerate(windows):
                if window.top <= row < window.bottom and window.left <= column < window.right:
                    regions[number] = int(scores.superpixels[row - window.top, column - window.left])
                    weightless |= regions[number] < 0
            if weightless:
                assert merged.map[row, column] == NO_REGION
            else:
                met.setdefault(tuple(regions), set()).add(int(merged.map[row, column]))
                assert merged.members[merged.map[row, column]].tolist() == regions
    assert all(len(numbers) == 1 for numbers in met.values())
    assert len(met) == len(merged.scores)


def test_parts_of_a_score_add_up_to_it() -> None:
    merged = intersect_windows(scored(2, (20, 29), 12, 7), (20, 29))
    assert (merged.members >= 0).sum(axis=1).max() > 1
    np.testing.assert_allclose(0.7 * merged.local + 0.3 * merged.global_, merged.scores, atol=1e-6)


def test_one_window_keeps_its_regions() -> None:
    ((window, scores),) = scored(3, (12, 12), 12, 7)
    merged = intersect_windows([(window, scores)], (12, 12))
    for region in range(scores.regions):
        places = (scores.superpixels == region).numpy()
        if places.any():
            (number,) = set(merged.map[places])
            assert np.array_equal(merged.scores[number], scores.by_region[region].numpy())


@pytest.mark.parametrize("regions", [1, 400])
def test_without_regions_every_pixel_stands_alone(regions: int) -> None:
    ((window, scores),) = scored(4, (12, 12), 12, 7, regions=regions)
    nowhere = torch.full((12, 12), -1)
    alone = score_window(torch.randn(6, 4, 4), nowhere, torch.randn(CATEGORIES, 6), torch.rand(CATEGORIES), 0.7)
    merged = intersect_windows([(window, alone)], (12, 12))
    assert merged.scores.shape == (0, CATEGORIES)
    assert (merged.map == NO_REGION).all()
    assert torch.equal(pixel_by_pixel(merged, (12, 12)), alone.rows(0, 12))
    assert scores.regions <= regions
