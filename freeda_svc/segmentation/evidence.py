"""The evidence for a segmentation: prototypes that agree with each category's regions, and scores of regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from freeda_svc.bank import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.packs import Pack
from freeda_svc.segmentation.aggregation import TextPrototypes
from freeda_svc.segmentation.evidence_prototypes import Direction, PrototypeEvidence, TextEvidence, explain_category
from freeda_svc.segmentation.evidence_regions import RegionEvidence, explain_regions
from freeda_svc.segmentation.parts import image_parts
from freeda_svc.segmentation.result import Segmentation


@dataclass(frozen=True)
class EvidenceLimits:
    """How much evidence is collected.

    Attributes:
        prototypes: how many of each category.
        categories: how many of each region.

    Raises:
        InputError: one of them is below 1.
    """

    prototypes: int = 12
    categories: int = 6

    def __post_init__(self) -> None:
        for what, limit in (("prototypes of each category", self.prototypes), ("categories a region", self.categories)):
            if limit < 1:
                raise InputError(f"evidence was asked for with {limit} {what}; ask for at least 1")


DEFAULT_LIMITS = EvidenceLimits()
"""The default."""


@dataclass(frozen=True)
class CategoryEvidence:
    """The evidence for a category that is present in an image.

    Attributes:
        index: its label.
        name: exactly as typed.
        area_share: share of the image's pixels that it took, 0 to 1.
        score: mean score over these pixels.
        texts: its texts, those that look most like its regions first.
        prototypes: those that agree most with its regions, each as often as it counts in the mean, first.
    """

    index: int
    name: str
    area_share: float
    score: float | None
    texts: tuple[TextEvidence, ...]
    prototypes: tuple[PrototypeEvidence, ...]


@dataclass(frozen=True)
class CategoryParts:
    """How a category did at one place, before refinement.

    With w the weight of appearance, score = (1 - w) (beta local + (1 - beta) global) + w support.

    Attributes:
        name: exactly as typed.
        score: s of eq. 5, with the support where it has a weight.
        local: l as it enters eq. 5; None where it is not known.
        global_: g of eq. 5; None where it is not known.
        support: of the category by appearance; None where it is not known or has no weight.
    """

    name: str
    score: float
    local: float | None
    global_: float | None
    support: float | None


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence for a segmentation.

    Attributes:
        size: height and width of the image.
        names: of all categories that were asked for; their positions are the labels.
        categories: the evidence for those present, the largest first.
        regions: the parts of the scores in each region.
        unknown_share: share of the image's pixels that belong to no category, 0 to 1.
        beta: weight of the local similarity, eq. 5.
        appearance_weight: w, the weight of support by appearance.
        local_similarity: what entered eq. 5, the ``sigmoid`` of the cosine or the ``cosine``.
        aggregation: how prototypes were compared with regions.
        pack: fingerprint of the pack.
        bank: name and version of the bank; empty when it has none.
        bank_changed: whether the bank is another one by now than when the image was segmented, so that other
            prototypes may be named here than those that took part.
    """

    size: tuple[int, int]
    names: tuple[str, ...]
    categories: tuple[CategoryEvidence, ...]
    regions: RegionEvidence
    unknown_share: float
    beta: float
    appearance_weight: float
    local_similarity: str
    aggregation: str
    pack: str
    bank: str
    bank_changed: bool

    @property
    def thumbnails(self) -> tuple[str, ...]:
        """Paths below the artifacts of the pictures that its prototypes have."""
        named = (path for category in self.categories for one in category.prototypes for path in (one.image, one.mask))
        return tuple(path for path in named if path)

    def at(self, row: int, column: int) -> tuple[CategoryParts, ...]:
        """Return the scores of the best categories in the region that a pixel of the image lies in.

        Raises:
            InputError: the pixel is outside of the image.
        """
        height, width = self.size
        if not (0 <= row < height and 0 <= column < width):
            raise InputError(f"the pixel in row {row}, column {column} is outside of the image, {height} x {width}")
        scaled = self.regions.map.shape
        place = tuple(int((at + 0.5) * to / of) for at, to, of in zip((row, column), scaled, self.size, strict=True))
        region = int(self.regions.map[place])
        return tuple(
            CategoryParts(self.names[index], score, _known(local), _known(global_), _known(support))
            for index, score, local, global_, support in zip(
                self.regions.categories[region].tolist(),
                self.regions.scores[region].tolist(),
                self.regions.local[region].tolist(),
                self.regions.global_[region].tolist(),
                self.regions.support[region].tolist(),
                strict=True,
            )
        )


