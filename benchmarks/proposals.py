"""How often the nouns that are proposed for a scene of the miniature world are those that were painted there.

Validation scenes; a noun counts as painted when it shows at least eight pixels, as everywhere in that world.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.results import Result
from benchmarks.validation import Trial, validation_captions, validation_scenes
from freeda_svc.evaluation import ConfusionMatrix
from freeda_svc.miniature import NOUNS, Scene
from freeda_svc.packs import load_pack
from freeda_svc.parameters import ProposalParameters, SegmentationParameters
from freeda_svc.prototypes import PrototypeBuilder
from freeda_svc.segmentation import Proposals, Segmenter

LEAST_AREAS = (0.005, 0.01, 0.02, 0.05)


def _propose(
    segmenter: Segmenter, scenes: Sequence[Scene], given: SegmentationParameters, proposing: ProposalParameters
) -> list[Proposals]:
    return [segmenter.propose(scene.image, given, proposing) for scene in scenes]


def _score(name: str, scenes: Sequence[Scene], found: Sequence[Proposals]) -> list[Result]:
    right = proposed = painted = exact = 0
    for scene, proposals in zip(scenes, found, strict=True):
        nouns = {proposal.noun for proposal in proposals.proposals}
        right += len(nouns & set(scene.nouns))
        proposed += len(nouns)
        painted += len(scene.nouns)
        exact += nouns == set(scene.nouns)
    return [
        Result(f"{name}precision", right / proposed, "share of the proposed nouns that were painted"),
        Result(f"{name}recall", right / painted, "share of the painted nouns that were proposed"),
        Result(f"{name}exactly_right", exact / len(scenes), "share of the scenes"),
    ]


def _confidence(scenes: Sequence[Scene], found: Sequence[Proposals]) -> list[Result]:
    """What the confidence of proposals is worth, told from all of them with nothing left out for its small area."""
    pairs = [
        (proposal.confidence, proposal.noun in scene.nouns)
        for scene, proposals in zip(scenes, found, strict=True)
        for proposal in proposals.proposals
    ]
    right = np.array([confidence for confidence, painted in pairs if painted])
    wrong = np.array([confidence for confidence, painted in pairs if not painted])
    results = [
        Result("confidence_of_right_proposals", float(right.mean()), "mean confidence"),
        Result("wrong_proposals_without_least_area", len(wrong), f"of {len(pairs)} proposals"),
    ]
    if len(wrong):
        higher = float(np.mean(right[:, None] > wrong[None, :]))
        results += [
            Result("confidence_of_wrong_proposals", float(wrong.mean()), "mean confidence"),
            Result("confidence_right_above_wrong", higher, "share of the pairs of a right and a wrong proposal"),
        ]
    return results


def _mean_iou(
    segmenter: Segmenter, scenes: Sequence[Scene], found: Sequence[Proposals], given: SegmentationParameters
) -> float:
    """Segment each scene into its proposals."""
    confusion = ConfusionMatrix(len(NOUNS))
    for scene, proposals in zip(scenes, found, strict=True):
        places = np.array([NOUNS.index(proposal.noun) for proposal in proposals.proposals])
        confusion.add(scene.labels, places[segmenter.segment(scene.image, proposals.categories, given).labels])
    return confusion.mean_iou()


def run() -> list[Result]:
    """Propose with the pack's parameters, without the image-text model, and with other least areas."""
    pack = load_pack("miniature")
    given = pack.parameters.segmentation
    scenes = validation_scenes()
    with tempfile.TemporaryDirectory() as place:
        prototypes = PrototypeBuilder(pack).build(validation_captions()).prototypes
        trial = Trial(pack, scenes, prototypes, Path(place) / "bank")
        segmenter = Segmenter(pack, trial.store)
        usual = _propose(segmenter, scenes, given, ProposalParameters())
        results = _score("", scenes, usual)
        local = _propose(segmenter, scenes, given.replace(beta=1.0), ProposalParameters())
        results += _score("without_image_text_model_", scenes, local)
        for least in LEAST_AREAS:
            found = _propose(segmenter, scenes, given, ProposalParameters(least_area=least))
            results += _score(f"least_area_{least:g}_", scenes, found)
        everything = _propose(segmenter, scenes, given, ProposalParameters(least_area=0))
        results += _confidence(scenes, everything)
        named, automatic = trial.iou(given)[0], _mean_iou(segmenter, scenes, usual, given)
        results += [
            Result("mean_iou_all_nouns_named", named, "IoU"),
            Result("mean_iou_automatic", automatic, "IoU", "all nouns named", automatic / named),
        ]
        trial.close()
    return results
