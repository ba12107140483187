"""The numbers of a pack: how it generates, builds prototypes and segments."""

from dataclasses import dataclass
from typing import Literal

SuperpixelAlgorithm = Literal["felzenszwalb", "none"]


@dataclass(frozen=True)
class GenerationParameters:
    """Text to image.

    Attributes:
        steps: diffusion steps.
        guidance_scale: classifier-free guidance; 1 and below means none.
        height: of the generated image, pixels.
        width: of the generated image, pixels.
        batch_size: captions generated at once.
    """

    steps: int
    guidance_scale: float
    height: int
    width: int
    batch_size: int


@dataclass(frozen=True)
class PrototypeParameters:
    """Attribution to prototypes and keys.

    Attributes:
        gamma: threshold of the weak mask, after the sigmoid (0.45 in the paper).
        alpha: share of the noun embedding in a key, eq. 3 (0.9 in the paper).
    """

    gamma: float
    alpha: float


@dataclass(frozen=True)
class SuperpixelParameters:
    """Felzenszwalb's parameters on RGB scaled to 0..1; ``none`` scores every pixel by the dense similarity."""

    algorithm: SuperpixelAlgorithm
    scale: float
    sigma: float
    min_size: int


@dataclass(frozen=True)
class SegmentationParameters:
    """Image to mask.

    Attributes:
        k: how many prototypes a category fetches (350 in the paper).
        beta: weight of the local similarity, eq. 5; 1 leaves the global similarity out.
        short_side: the image's shorter side is resized to this, pixels.
        long_side: the longer side is at most this, pixels.
        window: side of a square window, pixels.
        stride: distance of two windows, pixels.
        superpixels: how a window is cut into regions.
        origins: only prototypes of these origins are fetched; of all when empty.
        exemplar_share: what an exemplar of the category itself counts in the mean of eq. 4, as a share of k, but no
            less than once: 0.5 means that two of them count as much as k generated prototypes.
    """

    k: int
    beta: float
    short_side: int
    long_side: int
    window: int
    stride: int
    superpixels: SuperpixelParameters
    origins: tuple[str, ...] = ()
    exemplar_share: float = 0.5


@dataclass(frozen=True)
class PackParameters:
    """All numbers of a pack.

    Attributes:
        backbone_size: windows and generated images are squashed to this side for the dense backbone, pixels.
        image_text_size: and to this side for the image-text model, pixels.
    """

    backbone_size: int
    image_text_size: int
    generation: GenerationParameters
    prototypes: PrototypeParameters
    segmentation: SegmentationParameters
