"""The demonstration's data: captions, scenes to segment, a noun that is taught later; and scores of masks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.evaluation import ConfusionMatrix
from freeda_svc.miniature import EASY, HARD, NOUNS, THINGS, Scene, paint_scene

TEST_SPLIT = 2
CAPTION_SPLIT = 3


@dataclass(frozen=True)
class DemoPlan:
    """The size of a demonstration.

    Attributes:
        captions: how many captions fill the bank at first; none names the extension noun.
        extension_captions: how many captions teach the extension noun afterwards.
        scenes: how many test scenes are segmented.
        extension_noun: a thing that the backbone's training never labelled.
    """

    captions: int = 240
    extension_captions: int = 24
    scenes: int = 120
    extension_noun: str = "moon"


@dataclass(frozen=True, eq=False)
class LabelledScene:
    """A scene on disk and what it truly shows: labels are indices into ``NOUNS``, (64, 64) uint8."""

    path: Path
    labels: npt.NDArray[np.uint8]


def distinct_captions(scenes: Iterable[Scene], wanted: int) -> list[str]:
    """Return the first ``wanted`` different captions of scenes, in order; no more scenes are taken than needed."""
    found: dict[str, None] = {}
    for scene in scenes:
        found[scene.caption] = None
        if len(found) == wanted:
            break
    return list(found)


def write_captions(plan: DemoPlan) -> tuple[list[str], list[str]]:
    """Return the captions of the first bank, balanced over things, and those that teach the extension noun.

    Captions are distinct; they describe scenes that no model was trained on and that are not among the test scenes.
    """
    new = plan.extension_noun
    known = cycle(thing.noun for thing in THINGS if thing.noun != new)
    first = (paint_scene((CAPTION_SPLIT, 0, number), EASY, thing=noun) for number, noun in enumerate(known))
    teaching = (paint_scene((CAPTION_SPLIT, 1, number), EASY, thing=new) for number in count())
    return (
        distinct_captions((scene for scene in first if new not in scene.nouns), plan.captions),
        distinct_captions((scene for scene in teaching if new in scene.nouns), plan.extension_captions),
    )


def write_scenes(folder: Path, wanted: int, *, split: int = TEST_SPLIT) -> list[LabelledScene]:
    """Paint the test scenes as PNG files into ``folder`` and return them with their true labels."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes: list[LabelledScene] = []
    for number in range(wanted):
        scene = paint_scene((split, 0, number), HARD)
        path = folder / f"scene-{number:03d}.png"
        Image.fromarray(scene.image).save(path)
        scenes.append(LabelledScene(path, scene.labels))
    return scenes


def wrong_nouns() -> dict[str, str]:
    """Return another noun for every noun, the control: each class gets another class's prototypes."""
    return {noun: NOUNS[(index + 5) % len(NOUNS)] for index, noun in enumerate(NOUNS)}


@dataclass(frozen=True)
class Scores:
    """Agreement over all scenes: mean IoU over the nouns, IoU of each noun, share of right pixels; all 0 to 1.

    The IoU of a noun that is neither in the truth nor in the masks is None.
    """

    mean_iou: float
    iou: dict[str, float | None]
    pixel_accuracy: float


def score_masks(scenes: Sequence[LabelledScene], masks: Sequence[Path]) -> Scores:
    """Compare the masks, whose labels are positions in ``NOUNS``, with the scenes' true labels."""
    confusion = ConfusionMatrix(len(NOUNS))
    for scene, mask in zip(scenes, masks, strict=True):
        confusion.add(scene.labels, np.asarray(Image.open(mask)))
    iou = dict(zip(NOUNS, (None if np.isnan(value) else float(value) for value in confusion.iou()), strict=True))
    return Scores(confusion.mean_iou(), iou, confusion.pixel_accuracy())
