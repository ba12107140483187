"""Which images of a batch show nothing, seen before a pipeline makes black or white of it.

A pipeline clamps what its decoder gives, so infinity becomes white; what is not a number becomes black as soon as it is
an integer; and a safety checker puts a black image in the place of one that it holds back.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_ROUNDING = 1  # one flat colour may lie between two levels of eight bits


class Unusable(StrEnum):
    """Why an image shows nothing; the values are what such images are counted as."""

    NOT_FINITE = "images that are not finite"
    HELD_BACK = "images with nsfw_content_detected"
    FLAT = "images of one flat colour"


class DecodedImages:
    """Which images of a batch are finite, latents and pixels.

    Attributes:
        finite: (B,) bool; all True before anything is decoded.
    """

    def __init__(self, images: int) -> None:
        """Prepare for a batch of some images."""
        self.finite: npt.NDArray[np.bool_] = np.ones(images, dtype=np.bool_)

    def add(self, values: torch.Tensor) -> None:
        """Look at the latents or pixels (B, C, H, W) of all images."""
        self.finite &= values.detach().flatten(1).isfinite().all(dim=1).cpu().numpy()


@contextmanager
def watching(vae: Any, decoded: DecodedImages) -> Iterator[None]:  # noqa: ANN401  (autoencoders share no type)
    """Look at what goes into an autoencoder's ``decode`` and comes out; afterwards it is as it was."""
    own = "decode" in vars(vae)
    decode = vae.decode

    def watched(latents: torch.Tensor, *args: Any, **others: Any) -> Any:  # noqa: ANN401  (whatever diffusers passes)
        decoded.add(latents)
        output = decode(latents, *args, **others)
        decoded.add(output[0])
        return output

    try:  # a time limit may end this anywhere
        vae.decode = watched
        yield
    finally:
        if own:
            vae.decode = decode
        else:
            vars(vae).pop("decode", None)


def what_is_wrong(
    pixels: npt.NDArray[np.uint8], finite: npt.NDArray[np.bool_], held_back: Sequence[bool] | None
) -> list[Unusable | None]:
    """Say of each image of a batch why it shows nothing; None where it is as it should be.

    Args:
        pixels: (B, H, W, 3) uint8.
        finite: (B,) bool, whether latents and pixels were finite.
        held_back: B marks of a safety checker, ``nsfw_content_detected``; None where there is none.
    """
    wrong: list[Unusable | None] = [Unusable.FLAT if is_flat(image) else None for image in pixels]
    for image in range(len(pixels)):
        if not finite[image]:
            wrong[image] = Unusable.NOT_FINITE
        elif held_back is not None and held_back[image]:
            wrong[image] = Unusable.HELD_BACK
    return wrong


def is_flat(pixels: npt.NDArray[np.uint8]) -> bool:
    """Return whether an image (H, W, 3) uint8 is one flat colour, up to rounding."""
    return bool((np.ptp(pixels, axis=(0, 1)) <= _ROUNDING).all())