def _known(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - only what is not a number differs from itself


def explain(
    pack: Pack,
    store: PrototypeStore,
    text_prototypes: TextPrototypes,
    image: npt.NDArray[np.uint8],
    segmentation: Segmentation,
    *,
    limits: EvidenceLimits = DEFAULT_LIMITS,
) -> Evidence:
    """Collect the evidence for a segmentation.

    The image goes through the dense backbone once more, because features are not kept.

    Args:
        pack: that it was segmented with.
        store: the bank that it was segmented with.
        text_prototypes: of that bank.
        image: (H, W, 3) uint8, RGB.
        segmentation: of the image.
        limits: how many prototypes and categories are named.

    Raises:
        InputError: the image has another size than what was segmented, the scores of its regions were not kept, or
            the pack is another one.
        NotFoundError: prototypes are removed from the bank faster than they can be read.
        UnavailableError: the bank does not answer.
    """
    regions, height, width = segmentation.region_scores, *segmentation.labels.shape
    if image.shape[:2] != (height, width):
        raise InputError(
            f"the image is {image.shape[1]} x {image.shape[0]} pixels large, what was segmented {width} x {height}; "
            "give the image that was segmented"
        )
    if regions is None:
        raise InputError("the scores of the regions were not kept; segment the image again")
    if pack.fingerprint != segmentation.pack:
        raise InputError(f"the image was segmented with pack {segmentation.pack}; {pack.name} is {pack.fingerprint}")
    parameters = segmentation.parameters
    present = [index for index, score in enumerate(segmentation.scores) if not score.absent]
    categories = []
    for index, direction in zip(present, _mean_directions(pack, image, segmentation, present), strict=True):
        score, category = segmentation.scores[index], segmentation.categories[index]
        texts, ranked = explain_category(
            store, text_prototypes, category, direction, parameters=parameters, shown=limits.prototypes
        )
        categories.append(CategoryEvidence(index, score.name, score.area_share, score.score, texts, ranked))
    return Evidence(
        size=(height, width),
        names=tuple(category.name for category in segmentation.categories),
        categories=tuple(sorted(categories, key=lambda category: (-category.area_share, category.index))),
        regions=explain_regions(regions, segmentation.labels, parameters.beta, limits.categories),
        unknown_share=segmentation.unknown_share,
        beta=parameters.beta,
        appearance_weight=parameters.appearance_weight,
        local_similarity=parameters.local_similarity,
        aggregation=parameters.aggregation,
        pack=segmentation.pack,
        bank=segmentation.bank,
        bank_changed=segmentation.bank_revision not in {None, store.revision()},
    )


def _mean_directions(
    pack: Pack, image: npt.NDArray[np.uint8], segmentation: Segmentation, present: Sequence[int]
) -> list[Direction | None]:
    """Return the mean of the normalised features of each category's regions, weighted by area; None without any.

    The mean cosine of a vector and the regions is its product with this mean, over its length.
    """
    if not present:
        return []
    positions = np.full(len(segmentation.categories) + 1, -1, dtype=np.int32)  # the last is for unknown pixels, -1
    positions[present] = np.arange(len(present))
    labels = positions[segmentation.labels]
    sums = torch.zeros(len(present), pack.backbone.dimension)
    pixels = torch.zeros(len(present))
    regions = segmentation.given_regions
    for parts in image_parts(pack, image, segmentation.parameters, labels=labels, count=len(present), regions=regions):
        sums += parts.pixels.T @ functional.normalize(parts.features, dim=-1)
        pixels += parts.pixels.sum(dim=0)
    means = (sums / pixels.clamp(min=torch.finfo(torch.float32).tiny)[:, None]).numpy()
    return [mean if area > 0 else None for mean, area in zip(means, pixels.tolist(), strict=True)]
