from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.segmentation.window_scores import score_window

PixelScores = Callable[..., torch.Tensor]


def inputs(seed: int, categories: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(6, 5, 4, generator=generator),
        torch.randn(categories, 6, generator=generator),
        torch.rand(categories, generator=generator),
    )


def speckled(seed: int, shape: tuple[int, int] = (34, 27)) -> np.ndarray:
    """Large regions with small ones within, many of which get no weight."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.int32)
    labels[:, shape[1] // 2 :] = 1
    for region in range(2, 12):
        top, left = rng.integers(shape[0]), rng.integers(shape[1])
        labels[top : top + 2, left : left + 2] = region
    return labels


@given(seed=st.integers(0, 500), beta=st.floats(0, 1))
def test_scores_are_those_of_dense_masks(pixel_scores: PixelScores, seed: int, beta: float) -> None:
    features, prototypes, global_similarity = inputs(seed)
    superpixels = speckled(seed)
    scores = score_window(features, torch.from_numpy(superpixels), prototypes, global_similarity, beta)
    expected = pixel_scores(features, superpixels, prototypes, global_similarity, beta)
    torch.testing.assert_close(scores.rows(0, 34), expected, atol=1e-5, rtol=0)
    assert scores.regions == superpixels.max() + 1


def test_some_pixels_take_the_dense_similarity() -> None:
    features, prototypes, global_similarity = inputs(0)
    superpixels = torch.from_numpy(speckled(0))
    scores = score_window(features, superpixels, prototypes, global_similarity, 0.8)
    assert 0 < int((scores.superpixels < 0).sum()) < superpixels.numel()


@pytest.mark.parametrize("superpixels", [speckled(4), np.full((34, 27), -1, dtype=np.int32)], ids=["regions", "none"])
def test_rows_are_cut_from_the_whole(superpixels: np.ndarray) -> None:
    scores = score_window(inputs(1)[0], torch.from_numpy(superpixels), *inputs(1)[1:], 0.8)
    whole = scores.rows(0, 34)
    assert torch.equal(torch.cat([scores.rows(0, 1), scores.rows(1, 20), scores.rows(20, 34)], dim=1), whole)
    assert torch.equal(scores.labels(), whole.argmax(dim=0))


def test_without_superpixels_every_pixel_takes_the_dense_similarity(pixel_scores: PixelScores) -> None:
    features, prototypes, global_similarity = inputs(2)
    none = np.full((34, 27), -1, dtype=np.int32)
    scores = score_window(features, torch.from_numpy(none), prototypes, global_similarity, 1.0)
    expected = pixel_scores(features, none, prototypes, global_similarity, 1.0)
    torch.testing.assert_close(scores.rows(0, 34), expected, atol=1e-5, rtol=0)
    assert scores.regions == 0


def test_one_category_takes_every_pixel() -> None:
    features, prototypes, global_similarity = inputs(3, categories=1)
    scores = score_window(features, torch.from_numpy(speckled(3)), prototypes, global_similarity, 0.8)
    assert set(scores.labels().ravel().tolist()) == {0}
