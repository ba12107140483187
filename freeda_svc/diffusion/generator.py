"""Captions to images with attributions."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from diffusers import DiffusionPipeline

from freeda_svc.captions import Caption, Noun
from freeda_svc.diffusion.decoding import DecodedImages, Unusable, watching, what_is_wrong
from freeda_svc.diffusion.observed import AttributionSettings, observed_pipeline
from freeda_svc.errors import InputError

_SEEDS = 2**63
_WHITE = 255


class GenerationSettings(Protocol):
    """The parameters of a generation, such as those of a pack."""

    @property
    def steps(self) -> int:
        """Diffusion steps."""

    @property
    def guidance_scale(self) -> float:
        """Classifier-free guidance, as the pipeline counts it."""

    @property
    def height(self) -> int:
        """Height of the image, pixels."""

    @property
    def width(self) -> int:
        """Width of the image, pixels."""

    @property
    def attribution(self) -> AttributionSettings:
        """The attention by which nouns are located."""


@dataclass(frozen=True, eq=False)
class GeneratedImage:
    """An image with what is known about how it came to be.

    Attributes:
        caption: it was generated from.
        seed: of its initial noise.
        pixels: (H, W, 3) uint8, RGB.
        nouns: the caption's nouns that the model was given, N of them.
        attributions: (N, H, W) float32 for each noun: A(I, w) of eq. 1, 0 to 1; by concepts dot products of any sign.
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


class Generator:
    """A pipeline whose attention is observed."""

    def __init__(self, pipeline: DiffusionPipeline, parameters: GenerationSettings) -> None:
        """Take a pipeline, on its device and in its precision.

        Raises:
            InputError: the image size does not suit the pipeline, or its attention cannot be observed.
        """
        self._observed = observed_pipeline(pipeline, parameters.attribution, parameters.steps)
        multiple = self._observed.multiple
        if parameters.height % multiple or parameters.width % multiple:
            raise InputError(
                f"generated images of {parameters.width} x {parameters.height} pixels do not suit the generator: "
                f"both sides must be multiples of {multiple}"
            )
        self._observed.check_size(parameters.height, parameters.width)
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline: Any = pipeline
        self.parameters = parameters

    def try_out(self) -> npt.NDArray[np.float32]:
        """Generate the smallest image in one step, to see that all parts compute: (1, H, W, 3) float32."""
        side = self._observed.smallest_side
        images: npt.NDArray[np.float32] = self._pipeline(
            prompt=["a"],
            height=side,
            width=side,
            num_inference_steps=1,
            generator=torch.Generator().manual_seed(0),
            output_type="np",
            **self._observed.arguments(1.0),
        ).images
        return images

    def generate(
        self,
        captions: Sequence[Caption],
        nouns: Sequence[Sequence[Noun]],
        images_per_caption: int = 1,
        on_step: Callable[[], None] | None = None,
    ) -> list[GeneratedImage]:
        """Generate images for each caption, all in one batch.

        An image's noise follows from its caption's id and its number alone, so a caption has the same images, up to
        rounding, alone and in any batch.

        Args:
            captions: B of them.
            nouns: B sequences, each caption's nouns; a sequence may be empty.
            images_per_caption: how many images are generated of each caption.
            on_step: called before each pass of the U-Net or transformer, when hardly any memory is in use beside the
                latents and the weights. It may use other models; what it raises ends the generation.

        Returns:
            B times ``images_per_caption`` images, those of a caption together; also those that are ``unusable``: what
            the decoder gave as not finite is black in them, as is what the pipeline's safety checker withheld.

        Raises:
            InputError: there are not as many sequences of nouns as captions, or less than one image is asked for.
        """
        if len(captions) != len(nouns):
            raise InputError(f"{len(captions)} captions were given with the nouns of {len(nouns)}")
        if images_per_caption < 1:
            raise InputError(f"at least one image per caption must be asked for, not {images_per_caption}")
        if not captions:
            return []
        height, width, scale = self.parameters.height, self.parameters.width, self.parameters.guidance_scale
        located = [
            found
            for caption, mentioned in zip(captions, nouns, strict=True)
            for found in [self._observed.locate(caption, mentioned)] * images_per_caption
        ]
        drawn = [(caption, number) for caption in captions for number in range(images_per_caption)]
        seeds = [caption_seed(caption, number) for caption, number in drawn]
        # drawn in main memory and in full precision, so that the noise is the same on every device
        noises = [torch.Generator().manual_seed(seed) for seed in seeds]
        shape = (1, *self._observed.noise_shape(height, width))
        latents = torch.cat([torch.randn(shape, generator=noise) for noise in noises])
        decoded = DecodedImages(len(drawn))
        with (
            self._observed.observing(located, height, width, scale) as recorder,
            watching(self._pipeline.vae, decoded),
            _calling(on_step, self._observed.denoiser),
        ):
            output = self._pipeline(
                # a caption stands here once for each of its images: where pipelines repeat captions, some give an image
                # the mask of another caption
                prompt=[caption.text for caption, _ in drawn],
                height=height,
                width=width,
                num_inference_steps=self.parameters.steps,
                generator=noises,
                latents=latents.to(self._observed.noise_dtype),
                output_type="np",
                **self._observed.arguments(scale),
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
                nouns=found.columns.nouns,
                attributions=attributions.numpy(),
                cut_off=found.columns.cut_off,
                unusable=unusable,
            )
            for (caption, _), seed, image, found, attributions, unusable in zip(
                drawn, seeds, pixels, located, recorder.attributions(height, width), wrong, strict=True
            )
        ]


@contextmanager
def _calling(on_step: Callable[[], None] | None, denoiser: torch.nn.Module) -> Iterator[None]:
    """Call something before each pass of a module: pipelines have several interfaces for callbacks, or none."""
    if on_step is None:
        yield
        return
    hook = denoiser.register_forward_pre_hook(lambda *_: on_step())
    try:
        yield
    finally:
        hook.remove()
