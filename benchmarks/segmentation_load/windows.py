"""Windows of a photo with features at random: everything that is done once the models are done."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from benchmarks.segmentation_load.dense_masks import dense_mask_labels
from benchmarks.segmentation_load.models import RECIPE
from benchmarks.segmentation_load.photos import Photo, photo
from freeda_svc.packs import read_recipe
from freeda_svc.parameters import SegmentationParameters, SuperpixelParameters
from freeda_svc.segmentation import (
    Merged,
    Window,
    WindowScores,
    cut_superpixels,
    cut_windows,
    merge_windows,
    resize_image,
    scaled_size,
    score_window,
)

GRID = 37
DIMENSION = 1024
"""Length of a feature, that of ViT-L/14."""


@dataclass(frozen=True)
class SeenWindow:
    """A window as it comes from the models, see ``score_window``."""

    features: torch.Tensor
    superpixels: torch.Tensor
    prototypes: torch.Tensor
    global_similarity: torch.Tensor
    beta: float

    @property
    def regions(self) -> int:
        """How many superpixels it has."""
        return int(self.superpixels.max()) + 1


def _parameters() -> SegmentationParameters:
    return read_recipe(RECIPE).parameters.segmentation


def _seen(crop: Photo, superpixels: SuperpixelParameters, categories: int, seed: int) -> SeenWindow:
    """Features are smooth, as those of a model are: neighbouring cells have much in common."""
    prototypes = torch.randn(categories, DIMENSION, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1 + seed)
    features = functional.avg_pool2d(torch.randn(DIMENSION, GRID, GRID, generator=generator), 5, stride=1, padding=2)
    similarity = 0.2 + 0.1 * torch.rand(categories, generator=generator)
    labels = torch.from_numpy(cut_superpixels(crop, superpixels))
    return SeenWindow(features, labels, prototypes, similarity, _parameters().beta)


def window_of_a_photo(categories: int, scale: float | None = None) -> SeenWindow:
    """Return a window of 448 x 448 pixels.

    Args:
        categories: how many.
        scale: Felzenszwalb's, which decides how many regions there are; the recipe's when None.
    """
    superpixels = _parameters().superpixels
    if scale is not None:
        superpixels = superpixels.replace(scale=scale, min_size=max(1, round(scale / 5)))
    side = _parameters().window
    return _seen(photo("astronaut", side, side), superpixels, categories, seed=0)


def score(seen: SeenWindow) -> WindowScores:
    """Pool the regions of a window and compare them with the prototypes."""
    return score_window(seen.features, seen.superpixels, seen.prototypes, seen.global_similarity, seen.beta)


def region_step(seen: SeenWindow) -> torch.Tensor:
    """Pool, compare and label: (448, 448) int64."""
    return score(seen).labels()


def dense_region_step(seen: SeenWindow) -> torch.Tensor:
    """The same the plain way."""
    return dense_mask_labels(seen.features, seen.superpixels, seen.prototypes, seen.global_similarity, seen.beta)


@dataclass(frozen=True)
class SeenPhoto:
    """A photo whose windows have come from the models."""

    image: Photo
    windows: tuple[tuple[Window, SeenWindow], ...]

    def finish(self) -> Merged:
        """Do everything but the models and the superpixels: resize the image, score the windows and merge them."""
        given, size = _parameters(), (self.image.shape[0], self.image.shape[1])
        scaled = scaled_size(*size, short_side=given.short_side, long_side=given.long_side)
        resize_image(self.image, *scaled)
        return merge_windows([(window, score(seen)) for window, seen in self.windows], scaled, size)


def seen_photo(height: int, width: int, categories: int) -> SeenPhoto:
    """Return a photo of any size with its windows."""
    given, image = _parameters(), photo("coffee", height, width)
    scaled = scaled_size(height, width, short_side=given.short_side, long_side=given.long_side)
    small = resize_image(image, *scaled)
    windows = []
    for number, window in enumerate(cut_windows(*scaled, window=given.window, stride=given.stride)):
        crop = small[window.top : window.bottom, window.left : window.right]
        windows.append((window, _seen(crop, given.superpixels, categories, seed=number)))
    return SeenPhoto(image, tuple(windows))
