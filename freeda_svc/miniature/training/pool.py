"""Painted scenes in memory, to draw training batches from, and how they are made to resemble generated ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from freeda_svc.miniature.scenes import paint_scene
from freeda_svc.miniature.worlds import SMALL, Reader, SceneStyle, World

TRAINING_SPLIT, VALIDATION_SPLIT, TEST_SPLIT = 0, 1, 2


@dataclass(frozen=True, eq=False)
class ScenePool:
    """Scenes as arrays.

    Attributes:
        images: (N, 64, 64, 3) uint8.
        labels: (N, 64, 64) uint8.
        captions: N sentences.
        shown: (N, concepts) bool, which nouns and kinds a scene shows, in the order of ``World.concepts``.
        named: (N, concepts) bool, which of them its caption names.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    captions: tuple[str, ...]
    shown: npt.NDArray[np.bool_]
    named: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.captions)

    def pixels(self, indices: npt.NDArray[np.int64]) -> torch.Tensor:
        """Return the chosen images as (B, 3, 64, 64) float32, -1 to 1."""
        batch = torch.from_numpy(self.images[indices]).permute(0, 3, 1, 2)
        return batch.to(torch.float32).div(127.5).sub(1.0).contiguous()


def paint_pool(
    style: SceneStyle,
    count: int,
    *,
    split: int,
    stream: int = 0,
    world: World = SMALL,
    reader: Reader = "generator",
) -> ScenePool:
    """Paint ``count`` scenes of one style; ``split`` and ``stream`` keep pools apart."""
    scenes = [paint_scene((split, stream, number), style, world=world, reader=reader) for number in range(count)]
    shown = [
        {*scene.nouns, *(kind for kind, nouns in world.kinds.items() if {*nouns} & {*scene.nouns})} for scene in scenes
    ]
    return ScenePool(
        images=np.stack([scene.image for scene in scenes]),
        labels=np.stack([scene.labels for scene in scenes]),
        captions=tuple(scene.caption for scene in scenes),
        shown=np.array([[concept in one for concept in world.concepts] for one in shown]),
        named=np.array([[concept in scene.named for concept in world.concepts] for scene in scenes]),
    )


def join_pools(*pools: ScenePool) -> ScenePool:
    """Return one pool with the scenes of all."""
    return ScenePool(
        images=np.concatenate([pool.images for pool in pools]),
        labels=np.concatenate([pool.labels for pool in pools]),
        captions=tuple(caption for pool in pools for caption in pool.captions),
        shown=np.concatenate([pool.shown for pool in pools]),
        named=np.concatenate([pool.named for pool in pools]),
    )


def flip_some(rng: np.random.Generator, pixels: torch.Tensor) -> torch.Tensor:
    """Mirror half of the images, left to right."""
    chosen = torch.from_numpy(rng.random(len(pixels)) < 0.5)
    return torch.where(chosen[:, None, None, None], pixels.flip(-1), pixels)


def disturb(pixels: torch.Tensor) -> torch.Tensor:
    """Return images (B, 3, H, W), -1 to 1, each blurred, brightened and made noisy by its own random amount."""
    count = len(pixels)
    amounts = torch.rand(3, count, 1, 1, 1)
    blurred = functional.avg_pool2d(functional.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    mixed = torch.lerp(pixels, blurred, amounts[0] * (torch.rand(count, 1, 1, 1) < 0.6))
    shifted = mixed * (1 + 0.2 * (amounts[1] - 0.5)) + 0.15 * (torch.rand(count, 3, 1, 1) - 0.5)
    return (shifted + 0.06 * amounts[2] * torch.randn_like(pixels)).clamp(-1, 1)
