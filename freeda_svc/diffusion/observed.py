"""A pipeline together with the way in which its attention is observed: one for U-Nets, one for transformers."""

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

from freeda_svc.captions import Caption, Noun
from freeda_svc.diffusion.attribution import AttentionRecorder
from freeda_svc.diffusion.columns import TokenColumns, find_columns, find_shared_token_columns
from freeda_svc.diffusion.concepts import ConceptRecorder, embed_concepts
from freeda_svc.diffusion.families import FAMILIES, Family, Guidance, attention_layers, find_family
from freeda_svc.diffusion.observing import observing
from freeda_svc.diffusion.recording import FAMILY, cross_attention_layers, recording
from freeda_svc.diffusion.token_attention import TokenAttentionRecorder
from freeda_svc.errors import InputError

KNOWN = f"{FAMILY}, or {', '.join(family.name for family in FAMILIES)}"
PIPELINES = ("StableDiffusionPipeline", "StableDiffusionXLPipeline", *(family.pipeline for family in FAMILIES))
"""Names of the classes of diffusers whose nouns can be located."""

_PIPELINE_MULTIPLE = 8
_LATENT_TRIED = 8
"""Side of the smallest latent that every level of a U-Net can halve."""
_TOKENS_TRIED = 4


class AttributionSettings(Protocol):
    """Which attention counts; a pack's attribution parameters are one."""

    @property
    def method(self) -> str:
        """How nouns are located: ``attention`` or ``concept``."""

    @property
    def blocks(self) -> Collection[int]:
        """Numbers, from 0, of the blocks that count; all when empty."""

    @property
    def steps(self) -> Collection[int]:
        """Numbers, from 0, of the diffusion steps that count; all when empty."""


class Attributions(Protocol):
    """Has the attributions of a batch after its generation."""

    def attributions(self, height: int, width: int) -> list[torch.Tensor]:
        """Return each image's attributions, (N, height, width) float32 in main memory, N its number of nouns."""


@dataclass(frozen=True)
class Located:
    """Where the nouns of a caption are among its tokens.

    Attributes:
        columns: of the nouns.
        length: number of text tokens, padding left out.
    """

    columns: TokenColumns
    length: int


