import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from freeda_svc.prototypes.equations import pool_prototype

FEATURES = torch.randn(6, 4, 5, generator=torch.Generator().manual_seed(3))


def restate(features: torch.Tensor, mask: np.ndarray) -> np.ndarray | None:
    """Eq. 2, one grid cell after the other; a cell reads the mask at its aligned place."""
    _, rows, columns = features.shape
    height, width = mask.shape
    total, weight_sum = np.zeros(len(features)), 0.0
    for row in range(rows):
        for column in range(columns):
            y, x = row * (height - 1) / (rows - 1), column * (width - 1) / (columns - 1)
            top, left = min(int(y), height - 2), min(int(x), width - 2)
            down, right = y - top, x - left
            weight = (
                mask[top, left] * (1 - down) * (1 - right)
                + mask[top, left + 1] * (1 - down) * right
                + mask[top + 1, left] * down * (1 - right)
                + mask[top + 1, left + 1] * down * right
            )
            total += features[:, row, column].numpy() * weight
            weight_sum += weight
    return None if weight_sum < 1e-9 else total / weight_sum


@given(arrays(np.bool_, st.tuples(st.integers(2, 30), st.integers(2, 30))))
def test_the_prototype_is_the_weighted_mean_of_eq_2(mask: np.ndarray) -> None:
    expected = restate(FEATURES, mask)
    pooled = pool_prototype(FEATURES, mask)
    assert (pooled is None) == (expected is None)
    if expected is None:
        return
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, expected, atol=1e-3)


def test_a_full_mask_gives_the_mean_of_all_features() -> None:
    pooled = pool_prototype(FEATURES, np.ones((64, 64), dtype=bool))
    np.testing.assert_allclose(pooled, FEATURES.mean(dim=(1, 2)).numpy(), atol=1e-6)


def test_a_mask_on_one_side_gives_that_side() -> None:
    mask = np.zeros((40, 50), dtype=bool)
    mask[:, :10] = True  # the first column of five, not the second
    np.testing.assert_allclose(pool_prototype(FEATURES, mask), FEATURES[:, :, 0].mean(dim=1).numpy(), atol=1e-6)


def test_an_empty_mask_gives_no_prototype() -> None:
    assert pool_prototype(FEATURES, np.zeros((40, 50), dtype=bool)) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_only_features_under_the_mask_must_be_finite(value: float) -> None:
    spoilt = FEATURES.clone()
    spoilt[2, 0, 4] = value
    mask = np.zeros((40, 50), dtype=bool)
    mask[:, :10] = True
    assert pool_prototype(spoilt, mask) is not None
    assert pool_prototype(spoilt, ~mask) is None
