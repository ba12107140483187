"""The miniature world's validation scenes, and how well prototypes segment them. The demonstration's take no part."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from freeda_svc.bank import EmbeddedStore
from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.demo.world import distinct_captions
from freeda_svc.evaluation import ConfusionMatrix
from freeda_svc.miniature.scenes import EASY, HARD, NOUNS, Scene, paint_scene
from freeda_svc.miniature.things import THINGS
from freeda_svc.packs import Pack, SegmentationParameters
from freeda_svc.prototypes import Prototype
from freeda_svc.segmentation import Category, Segmenter

VALIDATION_SPLIT = 1
CAPTIONS, SCENES = 280, 100


def validation_captions() -> list[Caption]:
    """Captions to make prototypes from, every noun in as many of them."""
    things = cycle(thing.noun for thing in THINGS)
    scenes = (paint_scene((VALIDATION_SPLIT, 5, number), EASY, thing=noun) for number, noun in enumerate(things))
    made = (make_caption(text) for text in distinct_captions(scenes, CAPTIONS))
    return [caption for caption in made if caption is not None]


def validation_scenes() -> list[Scene]:
    """Scenes with their true labels."""
    return [paint_scene((VALIDATION_SPLIT, 6, number), HARD) for number in range(SCENES)]


class Trial:
    """Scores of one set of prototypes on scenes; ``store`` is the bank they are in."""

    def __init__(self, pack: Pack, scenes: Sequence[Scene], prototypes: Sequence[Prototype], folder: Path) -> None:
        """Make a bank of the prototypes in a folder."""
        self._scenes = scenes
        self.store = EmbeddedStore.open(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
        self.store.add(prototypes)
        self._segmenter = Segmenter(pack, self.store)

    def iou(self, parameters: SegmentationParameters) -> tuple[float, dict[str, float]]:
        """Return the mean IoU and that of each noun."""
        confusion = ConfusionMatrix(len(NOUNS))
        found = self._segmenter.segment_many(
            (scene.image for scene in self._scenes), [Category(noun) for noun in NOUNS], parameters
        )
        for scene, segmentation in zip(self._scenes, found, strict=True):
            confusion.add(scene.labels, segmentation.labels)
        return confusion.mean_iou(), dict(zip(NOUNS, confusion.iou().tolist(), strict=True))

    def close(self) -> None:
        """Release the bank."""
        self.store.close()
