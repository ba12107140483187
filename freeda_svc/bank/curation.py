"""Curation: finding prototypes that probably do not show their noun, by how they differ from the others of it.

Each prototype is ranked among those of its noun by four criteria: agreement with the others in the visual space (which
ReME, 2025, found to tell more than text and image), the image-text model's score of the noun for the image, the
attribution's contrast, and how usual the mask's area is. The worst are marked as outliers, never removed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.points import point_id
from freeda_svc.bank.records import Selection
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError
from freeda_svc.prototypes import EXEMPLAR, Prototype

MARK = "curation: "
"""How the reasons of curation's marks begin."""

AGREEMENT, IMAGE_TEXT, CONTRAST, AREA = "agreement", "image-text score", "contrast", "area"
CRITERIA = (AGREEMENT, IMAGE_TEXT, CONTRAST, AREA)

_TRUSTED_SHARE = 0.5
_LEAST_AREA = 1e-4
_FEWEST_LEFT = 2

Ranks = npt.NDArray[np.float64]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class CurationRule:
    """What is marked.

    Attributes:
        keep: share of each noun's prototypes that are not marked, above 0 to 1.
        agreement: weight of the rank by agreement.
        image_text: weight of the rank by image-text score.
        contrast: weight of the rank by contrast.
        area: weight of the rank by area.
        smallest_noun: nouns with fewer prototypes are left alone: too few to tell what is usual.

    Raises:
        InputError: a share or weight is out of range, or all weights are 0.
    """

    keep: float = 0.7
    agreement: float = 1.0
    image_text: float = 0.5
    contrast: float = 0.5
    area: float = 0.0
    smallest_noun: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise InputError(f"the share to keep is {self.keep}, expected above 0 and at most 1")
        weights = self.weights.values()
        if not all(0 <= weight < float("inf") for weight in weights) or not any(weights):
            raise InputError(f"the weights of curation are {tuple(weights)}, expected none below 0 and one above")
        if self.smallest_noun < _FEWEST_LEFT:
            raise InputError(f"the smallest noun is {self.smallest_noun}, expected at least {_FEWEST_LEFT} prototypes")

    @property
    def weights(self) -> Mapping[str, float]:
        """The weight of each criterion."""
        return dict(zip(CRITERIA, (self.agreement, self.image_text, self.contrast, self.area), strict=True))


@dataclass(frozen=True)
class CurationReport:
    """What curation found.

    Attributes:
        assessed: prototypes that were compared with others of their noun.
        left_alone: prototypes of nouns with too few, and those that are not ranked, such as exemplars.
        reasons: for each id to be marked, why.
        nouns: for each noun that was assessed, how many of how many are to be marked.
    """

    assessed: int
    left_alone: int
    reasons: Mapping[str, str]
    nouns: Mapping[str, tuple[int, int]]


def assess(store: PrototypeStore, rule: CurationRule, on_progress: OnProgress | None = None) -> CurationReport:
    """Say what is to be marked, and change nothing.

    Marks that are there already do not count: all prototypes are compared. Memory is bounded by the largest noun.

    Args:
        store: the bank.
        rule: what is to be marked.
        on_progress: called with the number of nouns done, and of all.

    Raises:
        UnavailableError: the bank does not answer.
    """
    reasons: dict[str, str] = {}
    nouns: dict[str, tuple[int, int]] = {}
    assessed = left_alone = 0
    counts = store.nouns()
    for number, (noun, count) in enumerate(counts.items(), start=1):
        ranked = list(_ranked_prototypes(store, noun)) if noun and count >= rule.smallest_noun else []
        if len(ranked) >= rule.smallest_noun:
            found = _assess_noun(ranked, rule)
            reasons.update(found)
            nouns[noun] = len(found), len(ranked)
            assessed += len(ranked)
            left_alone += count - len(ranked)
        else:
            left_alone += count
        if on_progress is not None:
            on_progress(number, len(counts))
    return CurationReport(assessed, max(left_alone, 0), reasons, nouns)


