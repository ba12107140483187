"""Whether labels stay when the encoders compute in bfloat16, on the miniature pack, whose weights are trained."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.results import Result
from freeda_svc.bank import QdrantStore, make_or_open_folder
from freeda_svc.evaluation import VALIDATION_SPLIT, ConfusionMatrix
from freeda_svc.miniature import HARD, NOUNS, paint_scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes import Prototype, pool_prototype
from freeda_svc.segmentation import Category, Segmenter

SCENES = 60
PACK = "miniature"

_PROTOTYPE_SPLIT = 5


def measure_bfloat16(scenes: int = SCENES) -> list[Result]:
    """Segment scenes in both precisions with prototypes pooled in float32 under the masks of other scenes.

    Args:
        scenes: how many are segmented, and how many prototypes are pooled from.
    """
    full, half = load_pack(PACK), load_pack(PACK, precision="bfloat16")
    given = [paint_scene((VALIDATION_SPLIT, number), HARD) for number in range(scenes)]
    categories = [Category(noun) for noun in NOUNS]
    equal = []
    quality = ConfusionMatrix(len(NOUNS)), ConfusionMatrix(len(NOUNS))
    with tempfile.TemporaryDirectory() as folder, _bank(full, Path(folder) / "bank", scenes) as store:
        sides = [Segmenter(pack, store).segment_many([one.image for one in given], categories) for pack in (full, half)]
        for scene, exact, rounded in zip(given, *sides, strict=True):
            equal.append(float((exact.labels == rounded.labels).mean()))
            quality[0].add(scene.labels, exact.labels)
            quality[1].add(scene.labels, rounded.labels)
    return [
        Result("bfloat16_equal_labels", float(np.mean(equal)), "of pixels", "float32"),
        Result(
            "bfloat16_mean_iou", quality[1].mean_iou(), "", "float32", quality[1].mean_iou() / quality[0].mean_iou()
        ),
    ]


def _bank(pack: Pack, folder: Path, scenes: int) -> QdrantStore:
    keys = dict(zip(NOUNS, pack.image_text.embed_nouns(NOUNS).numpy(), strict=True))
    prototypes = []
    for number in range(scenes):
        scene = paint_scene((_PROTOTYPE_SPLIT, number), HARD)
        features = pack.backbone.features(torch.from_numpy(scene.image).permute(2, 0, 1)[None].float().div(255))[0]
        for noun in scene.nouns:
            vector = pool_prototype(features, scene.labels == NOUNS.index(noun))
            if vector is not None:
                prototypes.append(_prototype(pack, noun, number, keys[noun], vector))
    store = make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    store.add(prototypes)
    return store


def _prototype(pack: Pack, noun: str, number: int, key: np.ndarray, vector: np.ndarray) -> Prototype:
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
