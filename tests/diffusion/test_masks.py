import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from freeda_svc.diffusion import contrast, weak_mask

maps = arrays(np.float32, (5, 7), elements=st.floats(-4, 4, width=32))


def plain_mask(attribution: np.ndarray, gamma: float) -> list[list[bool]]:
    low, high = float(attribution.min()), float(attribution.max())
    rows = []
    for row in attribution.tolist():
        scaled = [2 * (value - low) / (high - low) - 1 for value in row]
        rows.append([1 / (1 + math.exp(-value)) > gamma for value in scaled])
    return rows


@given(maps.filter(lambda values: values.min() < values.max()), st.floats(0.27, 0.73))
def test_the_mask_is_the_thresholded_sigmoid_of_the_scaled_attribution(attribution: np.ndarray, gamma: float) -> None:
    assert weak_mask(attribution, gamma).tolist() == plain_mask(attribution, gamma)


@given(maps, st.floats(0.01, 100), st.floats(-5, 5))
def test_only_relative_values_matter(attribution: np.ndarray, factor: float, offset: float) -> None:
    wide = attribution.astype(np.float64)
    wide = np.round(wide, 2)  # so that no value lies within rounding of the threshold by accident
    spread = wide.max() - wide.min()
    near = np.abs((wide - wide.min()) / spread - 0.5 - 0.5 * math.log(0.45 / 0.55)) < 1e-6 if spread else np.zeros(1)
    if near.any():
        return
    assert (weak_mask(wide * factor + offset, 0.45) == weak_mask(wide, 0.45)).all()


def test_a_half_scale_attribution_passes_the_papers_threshold() -> None:
    row = np.linspace(0, 1, 11, dtype=np.float32)[None]
    assert weak_mask(row, 0.45).tolist() == [[value >= 0.4 for value in row[0].tolist()]]


@pytest.mark.parametrize("value", [0.0, 3.5, float("nan"), float("inf")])
def test_an_attribution_that_points_nowhere_gives_an_empty_mask(value: float) -> None:
    attribution = np.full((4, 6), value, dtype=np.float32)
    mask = weak_mask(attribution, 0.45)
    assert mask.shape == (4, 6)
    assert mask.dtype == np.bool_
    assert not mask.any()
    assert contrast(attribution, mask) == 0.0


def test_contrast_is_the_difference_of_means_after_scaling() -> None:
    attribution = np.array([[10.0, 12.0], [18.0, 20.0]], dtype=np.float32)
    mask = np.array([[False, False], [True, True]])
    assert contrast(attribution, mask) == pytest.approx(0.9 - 0.1)
    assert contrast(attribution, ~mask) == pytest.approx(0.1 - 0.9)


@pytest.mark.parametrize("mask", [np.ones((2, 2), dtype=bool), np.zeros((2, 2), dtype=bool)])
def test_contrast_needs_an_inside_and_an_outside(mask: np.ndarray) -> None:
    assert contrast(np.array([[0.0, 1.0], [2.0, 3.0]], dtype=np.float32), mask) == 0.0
