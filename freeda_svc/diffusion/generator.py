"""Captions to images with attributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from diffusers import StableDiffusionPipeline

from freeda_svc.captions.caption import Caption, Noun
from freeda_svc.diffusion.attribution import (
    AttentionRecorder,
    cross_attention_layers,
    find_token_columns,
    recording,
)
from freeda_svc.errors import InputError

_SEEDS = 2**63
_PIPELINE_MULTIPLE = 8
_WHITE = 255


class GenerationSettings(Protocol):
    """What a generator is told; a pack's generation parameters are one."""

    @property
    def steps(self) -> int:
        """Diffusion steps."""

    @property
    def guidance_scale(self) -> float:
        """Classifier-free guidance; 1 and below means none."""

    @property
    def height(self) -> int:
        """Height of the image, pixels."""

    @property
    def width(self) -> int:
        """Width of the image, pixels."""


@dataclass(frozen=True)
class GeneratedImage:
    """An image with what is known about how it came to be.

    Attributes:
        caption: it was generated from.
        seed: of its initial noise.
        pixels: (H, W, 3) uint8, RGB.
        nouns: the caption's nouns that the model was given, N of them.
        attributions: (N, H, W) float32, A(I, w) of eq. 1 for each noun, 0 to 1.
        cut_off: nouns that the tokenizer's length cut off; the model never saw them.
    """

    caption: Caption
    seed: int
    pixels: npt.NDArray[np.uint8]
    nouns: tuple[Noun, ...]
    attributions: npt.NDArray[np.float32]
    cut_off: tuple[Noun, ...]


def caption_seed(caption: Caption) -> int:
    """Return the seed of a caption's initial noise, 0 to 2**63 - 1, which follows from its id."""
    return int(caption.id, 16) % _SEEDS


class Generator:
    """A Stable Diffusion pipeline whose cross-attention is observed."""

    def __init__(self, pipeline: StableDiffusionPipeline, parameters: GenerationSettings) -> None:
        """Take a pipeline, on its device and in its precision.

        Raises:
            InputError: the image size does not suit the pipeline, or its U-Net has no cross-attention layers.
        """
        cross_attention_layers(pipeline.unet)
        multiple = max(_PIPELINE_MULTIPLE, int(pipeline.vae_scale_factor))
        if parameters.height % multiple or parameters.width % multiple:
            raise InputError(
                f"generated images of {parameters.width} x {parameters.height} pixels do not suit the generator: "
                f"both sides must be multiples of {multiple}"
            )
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline = pipeline
        self.parameters = parameters

    def generate(self, captions: Sequence[Caption], nouns: Sequence[Sequence[Noun]]) -> list[GeneratedImage]:
        """Generate one image for each caption, all in one batch.

        An image's noise follows from its caption's id alone, so a caption gives the same image (up to rounding) alone
        and in any batch.

        Args:
            captions: B of them.
            nouns: B sequences, each caption's nouns; a sequence may be empty.

        Raises:
            InputError: there are not as many sequences of nouns as captions.
        """
        if len(captions) != len(nouns):
            raise InputError(f"{len(captions)} captions were given with the nouns of {len(nouns)}")
        if not captions:
            return []
        height, width = self.parameters.height, self.parameters.width
        pipeline = self._pipeline
        columns = [
            find_token_columns(pipeline.tokenizer, caption, found)
            for caption, found in zip(captions, nouns, strict=True)
        ]
        latent_size = (height // pipeline.vae_scale_factor, width // pipeline.vae_scale_factor)
        recorder = AttentionRecorder(columns, pipeline.tokenizer.model_max_length, latent_size)
        seeds = [caption_seed(caption) for caption in captions]
        # drawn in main memory, so that the noise is the same on every device
        noises = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = (1, pipeline.unet.config.in_channels, *latent_size)
        latents = torch.cat([torch.randn(shape, generator=noise) for noise in noises])
        with recording(pipeline.unet, recorder):
            images = pipeline(
                prompt=[caption.text for caption in captions],
                height=height,
                width=width,
                num_inference_steps=self.parameters.steps,
                guidance_scale=self.parameters.guidance_scale,
                generator=noises,
                latents=latents.to(pipeline.unet.dtype),
                output_type="np",
            ).images
        pixels = (np.nan_to_num(images, nan=0.0) * _WHITE).round().astype(np.uint8)
        return [
            GeneratedImage(caption, seed, image, found.nouns, attributions.numpy(), found.cut_off)
            for caption, seed, image, found, attributions in zip(
                captions, seeds, pixels, columns, recorder.attributions(height, width), strict=True
            )
        ]
