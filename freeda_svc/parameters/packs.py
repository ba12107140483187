"""The tables of a ``pack.toml`` and of a recipe: what a pack's models are and all its numbers."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from freeda_svc.input_files import is_below
from freeda_svc.parameters.choices import Activation, AttributionMethod, CommercialUse
from freeda_svc.parameters.model import Model
from freeda_svc.parameters.segmentation import SegmentationParameters
from freeda_svc.parameters.sentences import EXPECTED, UNIT, about_field

PARTS = ("generator", "backbone", "image_text")
"""The three models of a pack, each in a folder of its name."""
MASK_GENERATOR = "mask_generator"
"""The model that a pack may have beside them, which finds masks as regions."""
FETCHED_ENDINGS = (".safetensors", ".json", ".txt", ".model", ".jinja")
"""Weights come as safetensors only: what else holds weights can hold a program. A chat template (jinja) is a text that
transformers fills in a sandbox."""

_PIXELS: dict[str, Any] = {UNIT: "pixels"}
_GIGABYTES: dict[str, Any] = {UNIT: "gigabytes"}
_SHA256 = re.compile(r"[0-9a-f]{64}")

FromZero = Annotated[int, Field(ge=0)]


class AttributionParameters(Model):
    """How nouns are located in what a transformer generates; U-Nets know one way only."""

    method: AttributionMethod = Field(
        default="attention",
        description=(
            "attention, eq. 1: how much the image attends to a noun's tokens; concept, ConceptAttention: how alike the "
            "attention outputs of the image and of the noun as a concept of its own are."
        ),
    )
    blocks: tuple[FromZero, ...] = Field(
        default=(), strict=False, description="Numbers, from 0, of the transformer blocks that count; all when empty."
    )
    steps: tuple[FromZero, ...] = Field(
        default=(), strict=False, description="Numbers, from 0, of the diffusion steps that count; all when empty."
    )


class GenerationParameters(Model):
    """Text to image."""

    steps: int = Field(ge=1, description="Diffusion steps.")
    guidance_scale: float = Field(
        ge=0,
        description=(
            "Classifier-free guidance; none at 1 and below, but for Z-Image and Krea 2, whose pipelines count from 0. "
            "Models distilled with guidance get the number itself."
        ),
    )
    height: int = Field(ge=1, json_schema_extra=_PIXELS, description="Height of a generated image.")
    width: int = Field(ge=1, json_schema_extra=_PIXELS, description="Width of a generated image.")
    batch_size: int = Field(ge=1, description="Captions generated at once.")
    attribution: AttributionParameters = Field(default=AttributionParameters(), description="How nouns are located.")


class PrototypeParameters(Model):
    """Attribution to prototypes and keys."""

    gamma: float = Field(ge=0, le=1, description="Threshold of the weak mask, after the sigmoid (0.45 in the paper).")
    alpha: float = Field(ge=0, le=1, description="Share of the noun embedding in a key, eq. 3 (0.9 in the paper).")


class PackParameters(Model):
    """All numbers of a pack."""

    backbone_size: int = Field(
        ge=1,
        json_schema_extra=_PIXELS,
        description="Windows and generated images are squashed to this side for the dense backbone.",
    )
    image_text_size: int = Field(ge=1, json_schema_extra=_PIXELS, description="The same for the image-text model.")
    generation: GenerationParameters = Field(description="Text to image.")
    prototypes: PrototypeParameters = Field(description="Attribution to prototypes and keys.")
    segmentation: SegmentationParameters = Field(description="Image to mask.")


class _OneModel(Model):
    """What is stated about a model of a pack wherever it is described."""

    description: str = Field(description="What it is.")
    licence: str = Field(description="The terms under which it may be used.")
    commercial_use: CommercialUse = Field(default="", description="What its licence says of commercial use.")


class Source(_OneModel):
    """Where a model of a pack comes from."""

    origin: str = Field(description="Where it was taken from, with its revision.")
    repository: str = Field(
        default="", description="owner/name on the model hub; empty when it did not come from there."
    )
    revision: str = Field(default="", description="The commit it was fetched at.")
    activation: Activation = Field(
        default="", description="Of an image-text model's text encoder; empty when not stated."
    )


class HubSource(_OneModel):
    """Where a model of a pack is fetched from."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$",
        json_schema_extra={EXPECTED: "owner/name on the model hub"},
        description="owner/name on the model hub.",
    )
    files: tuple[str, ...] = Field(
        strict=False,
        min_length=1,
        description="Paths in the repository; they keep their places below the model's folder.",
    )
    revision: str = Field(default="", description="Branch, tag or commit; the repository's main branch when empty.")
    megabytes: int = Field(
        default=0,
        ge=0,
        json_schema_extra={UNIT: "megabytes"},
        description="About how much is fetched; 0 when not known.",
    )
    activation: Activation = Field(
        default="",
        description="Of an image-text model's text encoder; a model that computes with another one is refused.",
    )

    @field_validator("files")
    @classmethod
    def _fetchable(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        for name in files:
            if files.count(name) > 1:
                raise about_field(f"lists {name!r} twice; list each file once")
            if not is_below(name) or any(place.startswith(".") for place in PurePosixPath(name).parts):
                raise about_field(
                    f"holds {name!r}, but must hold paths in the repository, without '..' and hidden folders"
                )
            if PurePosixPath(name).suffix not in FETCHED_ENDINGS:
                raise about_field(
                    f"holds {name!r}, which is not fetched: weights come as .safetensors only, what describes "
                    f"them as {', '.join(FETCHED_ENDINGS[1:])}"
                )
        return files


class _Parts(Model):
    """Something about each model of a pack."""

    @property
    def by_part(self) -> dict[str, Any]:
        """What is said, by the folders of the models; without those that the pack does not have."""
        found = {part: getattr(self, part) for part in (*PARTS, MASK_GENERATOR)}
        return {part: source for part, source in found.items() if source is not None}


class Sources(_Parts):
    """What the models of a pack are."""

    generator: Source = Field(description="Text to image.")
    backbone: Source = Field(description="Image to dense features.")
    image_text: Source = Field(description="Image and text to one space.")
    mask_generator: Source | None = Field(default=None, description="Image to masks, where the pack finds any.")


class HubSources(_Parts):
    """Where the models of a pack are fetched from."""

    generator: HubSource = Field(description="Text to image.")
    backbone: HubSource = Field(description="Image to dense features.")
    image_text: HubSource = Field(description="Image and text to one space.")
    mask_generator: HubSource | None = Field(default=None, description="Image to masks, where the pack finds any.")


class GpuMemory(Model):
    """Memory of a GPU that a pack needs with its batch sizes, estimated."""

    generating: int = Field(
        default=0,
        ge=0,
        json_schema_extra=_GIGABYTES,
        description="To make prototypes: all three models, the generator in half precision; 0 when not known.",
    )
    segmenting: int = Field(
        default=0,
        ge=0,
        json_schema_extra=_GIGABYTES,
        description="Backbone and image-text model alone, in full precision; 0 when not known.",
    )


NOT_ESTIMATED = GpuMemory()


def _check_sha256(files: dict[str, str]) -> dict[str, str]:
    for name, checksum in files.items():
        if not is_below(name) or PurePosixPath(name).parts[0] not in (*PARTS, MASK_GENERATOR):
            folders = ", ".join((*PARTS, MASK_GENERATOR))
            raise about_field(f"holds {name!r}, but every file must lie in one of the folders {folders}")
        if not _SHA256.fullmatch(checksum):
            raise about_field(f"holds for {name!r} no sha256 of 64 lower-case hexadecimal digits")
    for part in PARTS:
        if not any(name.startswith(f"{part}/") for name in files):
            raise about_field(f"lists no file of {part}/")
    return files


def _check_masks(parameters: PackParameters, *, stated: bool) -> None:
    if parameters.segmentation.regions.way == "masks" and not stated:
        raise ValueError(
            f"parameters.segmentation.regions.way is 'masks', but the pack has no {MASK_GENERATOR}; name one in "
            f"sources.{MASK_GENERATOR}, or leave the way at superpixels"
        )


class PackFile(Model):
    """A ``pack.toml``."""

    name: str = Field(description="What the pack is called.")
    version: str = Field(description="Of the pack.")
    description: str = Field(description="One line for a person.")
    nouns: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        min_length=1,
        description="The nouns its models were trained on; left out where they know the open world.",
    )
    parameters: PackParameters = Field(description="All its numbers.")
    sources: Sources = Field(description="What its models are.")
    files: Annotated[dict[str, str], AfterValidator(_check_sha256)] = Field(
        description="The sha256, hexadecimal, of every file by its path below the pack's folder."
    )

    @model_validator(mode="after")
    def _masks_have_a_generator(self) -> Self:
        _check_masks(self.parameters, stated=self.sources.mask_generator is not None)
        has_files = any(name.startswith(f"{MASK_GENERATOR}/") for name in self.files)
        if has_files != (self.sources.mask_generator is not None):
            lacking = f"no table sources.{MASK_GENERATOR}" if has_files else f"no file of {MASK_GENERATOR}/"
            raise ValueError(f"the pack has a mask generator, but lists {lacking}; copy or fetch the pack again")
        return self


class RecipeFile(Model):
    """A recipe: a TOML file from which a pack is fetched."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        json_schema_extra={EXPECTED: "letters, digits, '.', '_' and '-', beginning with a letter or digit"},
        description="What the pack is called; it is fetched into a folder of this name.",
    )
    version: str = Field(description="Of the pack.")
    description: str = Field(description="One line for a person.")
    paper: bool = Field(default=False, description="Whether its models are those of the paper.")
    gpu_gigabytes: GpuMemory = Field(default=NOT_ESTIMATED, description="Memory of a GPU that it needs, estimated.")
    parameters: PackParameters = Field(description="All its numbers.")
    sources: HubSources = Field(description="Where its models are fetched from.")

    @model_validator(mode="after")
    def _masks_have_a_generator(self) -> Self:
        _check_masks(self.parameters, stated=self.sources.mask_generator is not None)
        return self