def apply_curation(store: PrototypeStore, report: CurationReport) -> int:
    """Mark what a report names, and take back what curation marked before and does not name any more.

    Marks that somebody else made stay as they are, and so does what is marked for the same reason already: a change
    makes readers drop what they have cached of the bank.

    Returns:
        How many are marked now that were not before.

    Raises:
        UnavailableError: the bank cannot be written.
    """
    marked = dict(_marks(store))
    taken_back = [key for key, reason in marked.items() if reason.startswith(MARK) and key not in report.reasons]
    if taken_back:
        store.unmark(taken_back)
    changed = {
        key: reason
        for key, reason in report.reasons.items()
        if key not in marked or (marked[key].startswith(MARK) and marked[key] != reason)
    }
    newly_marked = store.mark(changed) if changed else 0
    store.pack_if_worth_it(len(changed) + len(taken_back))
    return newly_marked


def uncurate(store: PrototypeStore) -> int:
    """Take back all marks that curation made; returns how many there were.

    Raises:
        UnavailableError: the bank cannot be written.
    """
    mine = [identifier for identifier, reason in _marks(store) if reason.startswith(MARK)]
    return store.unmark(mine) if mine else 0


def _marks(store: PrototypeStore) -> Iterator[tuple[str, str]]:
    """The ids of marked prototypes, and why they are."""
    for prototypes in store.scan(Selection(outlier=True)):
        for prototype in prototypes:
            yield point_id(prototype), prototype.outlier


@dataclass(frozen=True, eq=False)
class _Ranked:
    """What is compared of a prototype; ``vector`` is (Dv,) float32 of unit length."""

    id: str
    vector: npt.NDArray[np.float32]
    image_text: float
    contrast: float
    area: float


def _ranked_prototypes(store: PrototypeStore, noun: str) -> Iterator[_Ranked]:
    for prototypes in store.scan(Selection(noun=noun)):
        for prototype in prototypes:
            length = float(np.linalg.norm(prototype.vector.astype(np.float64)))
            if prototype.origin != EXEMPLAR and length > 0:
                yield _rank_of(prototype, length)


def _rank_of(prototype: Prototype, length: float) -> _Ranked:
    return _Ranked(
        id=point_id(prototype),
        vector=(prototype.vector / length).astype(np.float32),
        image_text=prototype.image_text_score,
        contrast=prototype.contrast,
        area=prototype.mask_area,
    )


def _assess_noun(prototypes: Sequence[_Ranked], rule: CurationRule) -> dict[str, str]:
    image_text = _ranks(np.array([prototype.image_text for prototype in prototypes]))
    contrast = _ranks(np.array([prototype.contrast for prototype in prototypes]))
    areas = np.log(np.array([prototype.area for prototype in prototypes]) + _LEAST_AREA)
    vectors = np.stack([prototype.vector for prototype in prototypes])
    ranks = {
        AGREEMENT: _ranks(agreement(vectors, image_text + contrast)),
        IMAGE_TEXT: image_text,
        CONTRAST: contrast,
        AREA: _ranks(-np.abs(areas - np.median(areas))),
    }
    total = np.sum([rule.weights[name] * ranks[name] for name in CRITERIA], axis=0)
    marked = np.argsort(total, kind="stable")[: len(prototypes) - int(np.ceil(rule.keep * len(prototypes)))]
    weighed = [name for name in CRITERIA if rule.weights[name]]
    return {
        prototypes[number].id: f"{MARK}low {min(weighed, key=lambda name: ranks[name][number])}"
        for number in marked.tolist()
    }


def agreement(vectors: npt.NDArray[np.float32], trust: Ranks) -> Ranks:
    """Mean cosine of each prototype with the more trusted half of the others of its noun.

    The mean over all would be drawn towards the outliers themselves.

    Args:
        vectors: (N, Dv) float32 of unit length, N at least 2.
        trust: (N,) what is believed beforehand, such as ranks by other criteria.

    Returns:
        (N,) -1 to 1.
    """
    count = max(_FEWEST_LEFT, int(np.ceil(_TRUSTED_SHARE * len(vectors))))
    trusted = np.zeros(len(vectors), dtype=bool)
    trusted[np.argsort(-trust, kind="stable")[:count]] = True
    total = vectors[trusted].sum(axis=0, dtype=np.float64)
    with_itself = vectors @ total
    means: Ranks = np.where(trusted, (with_itself - 1) / (count - 1), with_itself / count)
    return means


def _ranks(values: npt.NDArray[np.floating]) -> Ranks:
    """Ranks from nearly 0, the least, to nearly 1, the greatest; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Ranks = (np.cumsum(counts) - counts / 2)[inverse] / len(values)
    return ranks
