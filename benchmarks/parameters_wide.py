"""Choosing the wide miniature pack's parameters on validation scenes that `freeda eval miniature` does not use.

Images are generated once and pooled anew for every threshold; one parameter at a time is varied around the small
pack's.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.parameters import generate, with_album
from benchmarks.results import Result
from freeda_svc.evaluation import OpenPlan, measure_open_vocabulary
from freeda_svc.evaluation.ablation import NEAR, Variant, pamr
from freeda_svc.evaluation.miniature_world import validation_captions
from freeda_svc.miniature import WIDE
from freeda_svc.packs import load_pack, read_pack_parameters
from freeda_svc.parameters import SegmentationParameters

PLAN = OpenPlan(captions=280, scenes=100, seeds=1, first_seed=5)
GAMMAS = (0.4, 0.45, 0.5, 0.55)
KS = (5, 10, 15, 20)
BETAS = (0.6, 0.7, 0.8, 0.9)
SCALES = (10.0, 20.0, 40.0)
VOTE_WEIGHTS = (0.02, 0.05)


def _vary(given: SegmentationParameters) -> Mapping[str, SegmentationParameters]:
    """Return the given parameters, and each of those that are tried in their place."""
    cut = given.superpixels
    return {
        "given": given,
        **{f"k_{k}": given.replace(k=k) for k in KS},
        **{f"beta_{beta}": given.replace(beta=beta) for beta in BETAS},
        **{f"scale_{scale:g}": given.replace(superpixels=cut.replace(scale=scale)) for scale in SCALES},
        **{f"votes_{weight}": given.replace(appearance_weight=weight) for weight in VOTE_WEIGHTS},
        "refined": given.replace(refinement=pamr(NEAR)),
        "refined_without_superpixels": given.replace(refinement=pamr(NEAR), superpixels=cut.replace(algorithm="none")),
    }


def run() -> list[Result]:
    """Return mean IoU of each question for each choice."""
    pack = load_pack("miniature-wide")
    images = generate(pack, validation_captions(PLAN.captions, WIDE, PLAN.first_seed))
    small = read_pack_parameters("miniature").parameters
    own, given = small.prototypes.gamma, small.segmentation
    results: list[Result] = []
    for gamma in sorted({*GAMMAS, own}):
        tried = _vary(given) if gamma == own else {"given": given}
        variants = [Variant("parameters", name, parameters) for name, parameters in tried.items()]
        with tempfile.TemporaryDirectory() as folder:
            scores = measure_open_vocabulary(
                with_album(pack, images, gamma), WIDE, Path(folder), PLAN, variants=variants
            )
        for score in scores:
            name = f"gamma_{gamma}" if score.variant == "given" else score.variant
            results.append(Result(f"{name}: {score.question}", score.values[0], "IoU"))
    return results
