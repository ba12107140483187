"""An open vocabulary in small: scenes of a painted world, asked for by words that a bank has, and by words it has not.

Every repetition has captions, a bank, exemplars and scenes of its own, so that an interval says what chance does.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from freeda_svc.bank import PrototypeStore, Selection, make_or_open_folder
from freeda_svc.evaluation.ablation import NEAR, Variant, ablate, pamr
from freeda_svc.evaluation.datasets import Dataset, LabelValues
from freeda_svc.evaluation.encoder_cache import with_encoder_cache
from freeda_svc.evaluation.evaluating import Evaluation
from freeda_svc.evaluation.miniature_world import (
    VALIDATION_SPLIT,
    bank_place,
    fill_bank,
    validation_captions,
    write_validation_set,
)
from freeda_svc.miniature import World, paint_scene
from freeda_svc.packs import Pack
from freeda_svc.parameters import Category, SegmentationParameters
from freeda_svc.prototypes import Exemplar, ExemplarBuilder, PrototypeBuilder, make_exemplar
from freeda_svc.segmentation import Segmenter

EXEMPLARS_EACH = 5
KEPT_SHARE = 0.8
VOTE_WEIGHTS = (0.02, 0.1)
CONFIDENCE = 0.95

_GROUP = "open vocabulary"
_KNOWN_BY = ("captions", "image_text", "exemplars", "nothing")
_EXEMPLAR_STREAM, _STREAMS_OF_SEED = 7, 100
_FEWEST_EXEMPLAR_PIXELS = 60

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Question:
    """Which words scenes are asked for by, and which of the classes count.

    Attributes:
        name: for a person.
        dataset: the scenes, with the words as categories; all of them are asked for at once.
        counted: the classes whose IoU is averaged.
    """

    name: str
    dataset: Dataset
    counted: tuple[str, ...]

    def score(self, evaluation: Evaluation) -> float | None:
        """Return the mean IoU of the classes that count, 0 to 1; None when none is in truth or prediction."""
        found = [one.iou for one in evaluation.classes if one.name in self.counted and one.iou is not None]
        return math.fsum(found) / len(found) if found else None


@dataclass(frozen=True)
class OpenScore:
    """How one variant did on one question.

    Attributes:
        question: its name.
        variant: the name of the way to segment.
        values: mean IoU of each repetition, 0 to 1; those without any counted class are left out.
    """

    question: str
    variant: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """The mean over the repetitions; None where there is none."""
        return math.fsum(self.values) / len(self.values) if self.values else None

    @property
    def half_width(self) -> float | None:
        """Half the width of the mean's 95 % interval, by Student's t; None for fewer than two repetitions."""
        size = len(self.values)
        if self.mean is None or size < 2:  # noqa: PLR2004 - one value has no spread
            return None
        from scipy.stats import t  # noqa: PLC0415 - takes a while to import

        deviation = math.sqrt(math.fsum((value - self.mean) ** 2 for value in self.values) / (size - 1))
        return float(t.ppf((1 + CONFIDENCE) / 2, size - 1)) * deviation / math.sqrt(size)


def list_questions(world: World, scenes: Dataset) -> tuple[Question, ...]:
    """Return the ways to ask for what a world's scenes show.

    Args:
        world: has things that the bank knows, and perhaps some that it does not know.
        scenes: labelled with the world's nouns, by which they are asked for.

    Returns:
        Those that have a class to count: words of the bank, rare synonyms, general words, words that only the
        image-text model knows, words that have exemplars only, and words that nothing knows.
    """
    known = {by: tuple(thing.noun for thing in world.things if thing.known_by == by) for by in _KNOWN_BY}
    rare = {thing.noun: thing.rare_synonyms[0] for thing in world.things_for("generator") if thing.rare_synonyms}
    by_synonym = tuple(Category(noun, text=rare.get(noun)) for noun in world.nouns)
    questions = (
        Question("words of the bank", scenes, known["captions"]),
        Question("synonyms that the bank does not know", replace(scenes, categories=by_synonym), tuple(rare)),
        Question("kinds, by the general word", _by_kind(world, scenes), tuple(world.kinds)),
        Question("words of the image-text model only", scenes, known["image_text"]),
        Question("words with exemplars only", scenes, known["exemplars"]),
        Question("words that nothing knows", scenes, known["nothing"]),
    )
    return tuple(question for question in questions if question.counted)


def _by_kind(world: World, scenes: Dataset) -> Dataset:
    """Return the scenes with one class for all things of a kind; things without a kind keep their own."""
    kind = {noun: kind for kind, nouns in world.kinds.items() for noun in nouns}
    classes = tuple(dict.fromkeys(kind.get(noun, noun) for noun in world.nouns))
    values = {label: classes.index(kind.get(noun, noun)) for label, noun in enumerate(world.nouns)}
    return replace(scenes, classes=classes, categories=tuple(map(Category, classes)), values=LabelValues(values))


def list_open_variants(given: SegmentationParameters) -> tuple[Variant, ...]:
    """Return the ways to segment that are compared: the pack's own, and one thing at a time changed or added."""
    plain = given.replace(origins=("generated",))
    without = plain.replace(refinement=given.refinement.replace(way="none"))
    other = Variant(_GROUP, "PAMR beside superpixels", plain.replace(refinement=pamr(NEAR)))
    dense = plain.replace(superpixels=given.superpixels.replace(algorithm="none"), refinement=pamr(NEAR))
    return (
        Variant(_GROUP, "the pack's parameters", plain),
        other if given.refinement.way == "none" else Variant(_GROUP, "without PAMR", without),
        Variant(_GROUP, f"curation, keep {KEPT_SHARE:g}", plain, KEPT_SHARE),
        Variant(_GROUP, "with exemplars", given.replace(origins=())),
        Variant(_GROUP, "PAMR instead of superpixels", dense),
        *(
            Variant(_GROUP, f"votes by appearance, weight {weight:g}", plain.replace(appearance_weight=weight))
            for weight in VOTE_WEIGHTS
        ),
        Variant(_GROUP, "true regions", without, true_regions=True),
    )


