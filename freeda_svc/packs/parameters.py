"""The numbers of a pack: how it generates, builds prototypes and segments."""

from dataclasses import dataclass
from typing import Literal

SuperpixelAlgorithm = Literal["felzenszwalb", "slic", "watershed", "seeds", "quickshift", "none"]
WindowWay = Literal["sliding", "whole"]
LocalSimilarity = Literal["sigmoid", "cosine"]
Aggregation = Literal["mean_embedding", "mean_similarity", "max_similarity"]
SynonymWay = Literal["best", "mean"]
RefinementWay = Literal["none", "pamr"]
AttributionMethod = Literal["attention", "concept"]
UnknownWay = Literal["none", "channel", "local_before", "local_after"]


@dataclass(frozen=True)
class AttributionParameters:
    """How nouns are located in what a transformer generates; U-Nets know one way only.

    Attributes:
        method: ``attention``, eq. 1: how much the image attends to a noun's tokens. ``concept``, ConceptAttention:
            how alike the attention outputs of the image and of the noun as a concept of its own are.
        blocks: numbers, from 0, of the transformer's blocks that count; of all when empty.
        steps: numbers, from 0, of the diffusion steps that count; of all when empty.
    """

    method: AttributionMethod = "attention"
    blocks: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class GenerationParameters:
    """Text to image.

    Attributes:
        steps: diffusion steps.
        guidance_scale: classifier-free guidance; 1 and below means none, but for Z-Image and Krea 2, whose pipelines
            count from 0. Models that were distilled with guidance are told the number.
        height: of the generated image, pixels.
        width: of the generated image, pixels.
        batch_size: captions generated at once.
        attribution: how nouns are located.
    """

    steps: int
    guidance_scale: float
    height: int
    width: int
    batch_size: int
    attribution: AttributionParameters = AttributionParameters()


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
    """How a window is cut into regions.

    The numbers after ``min_size`` have defaults that give about as many regions as Felzenszwalb's algorithm: 400 to
    800 in a window of 448 x 448 pixels of a photo.

    Attributes:
        algorithm: which one; ``none`` scores every pixel by the dense similarity.
        scale: Felzenszwalb: how much contrast separates two regions; larger gives larger regions.
        sigma: Felzenszwalb, SLIC and quickshift: standard deviation of the Gaussian that smooths first, pixels.
        min_size: Felzenszwalb: regions of fewer pixels are joined to a neighbour.
        region_size: SLIC, watershed and SEEDS: pixels that a region is to have on average.
        slic_compactness: SLIC: what distance counts against colour; larger gives squarer regions.
        watershed_compactness: the same of the watershed, where 0 lets the gradient alone decide.
        seeds_levels: SEEDS: how many times a block is halved, down to the smallest that moves.
        seeds_prior: SEEDS: how much smooth outlines count, 1 to 5.
        seeds_bins: SEEDS: bins of a colour histogram, an axis.
        seeds_iterations: SEEDS: sweeps over the image on each level.
        quickshift_ratio: quickshift: what colour counts against distance, 0 to 1.
        quickshift_kernel_size: quickshift: standard deviation of the density's Gaussian, pixels; its time grows with
            the square.
        quickshift_max_distance: quickshift: farther points are not linked; larger gives larger regions.
    """

    algorithm: SuperpixelAlgorithm
    scale: float
    sigma: float
    min_size: int
    region_size: int = 350
    slic_compactness: float = 10.0
    watershed_compactness: float = 1e-5
    seeds_levels: int = 3
    seeds_prior: int = 1
    seeds_bins: int = 5
    seeds_iterations: int = 10
    quickshift_ratio: float = 1.0
    quickshift_kernel_size: float = 3.0
    quickshift_max_distance: float = 10.0


@dataclass(frozen=True)
class UnknownParameters:
    """When a pixel belongs to none of the categories.

    Attributes:
        way: ``none``: never. ``channel``: a constant of ``threshold`` competes with the final scores. ``local_before``:
            where no category's local similarity reaches ``local_threshold``. ``local_after``: where that of the
            category with the best final score does not. The local similarity is what enters eq. 5, so after the
            sigmoid where there is one.
        threshold: of final scores; 0.4 in the released code, for all ways.
        local_threshold: of local similarities, which have another range than final scores.
    """

    way: UnknownWay = "none"
    threshold: float = 0.4
    local_threshold: float = 0.4

    @property
    def limit(self) -> float:
        """The threshold of the way."""
        return self.threshold if self.way in {"none", "channel"} else self.local_threshold


@dataclass(frozen=True)
class RefinementParameters:
    """How the final scores of a window are refined along the edges of the image.

    Attributes:
        way: ``none``, as in all published numbers of the method, or ``pamr``, pixel-adaptive mask refinement.
        iterations: how many times scores are averaged over neighbours.
        dilations: distances of the neighbours, pixels.
    """

    way: RefinementWay = "none"
    iterations: int = 10
    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24)


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
        window_way: ``sliding`` windows, averaged where they overlap, or the ``whole`` scaled image as one window.
        local_similarity: what enters eq. 5: the ``sigmoid`` of the cosine, as in the released code, or the ``cosine``
            itself, as the paper writes.
        aggregation: of the k prototypes, table 5: ``mean_embedding`` compares regions with their mean,
            ``mean_similarity`` and ``max_similarity`` with each of them and take the mean or the largest cosine.
        synonyms: the score of a category with several texts is the ``best`` of theirs or their ``mean``.
        unknown: when a pixel belongs to none of the categories.
        refinement: whether final scores are refined along edges.
        fill_transparent: a colour, such as ``white`` or ``#ff8000``, that lies behind transparent images, whose pixels
            all get a category then; empty: what is more transparent than opaque belongs to none.
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
    window_way: WindowWay = "sliding"
    local_similarity: LocalSimilarity = "sigmoid"
    aggregation: Aggregation = "mean_embedding"
    synonyms: SynonymWay = "best"
    unknown: UnknownParameters = UnknownParameters()
    refinement: RefinementParameters = RefinementParameters()
    fill_transparent: str = ""


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
