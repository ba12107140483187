"""Captions to images with attributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

from freeda_svc.captions.caption import Caption, Noun
from freeda_svc.diffusion.attribution import AttentionRecorder
from freeda_svc.diffusion.columns import find_shared_token_columns
from freeda_svc.diffusion.decoding import DecodedImages, Unusable, watching, what_is_wrong
from freeda_svc.diffusion.recording import FAMILY, cross_attention_layers, recording
from freeda_svc.errors import InputError

_SEEDS = 2**63
_PIPELINE_MULTIPLE = 8
_WHITE = 255
_LATENT_TRIED = 8
"""Side of the smallest latent that every level of a U-Net can halve."""


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
        unusable: why nothing of it may be used; None for an image as it should be.
    """

    caption: Caption
    seed: int
    pixels: npt.NDArray[np.uint8]
    nouns: tuple[Noun, ...]
    attributions: npt.NDArray[np.float32]
    cut_off: tuple[Noun, ...]
    unusable: Unusable | None = None


def caption_seed(caption: Caption, number: int = 0) -> int:
    """Return the seed, 0 to 2**63 - 1, of a caption's first or a further image; it follows from the caption's id."""
    return (int(caption.id, 16) + number) % _SEEDS


def check_architecture(pipeline: DiffusionPipeline) -> None:
    """Refuse what eq. 1 is not defined for.

    Raises:
        InputError: the pipeline is not of the Stable Diffusion family with a U-Net, or its U-Net cannot be observed.
    """
    unet = getattr(pipeline, "unet", None)
    if not isinstance(pipeline, (StableDiffusionPipeline, StableDiffusionXLPipeline)) or not isinstance(
        unet, UNet2DConditionModel
    ):
        denoiser = unet if unet is not None else getattr(pipeline, "transformer", None)
        part = "" if denoiser is None else f" with a {type(denoiser).__name__}"
        raise InputError(f"the generator is a {type(pipeline).__name__}{part}, where nouns cannot be located; {FAMILY}")
    cross_attention_layers(unet)


class Generator:
    """A Stable Diffusion pipeline, 1.x, 2.x or XL, whose cross-attention is observed."""

    def __init__(
        self, pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline, parameters: GenerationSettings
    ) -> None:
        """Take a pipeline, on its device and in its precision.

        Raises:
            InputError: the image size does not suit the pipeline, or its architecture cannot be observed.
        """
        check_architecture(pipeline)
        multiple = max(_PIPELINE_MULTIPLE, int(pipeline.vae_scale_factor))
        if parameters.height % multiple or parameters.width % multiple:
            raise InputError(
                f"generated images of {parameters.width} x {parameters.height} pixels do not suit the generator: "
                f"both sides must be multiples of {multiple}"
            )
        pipeline.set_progress_bar_config(disable=True)
        if isinstance(pipeline, StableDiffusionXLPipeline):
            pipeline.watermark = None  # put on only where another package is installed: images would differ
        self._pipeline = pipeline
        # an XL pipeline gives the caption to both its encoders and joins their embeddings token by token
        tokenizers = [pipeline.tokenizer, getattr(pipeline, "tokenizer_2", None)]
        self._tokenizers = [tokenizer for tokenizer in tokenizers if tokenizer is not None]
        self.parameters = parameters

    def try_out(self) -> npt.NDArray[np.float32]:
        """Generate the smallest image in one step, to see that all parts compute: (1, H, W, 3) float32."""
        side = _LATENT_TRIED * int(self._pipeline.vae_scale_factor)
        images: npt.NDArray[np.float32] = self._pipeline(
            prompt=["a"],
            height=side,
            width=side,
            num_inference_steps=1,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(0),
            output_type="np",
        ).images
        return images

    def generate(
        self, captions: Sequence[Caption], nouns: Sequence[Sequence[Noun]], images_per_caption: int = 1
    ) -> list[GeneratedImage]:
        """Generate images for each caption, all in one batch.

        An image's noise follows from its caption's id and its number alone, so a caption gives the same images (up to
        rounding) alone and in any batch.

        Args:
            captions: B of them.
            nouns: B sequences, each caption's nouns; a sequence may be empty.
            images_per_caption: how many images each caption gives.

        Returns:
            B times ``images_per_caption`` images, those of a caption together; also those that are ``unusable``: what
            the decoder gave as not finite is black in them, as is what the pipeline's safety checker held back.

        Raises:
            InputError: there are not as many sequences of nouns as captions, or less than one image is asked for.
        """
        if len(captions) != len(nouns):
            raise InputError(f"{len(captions)} captions were given with the nouns of {len(nouns)}")
        if images_per_caption < 1:
            raise InputError(f"at least one image a caption must be asked for, not {images_per_caption}")
        if not captions:
            return []
        height, width = self.parameters.height, self.parameters.width
        pipeline = self._pipeline
        columns = [
            found
            for caption, mentioned in zip(captions, nouns, strict=True)
            for found in [find_shared_token_columns(self._tokenizers, caption, mentioned)] * images_per_caption
        ]
        latent_size = (height // pipeline.vae_scale_factor, width // pipeline.vae_scale_factor)
        recorder = AttentionRecorder(columns, self._tokenizers[0].model_max_length, latent_size)
        drawn = [(caption, number) for caption in captions for number in range(images_per_caption)]
        seeds = [caption_seed(caption, number) for caption, number in drawn]
        # drawn in main memory, so that the noise is the same on every device
        noises = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = (1, pipeline.unet.config.in_channels, *latent_size)
        latents = torch.cat([torch.randn(shape, generator=noise) for noise in noises])
        decoded = DecodedImages(len(drawn))
        with recording(pipeline.unet, recorder), watching(pipeline.vae, decoded):
            output = pipeline(
                prompt=[caption.text for caption in captions],
                height=height,
                width=width,
                num_inference_steps=self.parameters.steps,
                guidance_scale=self.parameters.guidance_scale,
                num_images_per_prompt=images_per_caption,
                generator=noises,
                latents=latents.to(pipeline.unet.dtype),
                output_type="np",
            )
        finite = decoded.finite & np.isfinite(output.images).all(axis=(1, 2, 3))
        pixels = (np.where(finite[:, None, None, None], output.images, 0.0) * _WHITE).round().astype(np.uint8)
        # an XL pipeline has no such checker
        wrong = what_is_wrong(pixels, finite, getattr(output, "nsfw_content_detected", None))
        return [
            GeneratedImage(
                caption=caption,
                seed=seed,
                pixels=image,
                nouns=found.nouns,
                attributions=attributions.numpy(),
                cut_off=found.cut_off,
                unusable=unusable,
            )
            for (caption, _), seed, image, found, attributions, unusable in zip(
                drawn, seeds, pixels, columns, recorder.attributions(height, width), wrong, strict=True
            )
        ]
