"""The thresholds of the miniature pack, on a bank of painted examples: pixels of what was not asked for are unknown."""

from collections.abc import Iterator

import numpy as np
import pytest

from freeda_svc.bank import make_or_open_folder
from freeda_svc.miniature.scenes import EASY, HARD, NOUNS, Scene, paint_scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.parameters import UnknownParameters
from freeda_svc.prototypes.exemplar_builder import ExemplarBuilder
from freeda_svc.prototypes.exemplars import make_exemplar
from freeda_svc.segmentation import UNKNOWN, Segmenter

EXAMPLES, SCENES = 40, 8


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("miniature")


@pytest.fixture(scope="module")
def segmenter(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Segmenter]:
    """With a bank of what was painted in some scenes."""
    painted = [paint_scene((31, number), EASY) for number in range(EXAMPLES)]
    examples = [
        make_exemplar(noun, scene.image, scene.labels == NOUNS.index(noun)) for scene in painted for noun in scene.nouns
    ]
    folder = tmp_path_factory.mktemp("bank")
    store = make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
    store.add(ExemplarBuilder(pack).build(examples).prototypes)
    yield Segmenter(pack, store)
    store.close()


def right_share(segmenter: Segmenter, scenes: list[Scene], unknown: UnknownParameters, pack: Pack) -> float:
    """Of the pixels of scenes that are asked for one noun each, how many are rightly it or rightly unknown."""
    right = 0
    for scene in scenes:
        noun = scene.nouns[-1]  # a thing, behind the backgrounds
        found = segmenter.segment(scene.image, [noun], pack.parameters.segmentation.replace(unknown=unknown))
        right += int(((found.labels == UNKNOWN) == (scene.labels != NOUNS.index(noun))).sum())
    return right / sum(scene.labels.size for scene in scenes)


@pytest.mark.parametrize("way", ["channel", "local_before", "local_after"])
def test_what_was_not_asked_for_is_unknown(segmenter: Segmenter, pack: Pack, way: str) -> None:
    scenes = [paint_scene((32, number), HARD) for number in range(SCENES)]
    chosen = pack.parameters.segmentation.unknown.replace(way=way)
    without = right_share(segmenter, scenes, UnknownParameters(), pack)
    assert right_share(segmenter, scenes, UnknownParameters(way=way), pack) == without  # the released code's 0.4
    assert right_share(segmenter, scenes, chosen, pack) > 0.85 > 2 * without


def test_what_was_asked_for_is_hardly_ever(segmenter: Segmenter, pack: Pack) -> None:
    scenes = [paint_scene((32, number), HARD) for number in range(SCENES)]
    for way in ("channel", "local_before", "local_after"):
        parameters = pack.parameters.segmentation.replace(unknown=pack.parameters.segmentation.unknown.replace(way=way))
        found = [segmenter.segment(scene.image, NOUNS, parameters) for scene in scenes]
        assert np.mean([one.unknown_share for one in found]) < 0.1, way