class ObservedUNet:
    """Stable Diffusion 1.x, 2.x or XL."""

    def __init__(self, pipeline: Any, attribution: AttributionSettings) -> None:  # noqa: ANN401
        """Take a pipeline.

        Raises:
            InputError: its U-Net cannot be observed, or not in the way that is asked for.
        """
        cross_attention_layers(pipeline.unet)
        if attribution.method != "attention" or attribution.blocks or attribution.steps:
            raise InputError(
                "of a U-Net, nouns are located by all its cross-attention: leave attribution out of the pack's "
                "parameters"
            )
        if isinstance(pipeline, StableDiffusionXLPipeline):
            pipeline.watermark = None  # put on only where another package is installed: images would differ
        self._pipeline = pipeline
        # an XL pipeline gives the caption to both its encoders and joins their embeddings token by token
        tokenizers = [pipeline.tokenizer, getattr(pipeline, "tokenizer_2", None)]
        self._tokenizers = [tokenizer for tokenizer in tokenizers if tokenizer is not None]
        self.multiple = max(_PIPELINE_MULTIPLE, int(pipeline.vae_scale_factor))
        self.smallest_side = _LATENT_TRIED * int(pipeline.vae_scale_factor)
        self.denoiser: torch.nn.Module = pipeline.unet
        self.noise_dtype: torch.dtype = pipeline.unet.dtype

    def check_size(self, height: int, width: int) -> None:
        """Refuse a size of images that the pipeline would draw in another one: there is none."""

    def _latent_size(self, height: int, width: int) -> tuple[int, int]:
        factor = int(self._pipeline.vae_scale_factor)
        return height // factor, width // factor

    def noise_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return the shape of one image's noise, of an image's size in pixels."""
        return (int(self._pipeline.unet.config.in_channels), *self._latent_size(height, width))

    def arguments(self, guidance_scale: float) -> dict[str, Any]:
        """Return what the pipeline is called with beside prompts, size, steps and noise."""
        return {"guidance_scale": guidance_scale}

    def locate(self, caption: Caption, nouns: Sequence[Noun]) -> Located:
        """Find the nouns of a caption (raises InputError when its tokenizers cannot locate them)."""
        return Located(
            find_shared_token_columns(self._tokenizers, caption, nouns), self._tokenizers[0].model_max_length
        )

    @contextmanager
    def observing(
        self, located: Sequence[Located], height: int, width: int, guidance_scale: float
    ) -> Iterator[Attributions]:
        """Observe the generation of one batch of images."""
        del guidance_scale  # the halves of a batch show it
        columns = [found.columns for found in located]
        recorder = AttentionRecorder(columns, self._tokenizers[0].model_max_length, self._latent_size(height, width))
        with recording(self._pipeline.unet, recorder):
            yield recorder


class ObservedTransformer:
    """A pipeline of one of the families of transformers."""

    def __init__(self, pipeline: Any, family: Family, attribution: AttributionSettings, steps: int) -> None:  # noqa: ANN401
        """Take a pipeline.

        Args:
            pipeline: of the family.
            family: describes it.
            attribution: which blocks and steps count.
            steps: diffusion steps that will be made.

        Raises:
            InputError: its transformer cannot be observed, or not in the way that is asked for.
        """
        by_concepts = attribution.method == "concept"
        if by_concepts and family.concepts is None:
            known = " and ".join(other.name for other in FAMILIES if other.concepts is not None)
            raise InputError(f"attribution by concepts is known for {known}, not for {family.name}; use attention")
        layers = attention_layers(family, pipeline.transformer)
        if by_concepts:  # single blocks have no stream for them
            layers = layers[: len(pipeline.transformer.transformer_blocks)]
        for what, numbers, there in (
            ("blocks", attribution.blocks, len(layers)),
            ("steps", attribution.steps, steps),
        ):
            if any(not 0 <= number < there for number in numbers):
                raise InputError(
                    f"the pack's attribution counts {what} {', '.join(map(str, sorted(numbers)))}, "
                    f"but the generator has {there}, numbered from 0"
                )
        self._pipeline = pipeline
        self._family = family
        self._blocks = sorted(set(attribution.blocks)) or list(range(len(layers)))
        # a concept goes through all blocks before those that count
        self._layers = layers[: self._blocks[-1] + 1] if by_concepts else [layers[number] for number in self._blocks]
        self._by_concepts = by_concepts
        self._steps = frozenset(attribution.steps)
        self._side = family.token_side(pipeline)
        self.multiple = math.lcm(self._side, family.multiple)
        self.smallest_side = _TOKENS_TRIED * self.multiple
        if family.drawn_size is not None:  # what it draws has one area
            self.smallest_side = min(family.drawn_size(pipeline, self.multiple, self.multiple))
        self.denoiser: torch.nn.Module = pipeline.transformer
        self.noise_dtype: torch.dtype = family.latents_in or pipeline.transformer.dtype

    def check_size(self, height: int, width: int) -> None:
        """Refuse a size of images that the pipeline would draw in another one (raises InputError)."""
        if self._family.drawn_size is None:
            return
        drawn = self._family.drawn_size(self._pipeline, height, width)
        if drawn != (height, width):
            raise InputError(
                f"{self._family.name} draws {drawn[1]} x {drawn[0]} pixels where {width} x {height} are asked for: "
                "use that size in the pack"
            )

    def _grid(self, height: int, width: int) -> tuple[int, int]:
        return height // self._side, width // self._side

    def noise_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return the shape of one image's noise, of an image's size in pixels."""
        return self._family.noise_shape(self._pipeline, self._grid(height, width))

    def arguments(self, guidance_scale: float) -> dict[str, Any]:
        """Return what the pipeline is called with beside prompts, size, steps and noise."""
        return self._family.arguments(self._pipeline, guidance_scale)

    def locate(self, caption: Caption, nouns: Sequence[Noun]) -> Located:
        """Find the nouns of a caption (raises InputError when its tokenizers cannot locate them)."""
        layout = self._family.layout(self._pipeline, caption.text)
        return Located(find_columns(layout, nouns), layout.length)

    @contextmanager
    def observing(
        self, located: Sequence[Located], height: int, width: int, guidance_scale: float
    ) -> Iterator[Attributions]:
        """Observe the generation of one batch of images."""
        guidance = self._family.guidance(self._pipeline, guidance_scale)
        passes = 2 if guidance is Guidance.FIRST_PASS else 1
        recorder = self._recorder(located, self._grid(height, width), guidance)
        listening = recorder.listening() if isinstance(recorder, ConceptRecorder) else nullcontext()
        with listening, observing(self._pipeline.transformer, self._layers, recorder, passes, self._steps):
            yield recorder

    def _recorder(
        self, located: Sequence[Located], grid: tuple[int, int], guidance: Guidance
    ) -> TokenAttentionRecorder | ConceptRecorder:
        family, columns = self._family, [found.columns for found in located]
        if self._by_concepts and family.concepts is not None:
            return ConceptRecorder(
                self._pipeline.transformer,
                embed_concepts(self._pipeline, family.concepts, family.layout, columns),
                grid,
                family.arrangement,
                self._blocks,
                pooled=family.concepts.pooled,
            )
        return TokenAttentionRecorder(
            columns,
            [found.length for found in located],
            grid,
            family.arrangement,
            first_half=guidance is Guidance.FIRST_HALF,
        )


ObservedPipeline = ObservedUNet | ObservedTransformer


def observed_pipeline(pipeline: DiffusionPipeline, attribution: AttributionSettings, steps: int) -> ObservedPipeline:
    """Find the way in which a pipeline is observed.

    Args:
        pipeline: on its device and in its precision.
        attribution: which attention counts.
        steps: diffusion steps that will be made.

    Raises:
        InputError: where nouns are in what it draws is not known, or its attention cannot be observed.
    """
    family = find_family(pipeline)
    if family is not None:
        return ObservedTransformer(pipeline, family, attribution, steps)
    unet = getattr(pipeline, "unet", None)
    if not isinstance(pipeline, (StableDiffusionPipeline, StableDiffusionXLPipeline)) or not isinstance(
        unet, UNet2DConditionModel
    ):
        denoiser = unet if unet is not None else getattr(pipeline, "transformer", None)
        part = "" if denoiser is None else f" with a {type(denoiser).__name__}"
        raise InputError(f"the generator is a {type(pipeline).__name__}{part}, where nouns cannot be located; {KNOWN}")
    return ObservedUNet(pipeline, attribution)
