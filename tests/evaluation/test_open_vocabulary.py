"""Asking a painted world for words that its bank has, and for words that it has not."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import PrototypeStore, Selection
from freeda_svc.evaluation import open_vocabulary
from freeda_svc.evaluation.evaluating import ClassScore, Evaluation
from freeda_svc.evaluation.miniature_world import validation_captions, validation_scenes, write_validation_set
from freeda_svc.evaluation.open_vocabulary import (
    EXEMPLARS_EACH,
    OpenPlan,
    OpenScore,
    Question,
    list_open_variants,
    list_questions,
    measure_open_vocabulary,
    paint_exemplars,
)
from freeda_svc.miniature import SMALL, WIDE
from freeda_svc.packs import load_pack
from tests.tiny_wide_pack import make_tiny_wide_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_wide_pack(tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Question]:
    scenes = write_validation_set(tmp_path_factory.mktemp("scenes"), 3, WIDE)
    return {question.name: question for question in list_questions(WIDE, scenes)}


def test_every_thing_is_asked_for_in_one_way_or_another(questions: dict[str, Question]) -> None:
    known = [*questions["words of the bank"].counted, *questions["words of the image-text model only"].counted]
    known += [*questions["words with exemplars only"].counted, *questions["words that nothing knows"].counted]
    assert sorted(known) == sorted(thing.noun for thing in WIDE.things)
    assert all(set(question.counted) <= set(question.dataset.classes) for question in questions.values())


def test_synonyms_are_asked_for_that_no_caption_of_a_bank_has(questions: dict[str, Question]) -> None:
    asked = questions["synonyms that the bank does not know"]
    texts = {category.name: category.text for category in asked.dataset.categories}
    assert (texts["lorry"], texts["bus"], texts["sailing boat"]) == (None, "coach", "yacht")
    assert set(asked.counted) == {name for name, text in texts.items() if text}
    said = " ".join(caption.text for caption in validation_captions(120, WIDE)).split()
    assert not {text for text in texts.values() if text} & set(said)


def test_a_general_word_is_true_of_all_things_of_its_kind(questions: dict[str, Question]) -> None:
    general, plain = questions["kinds, by the general word"].dataset, questions["words of the bank"].dataset
    assert general.classes[:8] == ("sky", "grass", "sand", "water", "snow", "road", "boat", "tree")
    assert "bus" not in general.classes
    assert "sun" in general.classes
    kind = {noun: kind for kind, nouns in WIDE.kinds.items() for noun in nouns}
    for image in plain.images:
        nouns, kinds = plain.values.read(image.labels), general.values.read(image.labels)
        for noun, found in zip(nouns.ravel(), kinds.ravel(), strict=True):
            name = plain.classes[noun]
            assert general.classes[found] == kind.get(name, name)


def test_a_world_in_which_all_words_are_known_has_one_question(tmp_path: Path) -> None:
    (question,) = list_questions(SMALL, write_validation_set(tmp_path, 1))
    assert question.name == "words of the bank"


def test_only_the_classes_that_count_are_averaged() -> None:
    classes = (ClassScore("sky", 0.9, 0.9, 9), ClassScore("fir", 0.5, 0.5, 5), ClassScore("oak", 0.0, 0.0, 4))
    evaluation = Evaluation("x", 1, 0.1, 0.1, 0.1, (*classes, ClassScore("palm", None, None, 0)))
    asked = Question("x", None, ("fir", "oak", "palm"))  # type: ignore[arg-type]
    assert asked.score(evaluation) == pytest.approx(0.25)
    assert Question("x", None, ("palm",)).score(evaluation) is None  # type: ignore[arg-type]


def test_intervals_are_those_of_students_t() -> None:
    score = OpenScore("x", "y", (0.70, 0.72, 0.74, 0.76, 0.78))
    assert score.mean == pytest.approx(0.74)
    assert score.half_width == pytest.approx(2.7764 * 0.0316228 / 5**0.5, abs=1e-5)
    assert OpenScore("x", "y", (0.5,)).half_width is None
    assert OpenScore("x", "y", ()).mean is None


def test_seeds_have_captions_scenes_and_exemplars_of_their_own() -> None:
    first, second = ({caption.text for caption in validation_captions(40, WIDE, seed)} for seed in (0, 1))
    assert len(first & second) < 20
    one, other = (validation_scenes(1, WIDE, seed)[0] for seed in (0, 1))
    assert not np.array_equal(one.image, other.image)
    examples = [{exemplar.id for exemplar in paint_exemplars(WIDE, seed)} for seed in (0, 1)]
    assert len(examples[0] | examples[1]) == 2 * EXEMPLARS_EACH * 3


def test_exemplars_show_what_they_are_called() -> None:
    examples = paint_exemplars(WIDE)
    assert [one.noun for one in examples] == [
        noun for noun in ("crab", "kite", "rocket") for _ in range(EXEMPLARS_EACH)
    ]
    assert all(one.mask.sum() >= 60 for one in examples)
    assert paint_exemplars(SMALL) == []


@pytest.mark.parametrize(("way", "other"), [("none", "PAMR beside superpixels"), ("pamr", "without PAMR")])
def test_ways_to_segment_change_one_thing(pack: Path, way: str, other: str) -> None:
    given = load_pack(str(pack)).parameters.segmentation
    given = given.replace(refinement=given.refinement.replace(way=way))
    variants = {variant.name: variant for variant in list_open_variants(given)}
    plain = variants["the pack's parameters"]
    assert plain.parameters == given.replace(origins=("generated",))
    assert variants["curation, keep 0.8"].keep == 0.8
    assert variants["with exemplars"].parameters == given
    assert variants["PAMR instead of superpixels"].parameters.refinement.way == "pamr"
    assert variants[other].parameters.refinement.way != way
    assert variants[other].parameters.replace(refinement=given.refinement) == plain.parameters
    assert [name for name, variant in variants.items() if variant.true_regions] == ["true regions"]
    assert variants["true regions"].parameters.refinement.way == "none"  # which would move their outlines
    votes = variants["votes by appearance, weight 0.1"].parameters
    assert votes == plain.parameters.replace(appearance_weight=0.1)
    assert len({variant.tried for variant in variants.values()}) == len(variants)


def test_all_is_measured_and_an_interrupted_measurement_goes_on(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = OpenPlan(captions=15, scenes=2, seeds=2)
    told: list[tuple[int, int]] = []

    def begin(seed: int) -> object:
        def report(done: int, total: int) -> None:
            told.append((done, total))
            if seed == 1 and done == total // 2:
                raise KeyboardInterrupt

        return report

    loaded = load_pack(str(pack))
    with pytest.raises(KeyboardInterrupt):
        measure_open_vocabulary(loaded, WIDE, tmp_path, plan, on_images=begin)  # type: ignore[arg-type]
    assert told[0][1] == 2 * 3 * len(list_open_variants(loaded.parameters.segmentation))  # three wordings
    monkeypatch.setattr(open_vocabulary.PrototypeBuilder, "build", None)  # both banks are full
    scores = measure_open_vocabulary(loaded, WIDE, tmp_path, plan)
    variants = list_open_variants(loaded.parameters.segmentation)
    assert [score.variant for score in scores[: len(variants)]] == [variant.name for variant in variants]
    assert len({score.question for score in scores}) == 6
    assert all(0 <= value <= 1 for score in scores for value in score.values)
    assert len(scores[0].values) == 2

    def segment_nothing(_self: object, images: Iterable[Path], *_others: object) -> Iterator[None]:
        assert not list(images)
        yield from ()

    monkeypatch.setattr(open_vocabulary.Segmenter, "segment_many", segment_nothing)  # and all counts are kept
    assert measure_open_vocabulary(loaded, WIDE, tmp_path, plan) == scores


def test_a_bank_has_no_captions_of_an_earlier_measurement(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banks: list[set[str]] = []

    def look(_segmenter: object, store: PrototypeStore, *_given: object, **_options: object) -> list[object]:
        pages = store.scan(Selection(origin="generated"))
        banks.append({prototype.caption_id for page in pages for prototype in page})
        return []

    monkeypatch.setattr(open_vocabulary, "_ask", look)
    loaded = load_pack(str(pack))
    for captions in (20, 15):
        measure_open_vocabulary(loaded, WIDE, tmp_path, OpenPlan(captions, scenes=1, seeds=1))
    more, fewer = banks
    asked = {caption.id for caption in validation_captions(15, WIDE)}
    assert fewer <= asked
    assert more - asked
