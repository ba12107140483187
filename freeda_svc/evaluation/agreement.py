"""Whether masks stay when the encoders compute in another precision or by another runtime.

It is seen on the miniature pack, whose weights are trained and lie beside the code: prototypes are pooled in float32
under the masks of some scenes, and other scenes are segmented both ways.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.evaluation.metrics import ConfusionMatrix
from freeda_svc.evaluation.miniature_world import SCENES, VALIDATION_SPLIT, validation_scenes
from freeda_svc.miniature import HARD, NOUNS, paint_scene
from freeda_svc.packs import Pack, Precision, Runtime, load_pack
from freeda_svc.parameters import Category
from freeda_svc.prototypes import Prototype, pool_prototype
from freeda_svc.segmentation import Segmenter

PACK = "miniature"
MOST_POINTS = 0.3
"""Points of mean IoU by which both ways may differ."""

_PROTOTYPE_SEED = 7
_POOLED_SCENES = 60

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Agreement:
    """How masks of both ways compare.

    Attributes:
        scenes: how many were segmented.
        equal_labels: share of their pixels that got the same label both ways, 0 to 1.
        mean_iou: with the true labels, of the way in question, 0 to 1.
        mean_iou_float32: of float32 by torch.
        seconds: all scenes took in this way.
        seconds_float32: and in float32 by torch.
    """

    scenes: int
    equal_labels: float
    mean_iou: float
    mean_iou_float32: float
    seconds: float
    seconds_float32: float

    @property
    def points(self) -> float:
        """Difference of both mean IoUs, in points of 100."""
        return 100 * abs(self.mean_iou - self.mean_iou_float32)

    @property
    def agrees(self) -> bool:
        """Whether the difference is no more than ``MOST_POINTS``."""
        return self.points <= MOST_POINTS


def measure_agreement(
    precision: Precision, runtime: Runtime, scenes: int = SCENES, on_progress: OnProgress | None = None
) -> Agreement:
    """Segment validation scenes with encoders that compute in another way, and in float32 by torch.

    Args:
        precision: of the encoders, as `load_pack` takes it.
        runtime: that computes them, as `load_pack` takes it.
        scenes: how many are segmented.
        on_progress: is called with how many scenes are done, of how many.

    Raises:
        InputError: precision and runtime do not go together, or not on this machine.
        UnavailableError: the runtime is not installed, or the processor has no instructions for the precision.
    """
    exact, other = load_pack(PACK), load_pack(PACK, "cpu", precision, runtime=runtime)
    painted = validation_scenes(scenes)
    categories = [Category(noun) for noun in NOUNS]
    quality, quality_exact = ConfusionMatrix(len(NOUNS)), ConfusionMatrix(len(NOUNS))
    equal: list[float] = []
    seconds = [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder, _bank(exact, Path(folder) / "bank") as store:
        segmenters = Segmenter(other, store), Segmenter(exact, store)
        for segmenter in segmenters:  # the first call fetches class prototypes and compiles
            segmenter.segment(painted[0].image, categories)
        for done, scene in enumerate(painted, start=1):
            labels: list[npt.NDArray[np.int32]] = []
            for side, segmenter in enumerate(segmenters):
                started = perf_counter()
                labels.append(segmenter.segment(scene.image, categories).labels)
                seconds[side] += perf_counter() - started
            equal.append(float((labels[0] == labels[1]).mean()))
            quality.add(scene.labels, labels[0])
            quality_exact.add(scene.labels, labels[1])
            if on_progress is not None:
                on_progress(done, scenes)
    return Agreement(
        scenes, float(np.mean(equal)), quality.mean_iou(), quality_exact.mean_iou(), seconds[0], seconds[1]
    )


def _bank(pack: Pack, folder: Path) -> PrototypeStore:
    keys = dict(zip(NOUNS, pack.image_text.embed_nouns(NOUNS).numpy(), strict=True))
    prototypes: list[Prototype] = []
    for number in range(_POOLED_SCENES):
        scene = paint_scene((VALIDATION_SPLIT, _PROTOTYPE_SEED, number), HARD)
        pixels = torch.from_numpy(scene.image).permute(2, 0, 1)[None].float().div(255)
        features = pack.backbone.features(pixels)[0]
        for noun in scene.nouns:
            vector = pool_prototype(features, scene.labels == NOUNS.index(noun))
            if vector is not None:
                prototypes.append(_prototype(pack, noun, number, keys[noun], vector))
    store = make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    store.add(prototypes)
    return store


def _prototype(
    pack: Pack, noun: str, number: int, key: npt.NDArray[np.float32], vector: npt.NDArray[np.float32]
) -> Prototype:
    return Prototype(
        noun=noun,
        caption_id=f"{number:016x}",
        caption=f"a {noun}",
        spans=((2, 2 + len(noun)),),
        seed=0,
        key=key,
        vector=vector,
        mask_area=0.2,
        contrast=0.5,
        image_text_score=0.3,
        pack=pack.fingerprint,
    )