def paint_exemplars(world: World, seed: int = 0, each: int = EXEMPLARS_EACH) -> list[Exemplar]:
    """Return marked pictures of every thing that is known from exemplars only.

    Args:
        world: where they are.
        seed: others have other pictures; none is among the validation scenes.
        each: how many of each thing.
    """
    found: list[Exemplar] = []
    for noun in (thing.noun for thing in world.things if thing.known_by == "exemplars"):
        found += _painted_examples(world, noun, seed, each)
    return found


def _painted_examples(world: World, noun: str, seed: int, wanted: int) -> Iterator[Exemplar]:
    label, stream = world.nouns.index(noun), _EXEMPLAR_STREAM + seed * _STREAMS_OF_SEED
    done = 0
    for number in count():
        if done == wanted:
            return
        place = (VALIDATION_SPLIT, stream, label, number)
        scene = paint_scene(place, world.hard, thing=noun, world=world, reader="nobody")
        mask = scene.labels == label
        if mask.sum() >= _FEWEST_EXEMPLAR_PIXELS:
            done += 1
            yield make_exemplar(noun, scene.image, mask)


@dataclass(frozen=True)
class OpenPlan:
    """How much is measured: captions for a bank, scenes, repetitions, and the number of the first of these."""

    captions: int = 280
    scenes: int = 100
    seeds: int = 5
    first_seed: int = 0


def measure_open_vocabulary(
    pack: Pack,
    world: World,
    folder: Path,
    plan: OpenPlan,
    *,
    variants: Sequence[Variant] = (),
    on_captions: Callable[[int], OnProgress | None] = lambda _seed: None,
    on_images: Callable[[int], OnProgress | None] = lambda _seed: None,
) -> list[OpenScore]:
    """Evaluate every way to segment on every question, several times over.

    Args:
        pack: was trained on the world.
        world: what is painted.
        folder: keeps scenes, banks and counts; what is there is not done again.
        plan: how much is measured.
        variants: ways to segment; those of ``list_open_variants`` when none is given.
        on_captions: gives, for each seed, what is called with how many captions are done, of how many.
        on_images: the same for images, over all questions and variants of the seed.

    Returns:
        One for each question and variant, in their order.

    Raises:
        InputError: a model of the pack cannot be used, or what the folder holds is of another pack.
        UnavailableError: something cannot be written.
    """
    cached = with_encoder_cache(pack)
    variants = variants or list_open_variants(pack.parameters.segmentation)
    values: dict[tuple[str, str], list[float]] = {}
    for seed in range(plan.first_seed, plan.first_seed + plan.seeds):
        place = folder / f"seed-{seed}"
        questions = list_questions(world, write_validation_set(place / "scenes", plan.scenes, world, seed))
        sizes = pack.image_text.dimension, pack.backbone.dimension
        with closing(make_or_open_folder(bank_place(place, plan.captions), pack.fingerprint, *sizes)) as store:
            captions = validation_captions(plan.captions, world, seed)
            batch = pack.parameters.generation.batch_size
            fill_bank(store, PrototypeBuilder(pack), captions, batch, on_captions(seed))
            _add_exemplars(store, pack, paint_exemplars(world, seed))
            results = _ask(
                Segmenter(cached, store),
                store,
                questions,
                variants,
                folder=place / "counts",
                identity={"pack": pack.fingerprint, "captions": plan.captions, "seed": seed},
                on_progress=on_images(seed),
            )
        for question, variant, score in results:
            values.setdefault((question, variant), []).extend([] if score is None else [score])
    return [OpenScore(question, variant, tuple(found)) for (question, variant), found in values.items()]


def _add_exemplars(store: PrototypeStore, pack: Pack, exemplars: Sequence[Exemplar]) -> None:
    missing = [one for one in exemplars if not store.count(Selection(caption_id=one.id))]
    if missing:
        store.add(ExemplarBuilder(pack).build(missing).prototypes)


def _ask(
    segmenter: Segmenter,
    store: PrototypeStore,
    questions: Sequence[Question],
    variants: Sequence[Variant],
    *,
    folder: Path,
    identity: Mapping[str, Any],
    on_progress: OnProgress | None,
) -> list[tuple[str, str, float | None]]:
    """Return question, variant and score; questions with the same words and classes are segmented once."""
    asked = list(dict.fromkeys((question.dataset.classes, question.dataset.categories) for question in questions))
    found: dict[object, Any] = {}
    for number, wording in enumerate(asked):
        dataset = next(one.dataset for one in questions if (one.dataset.classes, one.dataset.categories) == wording)
        facts = {**identity, "categories": [category.model_dump() for category in dataset.categories]}
        shown = None if on_progress is None else _part_of(on_progress, number, len(asked))
        found[wording] = ablate(segmenter, store, dataset, variants, folder=folder, identity=facts, on_progress=shown)
    return [
        (question.name, result.variant.name, question.score(result.evaluation))
        for question in questions
        for result in found[question.dataset.classes, question.dataset.categories]
    ]


def _part_of(on_progress: OnProgress, number: int, parts: int) -> OnProgress:
    return lambda done, total: on_progress(number * total + done, parts * total)
