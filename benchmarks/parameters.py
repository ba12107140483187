"""Choosing the miniature pack's parameters on validation scenes: mean IoU, and what a new word gains.

Images are generated once and pooled anew for every threshold. The demonstration's test scenes take no part.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from benchmarks.results import Result
from freeda_svc.bank import EmbeddedStore
from freeda_svc.captions import NounParser
from freeda_svc.captions.caption import Caption, Noun, make_caption
from freeda_svc.demo.world import DemoPlan, distinct_captions
from freeda_svc.diffusion import GeneratedImage
from freeda_svc.evaluation import ConfusionMatrix
from freeda_svc.miniature.scenes import EASY, HARD, NOUNS, Scene, paint_scene
from freeda_svc.miniature.things import THINGS
from freeda_svc.packs import Pack, SegmentationParameters, load_pack
from freeda_svc.prototypes import Prototype
from freeda_svc.prototypes.builder import PrototypeBuilder
from freeda_svc.segmentation import Category, Segmenter

VALIDATION_SPLIT = 1
CAPTIONS, SCENES = 280, 100
GAMMAS = (0.4, 0.45, 0.5, 0.55)
KS = (10, 15, 20, 25)
BETAS = (0.7, 0.8, 0.9)
SCALES = (10.0, 20.0, 40.0)


class _Album:
    """Stands where a pack's generator is and hands out images that were generated before."""

    def __init__(self, images: Mapping[str, GeneratedImage]) -> None:
        self._images = images

    def generate(self, captions: Sequence[Caption], nouns: Sequence[Sequence[Noun]]) -> list[GeneratedImage]:
        """Return the images of the captions; their nouns are those they were generated with."""
        assert len(captions) == len(nouns)
        return [self._images[caption.id] for caption in captions]


def _captions() -> list[Caption]:
    things = cycle(thing.noun for thing in THINGS)
    scenes = (paint_scene((VALIDATION_SPLIT, 5, number), EASY, thing=noun) for number, noun in enumerate(things))
    made = (make_caption(text) for text in distinct_captions(scenes, CAPTIONS))
    return [caption for caption in made if caption is not None]


def _generate(pack: Pack, captions: Sequence[Caption]) -> dict[str, GeneratedImage]:
    nouns = NounParser().parse([caption.text for caption in captions])
    size = pack.parameters.generation.batch_size
    return {
        image.caption.id: image
        for start in range(0, len(captions), size)
        for image in pack.generator.generate(captions[start : start + size], nouns[start : start + size])
    }


def _build(pack: Pack, images: Mapping[str, GeneratedImage], gamma: float) -> tuple[Prototype, ...]:
    """Pool the images with another threshold; the prototypes keep the pack's own fingerprint."""
    parameters = replace(pack.parameters, prototypes=replace(pack.parameters.prototypes, gamma=gamma))
    other = Pack(replace(pack.description, parameters=parameters), pack.computing)
    vars(other).update(generator=_Album(images), backbone=pack.backbone, image_text=pack.image_text)
    built = PrototypeBuilder(other).build([image.caption for image in images.values()])
    return tuple(replace(prototype, pack=pack.fingerprint) for prototype in built.prototypes)


class _Trial:
    """Scores of one set of prototypes on the validation scenes."""

    def __init__(self, pack: Pack, scenes: Sequence[Scene], prototypes: Sequence[Prototype], folder: Path) -> None:
        self._scenes = scenes
        self._store = EmbeddedStore.open(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)
        self._store.add(prototypes)
        self._segmenter = Segmenter(pack, self._store)

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
        self._store.close()


def _compare(
    pack: Pack, scenes: Sequence[Scene], prototypes: Sequence[Prototype], name: str, given: SegmentationParameters
) -> list[Result]:
    """Return the mean IoU with all prototypes, and what the extension noun gains by those of captions with it."""
    noun = DemoPlan().extension_noun
    without = [prototype for prototype in prototypes if noun not in prototype.caption.split()]
    scores = []
    for part in (prototypes, without):
        with tempfile.TemporaryDirectory() as folder:
            trial = _Trial(pack, scenes, part, Path(folder) / "bank")
            scores.append(trial.iou(given))
            trial.close()
    (mean, after), (_, before) = scores
    return [
        Result(f"{name}_mean_iou", mean, "IoU"),
        Result(f"{name}_{noun}_gain", after[noun] - before[noun], "IoU", f"{noun} before it was taught"),
    ]


def run() -> list[Result]:
    """Vary one parameter at a time around the pack's own."""
    pack = load_pack("miniature")
    scenes = [paint_scene((VALIDATION_SPLIT, 6, number), HARD) for number in range(SCENES)]
    images = _generate(pack, _captions())
    given = pack.parameters.segmentation
    own = _build(pack, images, pack.parameters.prototypes.gamma)
    results: list[Result] = []
    for gamma in GAMMAS:
        results += _compare(pack, scenes, _build(pack, images, gamma), f"gamma_{gamma}", given)
    for k in KS:
        results += _compare(pack, scenes, own, f"k_{k}", replace(given, k=k))
    for beta in BETAS:
        results += _compare(pack, scenes, own, f"beta_{beta}", replace(given, beta=beta))
    for scale in SCALES:
        superpixels = replace(given.superpixels, scale=scale)
        results += _compare(pack, scenes, own, f"scale_{scale:g}", replace(given, superpixels=superpixels))
    return results
