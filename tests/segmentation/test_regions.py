import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from freeda_svc.segmentation.regions import pool_regions, region_weights


def blocks(seed: int, height: int, width: int, regions: int) -> torch.Tensor:
    """Label maps of rectangles and single pixels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), dtype=np.int64)
    for region in range(1, regions):
        top, left = rng.integers(height), rng.integers(width)
        labels[top : top + rng.integers(1, 6), left : left + rng.integers(1, 6)] = region
    return torch.from_numpy(labels)


@given(
    seed=st.integers(0, 1000),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    grid=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_weights_are_the_masks_resized_to_the_grid(seed: int, size: tuple[int, int], grid: tuple[int, int]) -> None:
    labels = blocks(seed, *size, regions=6)
    regions = int(labels.max()) + 1
    masks = torch.stack([labels == region for region in range(regions)]).float()
    expected = functional.interpolate(masks[None], size=grid, mode="bilinear", align_corners=True)[0]
    weights = region_weights(labels, *grid)
    assert weights.is_sparse
    assert len(weights.coalesce().values()) <= 4 * grid[0] * grid[1]
    torch.testing.assert_close(weights.to_dense(), expected.reshape(regions, -1), atol=1e-4, rtol=0)


def test_features_are_averaged_by_the_weights() -> None:
    labels = blocks(3, 30, 40, regions=5)
    features = torch.randn(7, 4, 5, generator=torch.Generator().manual_seed(0))
    pooled, weighted = pool_regions(features, labels)
    weights = region_weights(labels, 4, 5).to_dense()
    for region in range(len(weights)):
        total = sum(weights[region])
        expected = sum(weights[region, cell] * features[:, cell // 5, cell % 5] for cell in range(20))
        assert bool(weighted[region]) == bool(total > 0)
        torch.testing.assert_close(pooled[region], expected / (total + 2**-23), atol=1e-5, rtol=1e-5)


def test_a_region_between_the_positions_that_are_read_has_no_weight() -> None:
    labels = torch.zeros(33, 33, dtype=torch.int64)
    labels[3:5, 3:5] = 1  # a grid of 5 reads rows and columns 0, 8, 16, 24, 32 only
    pooled, weighted = pool_regions(torch.ones(2, 5, 5), labels)
    assert weighted.tolist() == [True, False]
    assert pooled[1].tolist() == [0.0, 0.0]


def test_pixels_of_no_region_weigh_nothing() -> None:
    labels = torch.zeros(9, 9, dtype=torch.int64)
    labels[:, 5:] = -1
    weights = region_weights(labels, 3, 3).to_dense().reshape(3, 3)
    assert weights[:, :2].tolist() == [[1.0, 1.0]] * 3
    assert weights[:, 2].tolist() == [0.0] * 3
