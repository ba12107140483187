from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeda_svc.packs.image_text_model import read_image_text
from freeda_svc.packs.precision import Computing
from freeda_svc.parameters import Source
from freeda_svc.prototypes.appearance import embed_regions
from freeda_svc.prototypes.object_windows import window_around
from tests.encoders.newer_models import write_image_text

SIZE = 8
MEAN = (0.2, 0.4, 0.6)
GREY = np.array([51, 102, 153], dtype=np.uint8)


class Seeing:
    """Takes an image's pixels, less its mean colour, for its embedding, and remembers what it was shown."""

    size, dimension, mean_colour = SIZE, 3 * SIZE * SIZE, MEAN

    def __init__(self) -> None:
        self.calls: list[torch.Tensor] = []

    def embed_images(self, images: torch.Tensor) -> torch.Tensor:
        self.calls.append(images)
        return (images - torch.tensor(MEAN)[:, None, None]).flatten(1)


def image(seed: int = 0, side: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def corner(side: int = SIZE, size: int = SIZE // 2) -> np.ndarray:
    mask = np.zeros((side, side), dtype=bool)
    mask[:size, :size] = True
    return mask


def embedding(pixels: np.ndarray) -> torch.Tensor:
    seen = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255 - torch.tensor(MEAN)[:, None, None]
    return functional.normalize(seen.flatten(), dim=0)


def test_a_region_is_seen_as_it_is_and_alone() -> None:
    pixels, mask = image(), corner(size=6)  # a window of nine pixels does not fit
    alone = np.where(mask[..., None], pixels, GREY)
    [found] = embed_regions(Seeing(), [(pixels, mask)])
    expected = functional.normalize(embedding(pixels) + embedding(alone), dim=0)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert found.dtype == np.float32


def test_a_small_region_is_shown_in_its_window() -> None:
    pixels, mask = image(side=20), corner(20, 6)
    assert window_around(mask).cut(pixels).shape == (9, 9, 3)
    elsewhere = pixels.copy()
    elsewhere[9:] = elsewhere[:, 9:] = 0
    model = Seeing()
    [found], [same] = embed_regions(model, [(pixels, mask)]), embed_regions(model, [(elsewhere, mask)])
    np.testing.assert_array_equal(found, same)
    nearer = pixels.copy()
    nearer[8, 8] += 100
    assert np.abs(embed_regions(model, [(nearer, mask)])[0] - found).max() > 1e-3


def test_all_regions_go_through_the_model_together_and_a_shared_window_once() -> None:
    first, second = image(1), image(2)
    large, larger = corner(size=6), corner(size=7)
    model = Seeing()
    regions = [(first, large), (first, larger), (second, large), (first, corner())]
    together = embed_regions(model, regions)
    assert [len(shown) for shown in model.calls] == [3 + 4]
    for found, region in zip(together, regions, strict=True):
        np.testing.assert_allclose(found, embed_regions(model, [region])[0], atol=1e-6)


def test_many_regions_are_taken_some_at_a_time() -> None:
    model = Seeing()
    regions = [(image(number), corner()) for number in range(40)]
    together = embed_regions(model, regions)
    assert sum(len(shown) for shown in model.calls) == 2 * 40
    assert max(len(shown) for shown in model.calls) <= 32
    np.testing.assert_allclose(together[37], embed_regions(Seeing(), [regions[37]])[0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_no_regions_give_no_appearances() -> None:
    assert embed_regions(Seeing(), []).shape == (0, 3 * SIZE * SIZE)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_region_that_the_model_does_not_see_costs_no_other(value: float) -> None:
    class Spoilt(Seeing):
        def embed_images(self, images: torch.Tensor) -> torch.Tensor:
            embedded = super().embed_images(images)
            embedded[1] = value
            return embedded

    found = embed_regions(Spoilt(), [(image(1), corner()), (image(2), corner())])
    assert not np.isfinite(found[0]).all()
    assert np.isfinite(found[1]).all()


@pytest.mark.parametrize(("kind", "activation"), [("siglip2", "gelu_tanh"), ("pe_core", "gelu")])
def test_models_other_than_clip_see_regions_too(tmp_path: Path, kind: str, activation: str) -> None:
    write_image_text(tmp_path, kind)
    computing = Computing(device="cpu", generator="float32", encoders="float32")
    model = read_image_text(
        tmp_path, 32, computing, Source(description="x", licence="x", origin="x", activation=activation)
    )
    pixels, mask = image(side=90), corner(90, 20)
    [found] = embed_regions(model, [(pixels, mask)])
    assert found.shape == (model.dimension,)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    other = pixels.copy()
    other[:20, :20] = 255 - other[:20, :20]
    assert np.abs(embed_regions(model, [(other, mask)])[0] - found).max() > 1e-4
