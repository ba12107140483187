"""The miniature world's validation scenes, and how well prototypes segment them. The demonstration's take no part."""

from collections.abc import Sequence
from pathlib import Path

from freeda_svc.bank import make_or_open_folder
from freeda_svc.evaluation import VALIDATION_SPLIT, ConfusionMatrix, validation_captions, validation_scenes
from freeda_svc.miniature import NOUNS, Scene
from freeda_svc.packs import Pack
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.prototypes import Prototype
from freeda_svc.segmentation import Category, Segmenter

__all__ = ["VALIDATION_SPLIT", "Trial", "validation_captions", "validation_scenes"]


class Trial:
    """Scores of one set of prototypes on scenes; ``store`` is the bank they are in."""

    def __init__(self, pack: Pack, scenes: Sequence[Scene], prototypes: Sequence[Prototype], folder: Path) -> None:
        """Make a bank of the prototypes in a folder."""
        self._scenes = scenes
        self.store = make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
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
