"""Proposed categories for an image: the nouns of the bank that are nearest to its regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.errors import InputError
from freeda_svc.packs import Pack
from freeda_svc.parameters import LONGEST_TEXT, Category, ProposalParameters, SegmentationParameters, fold_text
from freeda_svc.segmentation.noun_centres import NounCentres
from freeda_svc.segmentation.parts import Parts, image_parts
from freeda_svc.segmentation.scoring import Ensemble, cosine

_COSINES_AT_ONCE = 4_000_000


DEFAULT_PROPOSALS = ProposalParameters()
"""The defaults."""


@dataclass(frozen=True)
class Proposal:
    """A category that an image seems to show.

    Attributes:
        noun: names the category.
        confidence: how clearly the noun won, 0 to 1: the softmax of its score among those of all nouns of the
            shortlist, with a fixed temperature, averaged over the area that it won. A half means that another noun
            does as well. It is no probability that the noun is right, though right ones have higher values.
        area_share: share of the image where it had the highest score of all that are proposed, 0 to 1.
        local: mean local similarity over that area, as it enters eq. 5, with the noun's mean prototype.
        global_: mean global similarity over that area; 0 where beta leaves it out.
        prototypes: how many prototypes of the noun the bank holds.
        merged: near-synonyms that speak for the same category, the most frequent first.
    """

    noun: str
    confidence: float
    area_share: float
    local: float
    global_: float
    prototypes: int
    merged: tuple[str, ...]


@dataclass(frozen=True)
class Proposals:
    """The categories that an image seems to show, those with the largest area first.

    Attributes:
        proposals: at least one.
        nouns: how many nouns of the bank were compared.
        bank: name and version of the bank; empty when it has none.
    """

    proposals: tuple[Proposal, ...]
    nouns: int
    bank: str = ""

    @property
    def categories(self) -> tuple[Category, ...]:
        """The same as categories to segment the image into."""
        return tuple(Category(proposal.noun) for proposal in self.proposals)

    def table(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each proposal; ``pandas.DataFrame`` takes them."""
        return [
            {
                "noun": proposal.noun,
                "confidence": proposal.confidence,
                "area_share": proposal.area_share,
                "local": proposal.local,
                "global": proposal.global_,
                "prototypes": proposal.prototypes,
                "merged": list(proposal.merged),
            }
            for proposal in self.proposals
        ]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Categories that may be proposed: groups of nouns.

    Attributes:
        groups: positions of the nouns of each in the bank, the one that names it first.
        centres: (N, Dv) of all these nouns, group after group.
        texts: (N, Dt) their embeddings.
    """

    groups: list[list[int]]
    centres: torch.Tensor
    texts: torch.Tensor


def propose(
    pack: Pack,
    centres: NounCentres,
    image: npt.NDArray[np.uint8],
    segmentation: SegmentationParameters,
    parameters: ProposalParameters = DEFAULT_PROPOSALS,
    *,
    visible: npt.NDArray[np.bool_] | None = None,
    regions: npt.NDArray[np.int32] | None = None,
) -> Proposals:
    """Propose categories for an image.

    Each region votes for the nouns whose mean prototypes are nearest to it. The nouns with the most votes are scored
    as categories are, eq. 5, with the image-text model; near-synonyms count as one; and each region
    takes the best. What wins enough of the image is proposed.

    Args:
        pack: the models.
        centres: the noun centres of a bank.
        image: (H, W, 3) uint8, RGB.
        segmentation: windows, superpixels, and how local and global similarity are joined.
        parameters: how categories are proposed.
        visible: (H, W) bool, where the image can be seen, which is all that counts; None for everywhere.
        regions: (h, w) int32, given regions at the size to which the image is scaled; None for superpixels alone.

    Raises:
        InputError: no noun of the bank can be a category.
    """
    usable = [index for index, noun in enumerate(centres.nouns) if noun.strip() and len(noun) <= LONGEST_TEXT]
    if not usable:
        raise InputError("none of the bank's prototypes has a noun, so no category can be proposed: name categories")
    vectors = torch.from_numpy(centres.vectors[usable])
    windows = _seen_parts(pack, image, segmentation, visible, regions)
    chosen = [usable[place] for place in _shortlist(windows, vectors, parameters)]
    candidates = group_nouns(pack, centres, chosen, parameters)
    return Proposals(_decide(windows, candidates, centres, segmentation, parameters), len(usable))


def _seen_parts(
    pack: Pack,
    image: npt.NDArray[np.uint8],
    segmentation: SegmentationParameters,
    visible: npt.NDArray[np.bool_] | None,
    regions: npt.NDArray[np.int32] | None,
) -> list[Parts]:
    labels = None if visible is None else np.where(visible, 0, -1).astype(np.int32)
    embed = segmentation.beta < 1
    windows = list(image_parts(pack, image, segmentation, labels=labels, embed=embed, regions=regions))
    if any(len(parts.features) for parts in windows):
        return windows
    return _seen_parts(
        pack, image, segmentation, None, regions
    )  # what can be seen is lost at the scale that models see


def _shortlist(windows: Sequence[Parts], vectors: torch.Tensor, parameters: ProposalParameters) -> list[int]:
    """Return the nouns with the most votes: a region's area for the nearest, half of it for the next, and so on."""
    votes = torch.zeros(len(vectors))
    ranks = 1 / torch.arange(1, min(parameters.votes, len(vectors)) + 1)
    at_once = max(1, _COSINES_AT_ONCE // len(vectors))
    for parts in windows:
        for start in range(0, len(parts.features), at_once):
            nearest = cosine(parts.features[start : start + at_once], vectors).topk(len(ranks), dim=1).indices
            areas = parts.pixels[start : start + at_once] * ranks
            votes.index_add_(0, nearest.reshape(-1), areas.reshape(-1))
    order: list[int] = votes.argsort(descending=True, stable=True).tolist()
    return [place for place in order[: parameters.shortlist] if votes[place] > 0]


def group_nouns(pack: Pack, centres: NounCentres, chosen: Sequence[int], parameters: ProposalParameters) -> Candidates:
    """Put near-synonyms together; each group is named by its most frequent noun, which all others are near to."""
    frequent = sorted(chosen, key=lambda index: (-int(centres.counts[index]), centres.nouns[index]))
    texts = pack.image_text.embed_nouns([centres.nouns[index] for index in frequent])
    vectors = torch.from_numpy(centres.vectors[frequent])
    near = (cosine(texts, texts) >= parameters.text_cosine) & (cosine(vectors, vectors) >= parameters.visual_cosine)
    folded = [fold_text(centres.nouns[index]) for index in frequent]
    groups: list[list[int]] = []
    for place, text in enumerate(folded):
        for group in groups:
            if near[group[0], place] or folded[group[0]] == text:
                group.append(place)
                break
        else:
            groups.append([place])
    order = [place for group in groups for place in group]
    return Candidates([[frequent[place] for place in group] for group in groups], vectors[order], texts[order])


def _decide(
    windows: Sequence[Parts],
    candidates: Candidates,
    centres: NounCentres,
    segmentation: SegmentationParameters,
    parameters: ProposalParameters,
) -> tuple[Proposal, ...]:
    ensemble = Ensemble(
        segmentation.beta, segmentation.local_similarity, tuple(len(group) for group in candidates.groups)
    )
    scores, local, global_ = [], [], []
    for parts in windows:
        similarity = torch.zeros(len(candidates.texts))
        if parts.embedding is not None:
            similarity = cosine(parts.embedding[None], candidates.texts)[0]
        joined = ensemble.join(cosine(parts.features, candidates.centres), similarity)
        scores.append(joined.scores)
        local.append(joined.local)
        global_.append(joined.global_similarity.expand_as(joined.scores))
    areas = torch.cat([parts.pixels[:, 0] for parts in windows])
    table = torch.cat(scores)
    kept = _winners(table, areas, parameters)
    won = kept[table[:, kept].argmax(dim=1)]
    columns = (torch.softmax(table / parameters.temperature, dim=1), torch.cat(local), torch.cat(global_))
    found = []
    for group in kept.tolist():
        mine = won == group
        share = areas[mine] / areas[mine].sum()
        confidence, near, fits = (float(share @ column[mine, group]) for column in columns)
        name, *others = candidates.groups[group]
        found.append(
            Proposal(
                noun=centres.nouns[name],
                confidence=confidence,
                area_share=float(areas[mine].sum() / areas.sum()),
                local=near,
                global_=fits,
                prototypes=int(centres.counts[[name, *others]].sum()),
                merged=tuple(centres.nouns[other] for other in others),
            )
        )
    return tuple(sorted(found, key=lambda proposal: (-proposal.area_share, proposal.noun)))


def _winners(scores: torch.Tensor, areas: torch.Tensor, parameters: ProposalParameters) -> torch.Tensor:
    """Return the categories that win enough of the area; what the others won goes to those that are left.

    Args:
        scores: (M, N) of each part and category.
        areas: (M,) of each part.
        parameters: how much is enough, and how many may be left.
    """
    won = torch.zeros(scores.shape[1]).index_add_(0, scores.argmax(dim=1), areas)
    order = won.argsort(descending=True, stable=True)[: parameters.most]
    enough = order[won[order] >= parameters.least_area * areas.sum()]
    enough = enough if len(enough) else order[:1]
    return enough[torch.bincount(scores[:, enough].argmax(dim=1), minlength=len(enough)) > 0]
