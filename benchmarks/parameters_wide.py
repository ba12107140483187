"""Choosing the wide miniature pack's parameters on validation scenes that `freeda eval miniature` does not use.

Images are generated once and pooled anew for every threshold; then one parameter at a time is varied.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.parameters import generate, with_album
from benchmarks.results import Result
from freeda_svc.evaluation import OpenPlan, measure_open_vocabulary
from freeda_svc.evaluation.ablation import Variant
from freeda_svc.evaluation.miniature_world import validation_captions
from freeda_svc.miniature import WIDE
from freeda_svc.packs import load_pack
from freeda_svc.parameters import RefinementParameters, SegmentationParameters

PLAN = OpenPlan(captions=280, scenes=100, seeds=1, first_seed=5)
GAMMAS = (0.4, 0.45, 0.5, 0.55)
KS = (5, 10, 15, 20)
BETAS = (0.6, 0.7, 0.8, 0.9)
SCALES = (10.0, 20.0, 40.0)
VOTE_WEIGHTS = (0.02, 0.05)
NEAR = RefinementParameters(way="pamr", dilations=(1, 2, 4))


def _vary(given: SegmentationParameters) -> Mapping[str, SegmentationParameters]:
    """Return the pack's own parameters, and each of those that are tried in its place."""
    cut = given.superpixels
    plain = given.replace(refinement=given.refinement.replace(way="none"))
    return {
        "given": given,
        **{f"k_{k}": given.replace(k=k) for k in KS},
        **{f"beta_{beta}": given.replace(beta=beta) for beta in BETAS},
        **{f"scale_{scale:g}": given.replace(superpixels=cut.replace(scale=scale)) for scale in SCALES},
        **{f"votes_{weight}": given.replace(appearance_weight=weight) for weight in VOTE_WEIGHTS},
        "unrefined": plain,
        "refined": given.replace(refinement=NEAR),
        "refined_without_superpixels": given.replace(refinement=NEAR, superpixels=cut.replace(algorithm="none")),
    }


def run() -> list[Result]:
    """Return mean IoU of each question for each choice."""
    pack = load_pack("miniature-wide")
    images = generate(pack, validation_captions(PLAN.captions, WIDE, PLAN.first_seed))
    own = pack.parameters.prototypes.gamma
    results: list[Result] = []
    for gamma in sorted({*GAMMAS, own}):
        tried = _vary(pack.parameters.segmentation) if gamma == own else {"given": pack.parameters.segmentation}
        variants = [Variant("parameters", name, given) for name, given in tried.items()]
        with tempfile.TemporaryDirectory() as folder:
            scores = measure_open_vocabulary(
                with_album(pack, images, gamma), WIDE, Path(folder), PLAN, variants=variants
            )
        for score in scores:
            name = f"gamma_{gamma}" if score.variant == "given" else score.variant
            results.append(Result(f"{name}: {score.question}", score.values[0], "IoU"))
    return results
