"""The preprocessing of images that both encoders share."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import torch
from torch.nn import functional

from freeda_svc.errors import InputError

Interpolation = Literal["bilinear", "bicubic"]
Forward: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""From images (B, 3, H, W) of one size to what a model makes of them."""
Compiler: TypeAlias = Callable[[torch.nn.Module, int], Forward]
"""From a model and the side of its images, pixels, to its forward pass."""

RGB_CHANNELS = 3


def check_images(images: torch.Tensor) -> None:
    """Refuse what is not a batch of colour images.

    Args:
        images: should be (B, 3, H, W), floating point, 0 to 1.

    Raises:
        InputError: the shape or the type is another.
    """
    if images.ndim != RGB_CHANNELS + 1 or images.shape[1] != RGB_CHANNELS or not images.is_floating_point():
        raise InputError(
            f"images must be a floating point array of shape (B, 3, H, W), not {images.dtype} {tuple(images.shape)}"
        )


def check_size(key: str, size: int, patch: int, what: str) -> None:
    """Refuse a side that patches do not cover exactly; the libraries would leave its last pixels out without a word.

    Args:
        key: what the side is called in a pack.
        size: the side to which images are squashed, pixels.
        patch: the side of a patch, pixels.
        what: whose patches they are.

    Raises:
        InputError: the side is no multiple of the patches.
    """
    if size < patch or size % patch:
        raise InputError(f"{key} is {size}, but must be a multiple of the {what}'s patches of {patch}")


def squash(images: torch.Tensor, size: int, mode: Interpolation) -> torch.Tensor:
    """Resize images (B, 3, H, W) to (B, 3, size, size), corners not aligned, without antialiasing or cropping."""
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(images, size=(size, size), mode=mode, align_corners=False, antialias=False)


def channel_constants(values: Sequence[float]) -> torch.Tensor:
    """Return three numbers as (1, 3, 1, 1) float32, to be subtracted from or divided into images."""
    return torch.tensor(list(values), dtype=torch.float32).view(1, RGB_CHANNELS, 1, 1)
