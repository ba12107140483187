"""How many captions a noun needs: mean IoU on the miniature world's validation scenes by captions a noun.

One bank's prototypes are made from the validation captions; then each noun keeps those of only so many captions, drawn
at random, twice. Every noun has as many, so that the numbers say nothing of nouns that are missing.
"""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.results import Result
from benchmarks.validation import Trial, validation_captions, validation_scenes
from freeda_svc.miniature.scenes import NOUNS
from freeda_svc.packs import load_pack
from freeda_svc.prototypes import Prototype, PrototypeBuilder

COUNTS = (1, 2, 5, 10, 20)
CAPTIONS, SCENES = 220, 60
DRAWS = 2


def _of_few_captions(made: list[Prototype], count: int, rng: np.random.Generator) -> list[Prototype]:
    """The prototypes of ``count`` captions of each noun, drawn at random."""
    kept: list[Prototype] = []
    for noun in NOUNS:
        of_noun = [prototype for prototype in made if prototype.noun == noun]
        captions = sorted({prototype.caption for prototype in of_noun})
        drawn = set(rng.permutation(captions)[:count])
        kept += [prototype for prototype in of_noun if prototype.caption in drawn]
    return kept


def run() -> list[Result]:
    """Segment the validation scenes with banks of 1 to 20 captions a noun, and with all captions."""
    pack = load_pack("miniature")
    made = list(PrototypeBuilder(pack).build(validation_captions(CAPTIONS)).prototypes)
    fewest = min(len({p.caption for p in made if p.noun == noun}) for noun in NOUNS)
    scenes, given = validation_scenes(SCENES), pack.parameters.segmentation
    results = []
    with tempfile.TemporaryDirectory() as place:

        def miou(prototypes: list[Prototype], name: str) -> float:
            trial = Trial(pack, scenes, prototypes, Path(place) / name)
            found = trial.iou(given)[0]
            trial.close()
            return found

        for count in COUNTS:
            draws = [
                miou(_of_few_captions(made, count, np.random.default_rng((count, draw))), f"{count}-{draw}")
                for draw in range(DRAWS if count <= fewest else 0)
            ]
            if draws:
                results.append(Result(f"{count}_captions_a_noun_mean_iou", float(np.mean(draws)), "IoU"))
                results.append(Result(f"{count}_captions_a_noun_worst_draw", float(min(draws)), "IoU"))
        results.append(Result("all_captions_mean_iou", miou(made, "all"), "IoU", f"{fewest} or more captions a noun"))
    return results
