"""What the demonstration works on: captions to learn from, scenes to segment, and one noun that comes later."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.miniature.scenes import EASY, HARD, NOUNS, paint_scene
from freeda_svc.miniature.things import THINGS

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


@dataclass(frozen=True)
class LabelledScene:
    """A scene on disk and what it truly shows: labels are indices into ``NOUNS``, (64, 64) uint8."""

    path: Path
    labels: npt.NDArray[np.uint8]


def write_captions(plan: DemoPlan) -> tuple[list[str], list[str]]:
    """Return the captions of the first bank, balanced over things, and those that teach the extension noun.

    Captions are distinct; they describe scenes that no model was trained on and that are not among the test scenes.
    """
    known = [thing.noun for thing in THINGS if thing.noun != plan.extension_noun]
    base: dict[str, None] = {}
    number = 0
    while len(base) < plan.captions:
        scene = paint_scene((CAPTION_SPLIT, 0, number), EASY, thing=known[number % len(known)])
        if plan.extension_noun not in scene.nouns:
            base[scene.caption] = None
        number += 1
    extension: dict[str, None] = {}
    number = 0
    while len(extension) < plan.extension_captions:
        scene = paint_scene((CAPTION_SPLIT, 1, number), EASY, thing=plan.extension_noun)
        if plan.extension_noun in scene.nouns:
            extension[scene.caption] = None
        number += 1
    return list(base), list(extension)


def write_scenes(folder: Path, count: int, *, split: int = TEST_SPLIT) -> list[LabelledScene]:
    """Paint the test scenes as PNG files into ``folder`` and return them with their true labels."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes: list[LabelledScene] = []
    for number in range(count):
        scene = paint_scene((split, 0, number), HARD)
        path = folder / f"scene-{number:03d}.png"
        Image.fromarray(scene.image).save(path)
        scenes.append(LabelledScene(path, scene.labels))
    return scenes


def wrong_nouns() -> dict[str, str]:
    """Return another noun for every noun, the control: each class gets another class's prototypes."""
    return {noun: NOUNS[(index + 5) % len(NOUNS)] for index, noun in enumerate(NOUNS)}
