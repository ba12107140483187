"""The wide painted world: kinds, synonyms, and words that only some captions know."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freeda_svc.captions import NounParser
from freeda_svc.miniature import WIDE, Reader, Scene, SceneStyle, paint_scene
from freeda_svc.miniature.worlds import SMALL, WORLDS, World

numbers = st.integers(min_value=0, max_value=10_000)
styles = st.sampled_from([WIDE.easy, WIDE.hard, WIDE.crowded])
readers = st.sampled_from(["generator", "image_text", "nobody"])
THINGS = {thing.noun: thing for thing in WIDE.things}
NAMES = tuple(name for thing in WIDE.things for name in (thing.noun, *thing.synonyms, *thing.rare_synonyms))


def concepts_of(caption: str) -> set[str]:
    """What a caption names, found without the painter's help: the longest words first, so that a boat is no kind."""
    meaning = {kind: kind for kind in WIDE.kinds} | {ground: ground for ground in WIDE.backgrounds}
    for thing in WIDE.things:
        meaning |= dict.fromkeys((thing.noun, *thing.synonyms, *thing.rare_synonyms), thing.noun)
    words = "|".join(sorted(map(re.escape, meaning), key=len, reverse=True))
    return {meaning[word] for word in re.findall(rf"\b({words})\b", caption)}


def paint(number: int, style: SceneStyle, reader: Reader) -> Scene:
    return paint_scene((0, number), style, world=WIDE, reader=reader)


@settings(deadline=None, max_examples=40)
@given(number=numbers, style=styles, reader=readers)
def test_captions_name_what_is_shown_and_nothing_else(number: int, style: SceneStyle, reader: Reader) -> None:
    scene = paint(number, style, reader)
    assert concepts_of(scene.caption) == set(scene.named)
    things = {noun for noun in scene.nouns if noun in THINGS}
    kinds = {THINGS[noun].kind for noun in things}
    for concept in scene.named:
        assert concept in {*scene.nouns, *kinds}
    for noun in things:
        assert {noun, THINGS[noun].kind} & set(scene.named)


@settings(deadline=None, max_examples=20)
@given(number=numbers, style=styles)
def test_labels_are_what_is_shown(number: int, style: SceneStyle) -> None:
    scene = paint(number, style, "nobody")
    counts = np.bincount(scene.labels.ravel(), minlength=len(WIDE.nouns))
    assert set(scene.nouns) == {noun for noun, count in zip(WIDE.nouns, counts, strict=True) if count >= 8}


@pytest.mark.parametrize(
    ("reader", "known"),
    [
        ("generator", {"captions"}),
        ("image_text", {"captions", "image_text"}),
        ("nobody", {"captions", "image_text", "exemplars", "nothing"}),
    ],
)
def test_a_reader_is_shown_only_what_it_may_know(reader: Reader, known: set[str]) -> None:
    seen = set()
    for number in range(150):
        scene = paint(number, WIDE.crowded, reader)
        seen |= {THINGS[noun].known_by for noun in scene.nouns if noun in THINGS}
    assert seen == known


def test_banks_are_never_told_what_only_the_image_text_model_knows() -> None:
    captions = " ".join(paint(number, WIDE.easy, "generator").caption for number in range(400)).split()
    rare = {word for thing in WIDE.things for word in thing.rare_synonyms}
    alone = {noun for noun, thing in THINGS.items() if thing.known_by != "captions"}
    assert not {*rare, *alone, *WIDE.kinds} - {"boat"} & set(captions)
    assert "truck" in captions
    taught = " ".join(paint(number, WIDE.hard, "image_text").caption for number in range(400)).split()
    assert {*rare, *WIDE.kinds} <= set(taught)
    assert not {noun for noun, thing in THINGS.items() if thing.known_by in {"exemplars", "nothing"}} & set(taught)


