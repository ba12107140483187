"""Ablations in small: what each part of the method is worth (tables 3 and 5, figure 5), and each option.

Options are refinement, votes by appearance, and curation.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from freeda_svc.bank import PrototypeStore
from freeda_svc.bank.curation import CurationRule, apply_curation, assess, uncurate
from freeda_svc.evaluation.datasets import Dataset
from freeda_svc.evaluation.evaluating import Evaluation, evaluate
from freeda_svc.evaluation.kept_counts import KeptCounts
from freeda_svc.parameters import RefinementParameters, SegmentationParameters, SuperpixelAlgorithm

if TYPE_CHECKING:
    from freeda_svc.segmentation import Segmenter

ALGORITHMS: tuple[SuperpixelAlgorithm, ...] = ("felzenszwalb", "slic", "watershed", "seeds", "quickshift")
KS = (1, 5, 10, 15, 25, 50, 100)
NEAR = (1, 2, 4)
"""Dilations of PAMR for scenes of 64 pixels; the default's go up to 24."""
APPEARANCE_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
KEPT_SHARES = (0.9, 0.8, 0.7, 0.6)

OnProgress = Callable[[int, int], None]
_Tried: TypeAlias = tuple[float | None, bool, SegmentationParameters]


@dataclass(frozen=True)
class Variant:
    """One way to segment.

    Attributes:
        group: what is varied.
        name: how, for a person.
        parameters: of the segmentation.
        keep: share of each noun's prototypes that curation keeps; None where there is no curation.
        true_regions: whether the true label map gives the regions, instead of superpixels.
    """

    group: str
    name: str
    parameters: SegmentationParameters
    keep: float | None = None
    true_regions: bool = False

    @property
    def tried(self) -> "_Tried":
        """What its result follows from."""
        return self.keep, self.true_regions, self.parameters


@dataclass(frozen=True)
class Ablated:
    """A variant and how it did."""

    variant: Variant
    evaluation: Evaluation


def list_variants(given: SegmentationParameters, numbers: Mapping[str, Any] | None = None) -> tuple[Variant, ...]:
    """Return what is tried: one thing at a time is varied around the given parameters.

    Args:
        given: the full method.
        numbers: of the other superpixel algorithms, by the names of ``SuperpixelParameters``; their own when None.
    """
    others = given.superpixels.replace(**(numbers or {}))
    dense = given.replace(superpixels=given.superpixels.replace(algorithm="none"))
    cuts = [
        given.superpixels if name == given.superpixels.algorithm else others.replace(algorithm=name)
        for name in ALGORITHMS
    ]
    return (
        Variant("parts", "backbone only", dense.replace(beta=1.0)),
        Variant("parts", "+ global similarity", dense),
        Variant("parts", "+ superpixels", given),
        *(Variant("superpixels", cut.algorithm, given.replace(superpixels=cut)) for cut in cuts),
        Variant("superpixels", "none", dense),
        Variant("superpixels", "none, PAMR", dense.replace(refinement=pamr())),
        Variant("regions", "superpixels", given),
        Variant("regions", "true regions", given, true_regions=True),
        Variant("aggregation", "mean embedding", given.replace(aggregation="mean_embedding")),
        Variant("aggregation", "mean similarity", given.replace(aggregation="mean_similarity")),
        Variant("aggregation", "max similarity", given.replace(aggregation="max_similarity")),
        *(Variant("K", str(k), given.replace(k=k)) for k in sorted({*KS, given.k})),
        Variant("refinement", "PAMR", given.replace(refinement=pamr())),
        Variant("refinement", "near PAMR", given.replace(refinement=pamr(NEAR))),
        Variant("refinement", "no superpixels, near PAMR", dense.replace(refinement=pamr(NEAR))),
        *(Variant("votes", f"weight {w:g}", given.replace(appearance_weight=w)) for w in APPEARANCE_WEIGHTS),
        Variant("curation", "off", given),
        *(Variant("curation", f"keep {keep:g}", given, keep) for keep in KEPT_SHARES),
    )


def pamr(dilations: tuple[int, ...] = RefinementParameters().dilations) -> RefinementParameters:
    """Return PAMR with distances to the neighbours, in pixels; with its usual ones when none are given."""
    return RefinementParameters(way="pamr", dilations=dilations)


def ablate(
    segmenter: "Segmenter",
    store: PrototypeStore,
    dataset: Dataset,
    variants: Sequence[Variant],
    *,
    folder: Path | None = None,
    identity: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> list[Ablated]:
    """Evaluate variants on a dataset; marks of curation are taken back at the end.

    Args:
        segmenter: with the bank, and best with a pack ``with_encoder_cache``.
        store: the bank, which is curated for some variants.
        dataset: the images.
        variants: what is tried; equal ones are evaluated once.
        folder: where the counts of each image are kept, so that an ablation can be continued; nowhere when None.
        identity: what else the numbers follow from, such as the pack; counts of others are not taken.
        on_progress: is called with how many images are done, of how many, over all variants.

    Returns:
        One for each variant, in their order.

    Raises:
        InputError: an image cannot be evaluated.
        UnavailableError: something cannot be written.
    """
    different = list(dict.fromkeys(variant.tried for variant in variants))
    done: dict[_Tried, Evaluation] = {}
    size, total = len(dataset.images), len(different) * len(dataset.images)
    try:
        for keep, true_regions, parameters in _least_curated_first(different):
            _curate(store, keep)
            facts = {**(identity or {}), "keep": keep, "parameters": parameters.model_dump()}
            if true_regions:
                facts["true_regions"] = True
            kept = None if folder is None else KeptCounts(folder / _name_of(facts), facts)
            before = len(done) * size
            done[keep, true_regions, parameters] = evaluate(
                segmenter,
                dataset,
                parameters,
                true_regions=true_regions,
                kept=kept,
                on_progress=_shifted(on_progress, before, total),
            )
    finally:
        uncurate(store)
    return [Ablated(variant, done[variant.tried]) for variant in variants]


def _name_of(facts: Mapping[str, Any]) -> str:
    """A name for the folder of a variant, which follows from what its numbers follow from."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _least_curated_first(different: Sequence[_Tried]) -> Iterator[_Tried]:
    """Curation changes the bank, which makes what was fetched before void; so variants that share it stay together."""
    yield from sorted(different, key=lambda variant: -2.0 if variant[0] is None else -variant[0])


def _curate(store: PrototypeStore, keep: float | None) -> None:
    if keep is None:
        uncurate(store)
    else:
        apply_curation(store, assess(store, CurationRule(keep=keep)))


def _shifted(on_progress: OnProgress | None, before: int, total: int) -> OnProgress | None:
    if on_progress is None:
        return None
    return lambda done, _size: on_progress(before + done, total)
