"""What curation does to segmentation on the miniature world: each criterion alone and together, by the share kept.

Validation scenes decide; the demonstration's test scenes are segmented once, before and after the default.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.results import Result
from benchmarks.validation import Trial, validation_captions, validation_scenes
from freeda_svc.bank.curation import CurationRule, apply_curation, assess, uncurate
from freeda_svc.captions import Caption, make_caption
from freeda_svc.demo import TEST_SPLIT, DemoPlan, write_captions
from freeda_svc.miniature import HARD, Scene, paint_scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes import PrototypeBuilder

KEPT = (0.6, 0.7, 0.8, 0.9)
RULES = {
    "agreement": CurationRule(agreement=1, image_text=0, contrast=0, area=0),
    "image_text": CurationRule(agreement=0, image_text=1, contrast=0, area=0),
    "contrast": CurationRule(agreement=0, image_text=0, contrast=1, area=0),
    "area": CurationRule(agreement=0, image_text=0, contrast=0, area=1),
    "combined": CurationRule(),
}


def _trial(pack: Pack, captions: Sequence[Caption], scenes: Sequence[Scene], folder: Path) -> Trial:
    return Trial(pack, scenes, PrototypeBuilder(pack).build(captions).prototypes, folder)


def _demonstration(pack: Pack, folder: Path) -> list[Result]:
    """The demonstration's own captions and test scenes."""
    plan = DemoPlan()
    made = (make_caption(text) for texts in write_captions(plan) for text in texts)
    scenes = [paint_scene((TEST_SPLIT, 0, number), HARD) for number in range(plan.scenes)]
    trial = _trial(pack, [caption for caption in made if caption is not None], scenes, folder)
    before = trial.iou(pack.parameters.segmentation)[0]
    report = assess(trial.store, CurationRule())
    apply_curation(trial.store, report)
    after = trial.iou(pack.parameters.segmentation)[0]
    trial.close()
    return [
        Result("test_mean_iou", before, "IoU"),
        Result("test_mean_iou_curated", after, "IoU", "the same bank before", after / before),
        Result("test_prototypes_marked", len(report.reasons), "prototypes"),
    ]


def run() -> list[Result]:
    """Try every criterion and share on validation scenes, then the default on the test scenes."""
    pack = load_pack("miniature")
    given = pack.parameters.segmentation
    with tempfile.TemporaryDirectory() as place:
        trial = _trial(pack, validation_captions(), validation_scenes(), Path(place) / "validation")
        plain = trial.iou(given)[0]
        results = [Result("validation_mean_iou", plain, "IoU")]
        for name, rule in RULES.items():
            for keep in KEPT:
                apply_curation(trial.store, assess(trial.store, replace(rule, keep=keep)))
                curated = trial.iou(given)[0]
                label = f"validation_mean_iou_{name}_{keep:g}"
                results.append(Result(label, curated, "IoU", "the same bank before", curated / plain))
        uncurate(trial.store)
        trial.close()
        return [*results, *_demonstration(pack, Path(place) / "test")]