def test_there_are_about_thirty_things_and_every_group_of_words_has_some() -> None:
    assert 28 <= len(WIDE.things) <= 36
    for known_by, fewest in (("captions", 20), ("image_text", 3), ("exemplars", 3), ("nothing", 2)):
        assert sum(thing.known_by == known_by for thing in WIDE.things) >= fewest
    assert all(len(nouns) >= 2 for nouns in WIDE.kinds.values())
    assert WIDE.kinds["vehicle"] == ("car", "lorry", "bus")
    assert {"sailing boat", "rowing boat"} < set(WIDE.kinds["boat"])
    assert {"fir", "palm"} < set(WIDE.kinds["tree"])


def test_a_word_means_one_thing() -> None:
    words = [*NAMES, *WIDE.kinds, *WIDE.backgrounds]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_every_thing_can_be_placed_and_looks_like_itself(world: World) -> None:
    outlines = set()
    for thing in world.things:
        scene = paint_scene((0, 3), world.easy, thing=thing.noun, world=world, reader="nobody")
        label = world.nouns.index(thing.noun)
        assert (scene.labels == label).sum() > 60, thing.noun
        outlines.add((scene.labels == label).tobytes())
        for shape in thing.shapes:
            assert all(abs(value) <= 1.05 for point in shape.points for value in point), thing.noun
    assert len(outlines) == len(world.things)


def test_relations_are_true() -> None:
    """One thing above another is higher, one in front of another is whole where they overlap."""
    style = SceneStyle(things=(2, 2), half_width=(10.0, 14.0), overlap=0.6)
    seen = set()
    for number in range(600):
        scene = paint(number, style, "nobody")
        found = re.search(r"(above|over|below|under|in front of|behind) (?:a|an|the) ", scene.caption)
        things = [noun for noun in scene.nouns if noun in THINGS]
        if not found or len(things) != 2 or not any(scene.caption[: found.start()].count(noun) for noun in things):
            continue
        first, second = sorted(things, key=scene.caption.index)
        if scene.caption.index(second) < found.start():
            continue  # "... above the sand"
        rows = [np.flatnonzero((scene.labels == WIDE.nouns.index(noun)).any(axis=1)).mean() for noun in (first, second)]
        word = found.group(1)
        seen.add(word)
        if word in {"above", "over"}:
            assert rows[0] < rows[1], scene.caption
        elif word in {"below", "under"}:
            assert rows[0] > rows[1], scene.caption
    assert {"above", "below", "in front of", "behind"} <= seen
    assert not any(
        relation in paint_scene((0, number), SMALL.crowded).caption
        for relation in ("behind", "in front of", "below")
        for number in range(100)
    )


def test_hard_scenes_are_harder_than_those_of_the_small_world() -> None:
    def shown(world: World) -> float:
        return float(np.mean([len(paint_scene((0, n), world.hard, world=world).nouns) for n in range(100)]))

    assert shown(WIDE) > shown(SMALL) + 1
    assert WIDE.hard.overlap > SMALL.hard.overlap


def test_the_parser_finds_the_words_of_captions_for_banks() -> None:
    parser = NounParser()
    scenes = [paint(number, WIDE.easy, "generator") for number in range(120)]
    meaning = {word.text: word.concept for word in WIDE.vocabulary("generator")}
    for scene, nouns in zip(scenes, parser.parse([scene.caption for scene in scenes]), strict=True):
        found = {meaning.get(noun.text, noun.text) for noun in nouns}
        assert found - {"boat"} == set(scene.named), scene.caption  # it takes the head of "sailing boat", too


def test_the_documentation_lists_its_words() -> None:
    text = (Path(__file__).parents[2] / "docs/miniature/wide-world.md").read_text(encoding="utf-8")
    for thing in WIDE.things:
        if thing.known_by == "captions":
            words = (thing.noun, ", ".join(thing.synonyms), ", ".join(thing.rare_synonyms), thing.kind)
            assert f"| {' | '.join(words)} |" in text
        else:
            assert f" {thing.noun}" in text
    assert f"has {len(WIDE.things)} things on {len(WIDE.backgrounds)} backgrounds" in text
