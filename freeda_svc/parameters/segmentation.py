"""How an image becomes a mask, categories or pieces: parameters with range, default, unit and description."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from freeda_svc.parameters.choices import (
    Aggregation,
    LocalSimilarity,
    Origin,
    OverlapWay,
    RefinementWay,
    RegionWay,
    SuperpixelAlgorithm,
    SynonymWay,
    UnknownWay,
    WindowWay,
)
from freeda_svc.parameters.model import Model
from freeda_svc.parameters.sentences import EXPECTED, UNIT, out_of_range, unusable

LARGEST_SIDE = 16_384
"""Longest side to which an image is scaled, pixels; one window of such a square has 268 million pixels."""
_LARGE = 10**9

_PIXELS: dict[str, Any] = {UNIT: "pixels"}
_COLOUR: dict[str, Any] = {EXPECTED: "a colour such as white or #ff8000, or empty"}
_CHANNELS = 3


def _check_colour(colour: str) -> str:
    """Return the name or code of an opaque colour as it is; an empty one means none."""
    if not colour:
        return colour
    from PIL import ImageColor  # noqa: PLC0415 - most parameters are read without a colour

    try:
        channels = len(ImageColor.getrgb(colour))
    except ValueError as error:
        raise unusable() from error
    if channels != _CHANNELS:
        raise unusable()
    return colour


Threshold = Annotated[float, Field(ge=-1, le=1)]
Dilation = Annotated[int, Field(ge=1, le=512)]
Colour = Annotated[str, AfterValidator(_check_colour), Field(json_schema_extra=_COLOUR)]


class SuperpixelParameters(Model):
    """How a window is cut into regions.

    The numbers after ``min_size`` have defaults that give about as many regions as Felzenszwalb's algorithm: 400 to
    800 in a window of 448 x 448 pixels of a photo.
    """

    algorithm: SuperpixelAlgorithm = Field(
        description="How windows are cut into regions; none scores every pixel by the dense similarity."
    )
    scale: float = Field(
        gt=0, le=_LARGE, description="Felzenszwalb: how much contrast separates regions; larger gives larger regions."
    )
    sigma: float = Field(
        ge=0,
        le=100,
        json_schema_extra=_PIXELS,
        description="Felzenszwalb, SLIC, quickshift: standard deviation of the Gaussian that smooths first.",
    )
    min_size: int = Field(
        ge=0,
        le=_LARGE,
        json_schema_extra=_PIXELS,
        description="Felzenszwalb: smaller regions are joined to a neighbour.",
    )
    region_size: int = Field(
        default=350,
        ge=1,
        le=_LARGE,
        json_schema_extra=_PIXELS,
        description="SLIC, watershed, SEEDS: mean size of a region.",
    )
    slic_compactness: float = Field(
        default=10.0,
        gt=0,
        le=_LARGE,
        description="SLIC: weight of distance against colour; larger gives squarer regions.",
    )
    watershed_compactness: float = Field(
        default=1e-5, ge=0, le=_LARGE, description="Watershed: weight of distance; 0 lets the gradient alone decide."
    )
    seeds_levels: int = Field(
        default=3, ge=1, le=10, description="SEEDS: how many times a block is halved, down to the smallest that moves."
    )
    seeds_prior: int = Field(default=1, ge=0, le=5, description="SEEDS: weight of smooth outlines.")
    seeds_bins: int = Field(default=5, ge=1, le=12, description="SEEDS: bins of the colour histogram along each axis.")
    seeds_iterations: int = Field(default=10, ge=1, le=1_000, description="SEEDS: sweeps over the image on each level.")
    quickshift_ratio: float = Field(
        default=1.0, ge=0, le=1, description="Quickshift: weight of colour against distance."
    )
    quickshift_kernel_size: float = Field(
        default=3.0,
        ge=1,
        le=20,
        json_schema_extra=_PIXELS,
        description="Quickshift: standard deviation of the density's Gaussian; time grows with its square.",
    )
    quickshift_max_distance: float = Field(
        default=10.0,
        gt=0,
        le=_LARGE,
        description="Quickshift: points farther apart are not linked; larger gives larger regions.",
    )


class RegionParameters(Model):
    """What the regions of an image are; regions that a caller gives count in either way."""

    way: RegionWay = Field(
        default="superpixels",
        description=(
            "What the regions are: superpixels, or masks that the pack's mask generator (SAM 2, SAM 3) finds, with "
            "superpixels where no mask is."
        ),
    )
    points_per_side: int = Field(
        default=32,
        ge=1,
        le=256,
        description="Masks: the generator is asked for the masks at a grid of so many points a side.",
    )
    iou_threshold: float = Field(
        default=0.88,
        ge=0,
        le=1,
        description="Masks: quality (IoU), predicted by the generator, that a mask must exceed; 0 for any.",
    )
    stability_threshold: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="Masks: IoU of a mask cut off higher and lower, by 1, that it must exceed; 0 for any.",
    )
    duplicate_threshold: float = Field(
        default=0.7, ge=0, le=1, description="Masks: of two whose boxes have a higher IoU, the better one is kept."
    )
    least_area: float = Field(
        default=0.0, ge=0, le=1, description="Masks: smaller ones are left out, as a share of the image."
    )
    overlaps: OverlapWay = Field(
        default="refuse",
        description=(
            "Masks that a caller gives and that overlap: refuse them, or let the smallest one have a pixel (smallest)."
        ),
    )


class UnknownParameters(Model):
    """When a pixel belongs to none of the categories. The local similarity is what enters eq. 5."""

    way: UnknownWay = Field(
        default="none",
        description=(
            "When a pixel belongs to no category. none: never. channel: when its best score is not above the "
            "threshold. local_before: when the local similarity of no category reaches it. local_after: when that of "
            "the category with the best score does not."
        ),
    )
    threshold: Threshold = Field(
        default=0.4,
        description=(
            "The threshold for unknown pixels. Summaries show the scores; with the sigmoid as local similarity, a "
            "cosine of 0 counts 0.5, so that lower thresholds do little."
        ),
    )
    local_threshold: Threshold = Field(
        default=0.4, description="The threshold of local_before and local_after, whose range differs from final scores."
    )

    @property
    def limit(self) -> float:
        """The threshold of the way."""
        return self.threshold if self.way in {"none", "channel"} else self.local_threshold


class ProposalParameters(Model):
    """Which categories are proposed for an image."""

    least_area: float = Field(
        default=0.01, ge=0, lt=1, description="Share of the image that a noun must win to be proposed."
    )
    most: int = Field(default=20, ge=1, description="At most so many are proposed, those with the largest area.")
    votes: int = Field(default=5, ge=1, description="Each region votes for so many of its nearest nouns.")
    shortlist: int = Field(
        default=48, ge=1, description="So many nouns with the most votes are scored with the image-text model."
    )
    text_cosine: float = Field(
        default=0.9,
        ge=-1,
        le=1,
        description="Nouns are near-synonyms when their text embeddings have at least this cosine, and visual_cosine.",
    )
    visual_cosine: float = Field(
        default=0.9, ge=-1, le=1, description="The same of the means of their prototypes; both are needed."
    )
    temperature: float = Field(
        default=0.02,
        gt=0,
        description="Temperature of the softmax for a proposal's confidence, in units of the score.",
    )


class PieceParameters(Model):
    """How a mask is cut into connected pieces, for annotations."""

    instances: bool = Field(
        default=False,
        description="An annotation for each connected piece of a category, as yolo and voc always have them.",
    )
    least_area: int = Field(default=1, ge=1, json_schema_extra=_PIXELS, description="Leave smaller pieces out.")
    fill_holes: bool = Field(default=False, description="A piece also covers whatever it surrounds.")

    @property
    def changes_masks(self) -> bool:
        """Whether the pieces together are something else than the mask."""
        return self.least_area > 1 or self.fill_holes


class RefinementParameters(Model):
    """How the final scores of a window are refined along the edges of the image."""

    way: RefinementWay = Field(
        default="none",
        description="Whether scores are refined along edges: pamr, pixel-adaptive mask refinement, or none.",
    )
    iterations: int = Field(
        default=10, ge=1, le=1_000, description="PAMR: how many times scores are averaged over neighbours."
    )
    dilations: tuple[Dilation, ...] = Field(
        default=(1, 2, 4, 8, 12, 24),
        strict=False,
        min_length=1,
        max_length=16,
        json_schema_extra=_PIXELS,
        description="PAMR: distances to the neighbours.",
    )


class SegmentationParameters(Model):
    """Image to mask."""

    k: int = Field(ge=1, description="Prototypes retrieved for a category (350 in the paper).")
    beta: float = Field(
        ge=0, le=1, description="Weight of the local similarity, eq. 5; 1 leaves the global similarity out."
    )
    short_side: int = Field(
        ge=1,
        le=LARGEST_SIDE,
        json_schema_extra=_PIXELS,
        description="The shorter side of the image is scaled to this.",
    )
    long_side: int = Field(
        ge=1,
        le=LARGEST_SIDE,
        json_schema_extra=_PIXELS,
        description="The longer side of the scaled image is at most this; at least short_side.",
    )
    window: int = Field(ge=1, json_schema_extra=_PIXELS, description="Side of a square window.")
    stride: int = Field(
        ge=1, json_schema_extra=_PIXELS, description="Distance between neighbouring windows; at most window."
    )
    superpixels: SuperpixelParameters = Field(description="How windows are cut into regions.")
    regions: RegionParameters = Field(
        default=RegionParameters(), description="What the regions are: superpixels, or masks of a mask generator."
    )
    origins: tuple[Origin, ...] = Field(
        default=(), strict=False, description="Use prototypes of these origins only; of all origins when empty."
    )
    exemplar_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="What one exemplar of a category counts in the mean of eq. 4, as a share of k, but at least once.",
    )
    window_way: WindowWay = Field(
        default="sliding", description="Sliding windows, averaged where they overlap, or the whole image as one window."
    )
    local_similarity: LocalSimilarity = Field(
        default="sigmoid",
        description="The local similarity of eq. 5: the sigmoid of the cosine (released code) or the cosine (paper).",
    )
    aggregation: Aggregation = Field(
        default="mean_embedding",
        description=(
            "How regions are compared with the k prototypes: with their mean, or with each, taking the mean or the "
            "largest cosine (table 5)."
        ),
    )
    synonyms: SynonymWay = Field(
        default="best", description="The score of a category with several texts: the best of theirs, or their mean."
    )
    appearance_weight: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description=(
            "Weight of what the prototypes most like a region say beside the score of eq. 5: how well their mean "
            "appearance fits the category's text."
        ),
    )
    appearance_k: int = Field(
        default=20, ge=1, le=1_000, description="So many prototypes, those nearest to a region, give its appearance."
    )
    unknown: UnknownParameters = Field(default=UnknownParameters(), description="When a pixel belongs to no category.")
    refinement: RefinementParameters = Field(
        default=RefinementParameters(), description="Whether final scores are refined along edges."
    )
    fill_transparent: Colour = Field(
        default="",
        description=(
            "Lay transparent images over a colour, such as white or #ff8000; when empty, pixels that are more "
            "transparent than opaque are unknown."
        ),
    )

    @model_validator(mode="after")
    def _sides_fit(self) -> Self:
        if self.long_side < self.short_side:
            expected = f"at least short_side, {self.short_side}, and at most {LARGEST_SIDE}"
            raise out_of_range("long_side", self.long_side, expected)
        if self.stride > self.window:
            expected = f"from 1 to window, {self.window}, or pixels would be left out"
            raise out_of_range("stride", self.stride, expected)
        return self
