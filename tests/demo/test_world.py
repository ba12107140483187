"""What the demonstration works on keeps learning and testing apart."""

from pathlib import Path

import numpy as np
from PIL import Image

from freeda_svc.demo.world import DemoPlan, write_captions, write_scenes, wrong_nouns
from freeda_svc.miniature.scenes import NOUNS
from freeda_svc.miniature.things import THINGS
from freeda_svc.miniature.training.backbone import UNSEEN_NOUNS


def test_first_captions_never_name_the_extension_noun() -> None:
    plan = DemoPlan(captions=60, extension_captions=8)
    base, extension = write_captions(plan)
    assert len(set(base)) == 60
    assert len(set(extension)) == 8
    assert not any(plan.extension_noun in caption.split() for caption in base)
    assert all(plan.extension_noun in caption.split() for caption in extension)


def test_every_other_thing_is_named_often_enough() -> None:
    plan = DemoPlan(captions=90)
    base, _ = write_captions(plan)
    for thing in THINGS:
        if thing.noun != plan.extension_noun:
            assert sum(thing.noun in caption.split() for caption in base) >= 8


def test_extension_noun_was_never_labelled_for_the_backbone() -> None:
    assert DemoPlan().extension_noun in UNSEEN_NOUNS


def test_scenes_are_written_as_they_are_labelled(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", 3)
    assert len(list((tmp_path / "scenes").glob("*.png"))) == 3
    for scene in scenes:
        assert np.asarray(Image.open(scene.path)).shape == (*scene.labels.shape, 3)
    assert not np.array_equal(scenes[0].labels, scenes[1].labels)


def test_control_gives_every_noun_another_one() -> None:
    wrong = wrong_nouns()
    assert set(wrong) == set(wrong.values()) == set(NOUNS)
    assert all(noun != other for noun, other in wrong.items())
