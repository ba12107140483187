"""The families of diffusion transformers whose nouns can be located, one description each.

What is said here was read in diffusers' processors and pipelines; a pipeline that is not listed, or attention that
another processor computes, is refused, because maps of the wrong tokens would go unnoticed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

from freeda_svc.diffusion import text_layouts
from freeda_svc.diffusion.columns import TextLayout
from freeda_svc.diffusion.concepts import Concepts
from freeda_svc.diffusion.token_attention import Arrangement, Placement
from freeda_svc.errors import InputError


class Guidance(Enum):
    """Where the conditional part of a step is."""

    NONE = "there is no other part"
    FIRST_HALF = "the first half of one batch"
    SECOND_HALF = "the second half of one batch"
    FIRST_PASS = "the first of two passes"  # noqa: S105  (no password)


@dataclass(frozen=True)
class Family:
    """What must be known of a kind of pipeline to locate nouns in its transformer.

    Attributes:
        name: for people.
        pipeline: name of its class in diffusers.
        processors: names of diffusers' classes that may compute the attention that is observed.
        attentions: returns the modules with attention from image to text, in the order of the blocks.
        arrangement: how image and text are ordered in the sequence.
        layout: says what a caption's text columns are.
        guidance: returns where the conditional part is with a guidance scale.
        arguments: what the pipeline is called with, beside prompts, size, steps and noise.
        patch: side of an image token in latent pixels; None where the transformer's configuration says it.
        packed: whether latents are given as a sequence of tokens.
        latents_in: the precision that given latents must have; None for the transformer's.
        multiple: of both sides of an image in pixels, which the pipeline asks for beside whole tokens.
        concepts: how nouns become concepts of their own; None where that method is not known.
        drawn_size: returns the height and width that the pipeline rounds given ones to; None where they stay.
    """

    name: str
    pipeline: str
    processors: frozenset[str]
    attentions: Callable[[Any], list[torch.nn.Module]]
    arrangement: Arrangement
    layout: Callable[[Any, str], TextLayout]
    guidance: Callable[[Any, float], Guidance]
    arguments: Callable[[Any, float], dict[str, Any]]
    patch: int | None = None
    packed: bool = False
    latents_in: torch.dtype | None = None
    multiple: int = 1
    concepts: Concepts | None = None
    drawn_size: Callable[[Any, int, int], tuple[int, int]] | None = None

    def token_side(self, pipeline: Any) -> int:  # noqa: ANN401
        """Return the side of an image token, pixels."""
        return int(pipeline.vae_scale_factor) * (self.patch or int(pipeline.transformer.config.patch_size))

    def noise_shape(self, pipeline: Any, grid: tuple[int, int]) -> tuple[int, ...]:  # noqa: ANN401
        """Return the shape of one image's noise without the batch's dimension.

        Args:
            pipeline: of this family.
            grid: rows and columns of image tokens.
        """
        channels = int(pipeline.transformer.config.in_channels)
        if self.packed:
            return (grid[0] * grid[1], channels)
        side = 1 if self.pipeline.startswith("Flux2") else self.token_side(pipeline) // int(pipeline.vae_scale_factor)
        return (channels, grid[0] * side, grid[1] * side)


def _separate(keys: int, image: int, text: int) -> Placement:  # noqa: ARG001  (as all arrangements)
    return Placement(image=0, text=0)


def _image_first(keys: int, image: int, text: int) -> Placement:  # noqa: ARG001
    return Placement(image=0, text=image)


def _text_first(keys: int, image: int, text: int) -> Placement:  # noqa: ARG001
    return Placement(image=keys - image, text=0)


def _image_padded_first(keys: int, image: int, text: int) -> Placement:  # noqa: ARG001
    from diffusers.models.transformers.transformer_z_image import SEQ_MULTI_OF  # noqa: PLC0415  (only where it is used)

    return Placement(image=0, text=image + -image % SEQ_MULTI_OF)


def _own_text_first(keys: int, image: int, text: int) -> Placement:  # noqa: ARG001
    return Placement(image=text, text=0)


def _text_last(keys: int, image: int, text: int) -> Placement:  # noqa: ARG001
    return Placement(image=0, text=keys - text)


def _cross_attention(transformer: Any) -> list[torch.nn.Module]:  # noqa: ANN401
    return [block.attn2 for block in transformer.transformer_blocks]


def _joint_attention(transformer: Any) -> list[torch.nn.Module]:  # noqa: ANN401
    return [block.attn for block in transformer.transformer_blocks]


def _double_and_single(transformer: Any) -> list[torch.nn.Module]:  # noqa: ANN401
    return [block.attn for block in (*transformer.transformer_blocks, *transformer.single_transformer_blocks)]


def _second_half(pipeline: Any, scale: float) -> Guidance:  # noqa: ANN401, ARG001
    return Guidance.SECOND_HALF if scale > 1 else Guidance.NONE


def _first_pass(pipeline: Any, scale: float) -> Guidance:  # noqa: ANN401, ARG001
    return Guidance.FIRST_PASS if scale > 1 else Guidance.NONE


def _first_pass_unless_embedded(pipeline: Any, scale: float) -> Guidance:  # noqa: ANN401
    return Guidance.FIRST_PASS if scale > 1 and not pipeline.transformer.config.guidance_embeds else Guidance.NONE


def _embedded_or_two_passes(pipeline: Any, scale: float) -> dict[str, Any]:  # noqa: ANN401
    """Return FLUX.1's or Qwen-Image's arguments: a scale that is embedded, or guidance proper by a second pass."""
    if pipeline.transformer.config.guidance_embeds:
        return {"guidance_scale": scale}
    return {"true_cfg_scale": scale, "negative_prompt": " "} if scale > 1 else {"true_cfg_scale": 1.0}


def _scale(pipeline: Any, scale: float) -> dict[str, Any]:  # noqa: ANN401, ARG001
    return {"guidance_scale": scale}


def _of_one_area(pipeline: Any, height: int, width: int) -> tuple[int, int]:  # noqa: ANN401
    """Return the size that HiDream's pipeline draws: of always about the same area."""
    multiple = int(pipeline.vae_scale_factor) * 2
    scale = math.sqrt((pipeline.default_sample_size * pipeline.vae_scale_factor) ** 2 / (width * height))
    return int(height * scale // multiple * multiple), int(width * scale // multiple * multiple)


def _embeddings_of_flux(pipeline: Any, texts: list[str]) -> torch.Tensor:  # noqa: ANN401
    embeddings: torch.Tensor = pipeline.encode_prompt(prompt=texts, prompt_2=None)[0]
    return embeddings


def _embeddings_of_sd3(pipeline: Any, texts: list[str]) -> torch.Tensor:  # noqa: ANN401
    embeddings: torch.Tensor = pipeline.encode_prompt(
        prompt=texts, prompt_2=None, prompt_3=None, do_classifier_free_guidance=False
    )[0]
    return embeddings


FAMILIES = (
    Family(
        name="PixArt-Sigma",
        pipeline="PixArtSigmaPipeline",
        processors=frozenset({"AttnProcessor2_0"}),
        attentions=_cross_attention,
        arrangement=_separate,
        layout=text_layouts.pixart,
        guidance=_second_half,
        arguments=lambda _, scale: {
            "guidance_scale": scale,
            "clean_caption": False,  # it depends on packages that may be there or not
            "use_resolution_binning": False,
        },
        multiple=8,
    ),
    Family(
        name="Sana",
        pipeline="SanaPipeline",
        processors=frozenset({"SanaAttnProcessor2_0"}),
        attentions=_cross_attention,
        arrangement=_separate,
        layout=text_layouts.sana,
        guidance=_second_half,
        arguments=lambda pipeline, scale: {
            "guidance_scale": scale,
            "complex_human_instruction": text_layouts.sana_instruction(pipeline),
            "use_resolution_binning": False,
        },
        latents_in=torch.float32,
        multiple=32,
    ),
    Family(
        name="SD 3",
        pipeline="StableDiffusion3Pipeline",
        processors=frozenset({"JointAttnProcessor2_0"}),
        attentions=_joint_attention,
        arrangement=_image_first,
        layout=text_layouts.stable_diffusion_3,
        guidance=_second_half,
        arguments=_scale,
        concepts=Concepts(_embeddings_of_sd3, columns_of_all=False, pooled=True),
    ),
    Family(
        name="FLUX.1",
        pipeline="FluxPipeline",
        processors=frozenset({"FluxAttnProcessor"}),
        attentions=_double_and_single,
        arrangement=_text_first,
        layout=text_layouts.flux,
        guidance=_first_pass_unless_embedded,
        arguments=_embedded_or_two_passes,
        patch=2,
        packed=True,
        concepts=Concepts(_embeddings_of_flux, columns_of_all=True, pooled=False),
    ),
    Family(
        name="FLUX.2",
        pipeline="Flux2Pipeline",
        processors=frozenset({"Flux2AttnProcessor", "Flux2ParallelSelfAttnProcessor"}),
        attentions=_double_and_single,
        arrangement=_text_first,
        layout=text_layouts.flux_2,
        guidance=lambda *_: Guidance.NONE,  # it is embedded
        arguments=_scale,
        patch=2,
    ),
    Family(
        name="FLUX.2 klein",
        pipeline="Flux2KleinPipeline",
        processors=frozenset({"Flux2AttnProcessor", "Flux2ParallelSelfAttnProcessor"}),
        attentions=_double_and_single,
        arrangement=_text_first,
        layout=text_layouts.flux_2_klein,
        guidance=lambda pipeline, scale: (
            Guidance.FIRST_PASS if scale > 1 and not pipeline.config.is_distilled else Guidance.NONE
        ),
        arguments=_scale,
        patch=2,
    ),
    Family(
        name="Qwen-Image",
        pipeline="QwenImagePipeline",
        processors=frozenset({"QwenDoubleStreamAttnProcessor2_0"}),
        attentions=_joint_attention,
        arrangement=_text_first,
        layout=text_layouts.qwen_image,
        guidance=_first_pass_unless_embedded,
        arguments=_embedded_or_two_passes,
        patch=2,
        packed=True,
    ),
    Family(
        name="Z-Image",
        pipeline="ZImagePipeline",
        processors=frozenset({"ZSingleStreamAttnProcessor"}),
        attentions=lambda transformer: [layer.attention for layer in transformer.layers],
        arrangement=_image_padded_first,
        layout=text_layouts.z_image,
        guidance=lambda _, scale: Guidance.FIRST_HALF if scale > 0 else Guidance.NONE,
        arguments=_scale,
        patch=2,
        latents_in=torch.float32,
    ),
    Family(
        name="Lumina 2",
        pipeline="Lumina2Pipeline",
        processors=frozenset({"Lumina2AttnProcessor2_0"}),
        attentions=lambda transformer: [layer.attn for layer in transformer.layers],
        arrangement=_own_text_first,
        layout=text_layouts.lumina_2,
        guidance=_first_pass,
        arguments=_scale,
    ),
    Family(
        name="Krea 2",
        pipeline="Krea2Pipeline",
        processors=frozenset({"Krea2AttnProcessor"}),
        attentions=_joint_attention,
        arrangement=_text_first,
        layout=text_layouts.krea_2,
        guidance=lambda _, scale: Guidance.FIRST_PASS if scale > 0 else Guidance.NONE,
        arguments=_scale,
        patch=2,
        packed=True,
    ),
    Family(
        name="HiDream-I1",
        pipeline="HiDreamImagePipeline",
        processors=frozenset({"HiDreamAttnProcessor"}),
        attentions=lambda transformer: [
            block.block.attn1 for block in (*transformer.double_stream_blocks, *transformer.single_stream_blocks)
        ],
        arrangement=_text_last,
        layout=text_layouts.hidream,
        guidance=_second_half,
        arguments=_scale,
        drawn_size=_of_one_area,
    ),
)

_BY_NAME = {family.pipeline: family for family in FAMILIES}


def find_family(pipeline: Any) -> Family | None:  # noqa: ANN401
    """Return the family of a pipeline; None for one whose transformer is not known. Subclasses may do otherwise."""
    family = _BY_NAME.get(type(pipeline).__name__)
    return family if family is not None and _is_of_diffusers(pipeline) else None


def _is_of_diffusers(thing: object) -> bool:
    return type(thing).__module__.startswith("diffusers.")


def attention_layers(family: Family, transformer: Any) -> list[torch.nn.Module]:  # noqa: ANN401
    """Return the modules with attention from image to text, block by block.

    Raises:
        InputError: another processor than the family's computes their attention.
    """
    layers = family.attentions(transformer)
    processors: list[Any] = [layer.processor for layer in layers]
    others = {
        type(item).__name__
        for item in processors
        if type(item).__name__ not in family.processors or not _is_of_diffusers(item)
    }
    if others:
        raise InputError(
            f"the generator's attention is computed by {', '.join(sorted(others))}, which cannot be observed; "
            "load it without adapters"
        )
    return layers
