"""The scoring restated plainly: a dense mask for each region, everything at every pixel."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.bank import PrototypeStore
from freeda_svc.packs import Pack
from tests.segmentation.toy_bank import fill_bank


def _dense_masks(superpixels: np.ndarray, grid: tuple[int, int]) -> torch.Tensor:
    """Return (R, h, w): each region's mask resized to the grid."""
    masks = torch.from_numpy(np.stack([superpixels == region for region in range(superpixels.max() + 1)])).float()
    return functional.interpolate(masks[None], size=grid, mode="bilinear", align_corners=True)[0]


def _pixel_scores(
    features: torch.Tensor,
    superpixels: np.ndarray,
    prototypes: torch.Tensor,
    global_similarity: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Return (N, H, W) scores of a window."""
    grid = (features.shape[1], features.shape[2])
    cells = functional.cosine_similarity(features[None], prototypes[:, :, None, None], dim=1)
    local = functional.interpolate(
        torch.sigmoid(cells)[None], size=superpixels.shape, mode="bilinear", align_corners=True
    )[0]
    if superpixels.max() >= 0:
        for region, mask in enumerate(_dense_masks(superpixels, grid)):
            if mask.sum() > 0:
                feature = (features * mask).sum(dim=(1, 2)) / (mask.sum() + np.finfo(np.float32).eps)
                similarity = torch.sigmoid(functional.cosine_similarity(feature[None], prototypes, dim=1))
                local[:, torch.from_numpy(superpixels == region)] = similarity[:, None]
    return beta * local + (1 - beta) * global_similarity[:, None, None]


@pytest.fixture(scope="session")
def pixel_scores() -> Callable[..., torch.Tensor]:
    """Give the plain restatement of a window's scores."""
    return _pixel_scores


@pytest.fixture(scope="module")
def store(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrototypeStore]:
    """Twelve prototypes. Do not add to it."""
    with fill_bank(pack, tmp_path_factory.mktemp("bank")) as store:
        yield store
