"""Which threshold tells pixels that belong to none of the categories, chosen on validation scenes.

Only some of the world's nouns are asked for; the pixels of the others are to be unknown. How many are asked for is
varied, because a threshold that suits one category alone would eat those of a full list.
"""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.results import Result
from benchmarks.validation import Trial, validation_captions, validation_scenes
from freeda_svc.evaluation import ConfusionMatrix
from freeda_svc.miniature import NOUNS, Scene
from freeda_svc.packs import load_pack
from freeda_svc.parameters import SegmentationParameters, UnknownParameters, UnknownWay
from freeda_svc.prototypes import PrototypeBuilder
from freeda_svc.segmentation import UNKNOWN, Category, Segmentation, Segmenter

SCENES = 40
THRESHOLDS = (0.4, 0.56, 0.58, 0.6, 0.62, 0.64, 0.66)
ASKED = {1: 4, 7: 2, 13: 2, 14: 1}
"""How many nouns are asked for, and how many such lists are tried."""
LOCAL_WAYS: tuple[UnknownWay, ...] = ("local_before", "local_after")

Labels = npt.NDArray[np.int32]


def _lists(count: int, lists: int) -> list[tuple[int, ...]]:
    """Lists of nouns by their positions, which begin at as many places of the whole list."""
    step = -(-len(NOUNS) // lists)
    return [tuple((start + place) % len(NOUNS) for place in range(count)) for start in range(0, step * lists, step)]


def _mean_iou(scenes: Sequence[Scene], asked: Sequence[int], found: Iterable[Labels]) -> float:
    """Mean IoU of the nouns that were asked for and, where there are others, of what is unknown."""
    confusion = ConfusionMatrix(len(asked) + 1)
    classes = np.zeros(len(NOUNS), dtype=np.int64)  # the first is for what was not asked for
    classes[list(asked)] = np.arange(1, len(asked) + 1)
    for scene, labels in zip(scenes, found, strict=True):
        confusion.add(classes[scene.labels], labels + 1)
    ious = confusion.iou()
    return float(np.nanmean(ious if len(asked) < len(NOUNS) else ious[1:]))


def _constant(segmentation: Segmentation, threshold: float) -> Labels:
    """What the way ``channel`` makes of a segmentation that has no unknown pixels."""
    assert segmentation.pixel_scores is not None
    return np.where(segmentation.pixel_scores <= threshold, UNKNOWN, segmentation.labels)


def _scores(
    segmenter: Segmenter, scenes: Sequence[Scene], asked: Sequence[int], given: SegmentationParameters
) -> dict[str, float]:
    """Return the mean IoU of every way with every threshold, and without any."""
    categories = [Category(NOUNS[place]) for place in asked]
    images = [scene.image for scene in scenes]
    plain = list(segmenter.segment_many(images, categories, given))
    scores = {"none": _mean_iou(scenes, asked, (one.labels for one in plain))}
    for threshold in THRESHOLDS:
        scores[f"channel_{threshold:g}"] = _mean_iou(scenes, asked, (_constant(one, threshold) for one in plain))
        for way in LOCAL_WAYS:
            parameters = given.replace(unknown=UnknownParameters(way=way, local_threshold=threshold))
            found = segmenter.segment_many(images, categories, parameters)
            scores[f"{way}_{threshold:g}"] = _mean_iou(scenes, asked, (one.labels for one in found))
    return scores


def run() -> list[Result]:
    """Try every way with every threshold; ``mean`` is that over the numbers of nouns asked for."""
    pack = load_pack("miniature")
    scenes = validation_scenes(SCENES)
    given = pack.parameters.segmentation.replace(unknown=UnknownParameters())
    means: dict[str, list[float]] = {}
    results = []
    with tempfile.TemporaryDirectory() as place:
        trial = Trial(
            pack, scenes, PrototypeBuilder(pack).build(validation_captions()).prototypes, Path(place) / "bank"
        )
        segmenter = Segmenter(pack, trial.store)
        for count, lists in ASKED.items():
            tried = [_scores(segmenter, scenes, asked, given) for asked in _lists(count, lists)]
            for name in tried[0]:
                mean = float(np.mean([scores[name] for scores in tried]))
                means.setdefault(name, []).append(mean)
                results.append(Result(f"{name}_of_{count}_nouns", mean, "IoU"))
        trial.close()
    return [*(Result(f"{name}_mean", float(np.mean(of_counts)), "IoU") for name, of_counts in means.items()), *results]
