"""The scene painter: the same seed, the same scene; labels and captions tell the truth."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.miniature.backgrounds import BACKGROUNDS
from freeda_svc.miniature.scenes import CROWDED, EASY, HARD, NOUNS, SIZE, SceneStyle, paint_scene
from freeda_svc.miniature.things import THINGS

styles = st.sampled_from([EASY, HARD, CROWDED])
numbers = st.integers(min_value=0, max_value=10_000)


@settings(deadline=None, max_examples=25)
@given(number=numbers, style=styles)
def test_same_seed_paints_the_same_scene(number: int, style: SceneStyle) -> None:
    first, second = paint_scene((0, number), style), paint_scene((0, number), style)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)
    assert first.caption == second.caption


def test_the_small_world_is_painted_as_ever() -> None:
    """Its pack, and every number that was measured with it, belong to these very scenes."""
    digest = hashlib.sha256()
    for style in (EASY, HARD, CROWDED):
        for number in range(20):
            scene = paint_scene((7, number), style, thing="boat" if number % 4 == 0 else None)
            digest.update(scene.labels.tobytes() + scene.caption.encode() + ",".join(scene.nouns).encode())
    assert digest.hexdigest() == "8a350a2494b10a9132891a2648b8970bc45e339afaf61c00d75d1a2b63e1c048"


def test_other_seeds_paint_other_scenes() -> None:
    assert not np.array_equal(paint_scene((0, 1), HARD).image, paint_scene((1, 1), HARD).image)


@settings(deadline=None, max_examples=40)
@given(number=numbers, style=styles)
def test_caption_names_what_is_shown_and_nothing_else(number: int, style: SceneStyle) -> None:
    scene = paint_scene((0, number), style)
    words = set(scene.caption.split())
    counts = np.bincount(scene.labels.ravel(), minlength=len(NOUNS))
    assert {noun for noun in NOUNS if noun in words} == set(scene.nouns)
    assert set(scene.nouns) == {noun for noun, count in zip(NOUNS, counts, strict=True) if count >= 8}


@settings(deadline=None, max_examples=25)
@given(number=numbers)
def test_scenes_have_the_documented_shapes_and_types(number: int) -> None:
    scene = paint_scene((0, number), HARD)
    assert scene.image.shape == (SIZE, SIZE, 3)
    assert scene.image.dtype == np.uint8
    assert scene.labels.shape == (SIZE, SIZE)
    assert scene.labels.max() < len(NOUNS)


@pytest.mark.parametrize("noun", [thing.noun for thing in THINGS])
def test_a_wanted_thing_is_placed(noun: str) -> None:
    shown = [noun in paint_scene((0, number), EASY, thing=noun).nouns for number in range(10)]
    assert all(shown)


def test_labels_follow_the_paint() -> None:
    """Where the labels say sun, the picture is yellow; where they say grass, it is green."""
    scene = next(
        scene
        for scene in (paint_scene((0, number), EASY, thing="sun") for number in range(100))
        if {"sun", "grass"} <= set(scene.nouns)
    )
    red, green, blue = scene.image[scene.labels == NOUNS.index("sun")].mean(axis=0)
    assert red > 200
    assert blue < 120
    red, green, blue = scene.image[scene.labels == NOUNS.index("grass")].mean(axis=0)
    assert green > max(red, blue)


def test_sky_is_above_the_horizon() -> None:
    for number in range(60):
        labels = paint_scene((0, number), EASY).labels
        sky = np.flatnonzero((labels == BACKGROUNDS.index("sky")).any(axis=1))
        for ground in ("grass", "sand", "water"):
            rows = np.flatnonzero((labels == BACKGROUNDS.index(ground)).any(axis=1))
            if len(sky) and len(rows):
                assert sky.max() < rows.min()
