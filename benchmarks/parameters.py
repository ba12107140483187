"""Choosing the miniature pack's parameters on validation scenes: mean IoU, and what a new word gains.

Images are generated once and pooled anew for every threshold. The demonstration's test scenes take no part.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.results import Result
from benchmarks.validation import Trial, validation_captions, validation_scenes
from freeda_svc.captions import Caption, Noun, NounParser
from freeda_svc.demo import DemoPlan
from freeda_svc.diffusion import GeneratedImage
from freeda_svc.miniature import Scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.parameters import SegmentationParameters
from freeda_svc.prototypes import Prototype, PrototypeBuilder

GAMMAS = (0.4, 0.45, 0.5, 0.55)
KS = (10, 15, 20, 25)
BETAS = (0.7, 0.8, 0.9)
SCALES = (10.0, 20.0, 40.0)


class _Album:
    """Stands where a pack's generator is and hands out images that were generated before."""

    def __init__(self, images: Mapping[str, GeneratedImage]) -> None:
        self._images = images

    def generate(
        self, captions: Sequence[Caption], nouns: Sequence[Sequence[Noun]], on_step: Callable[[], None] | None = None
    ) -> list[GeneratedImage]:
        """Return the images of the captions; their nouns are those they were generated with, and there are no steps."""
        del on_step
        assert len(captions) == len(nouns)
        return [self._images[caption.id] for caption in captions]


def generate(pack: Pack, captions: Sequence[Caption]) -> dict[str, GeneratedImage]:
    """Return the images that the pack's generator makes of captions, by their ids."""
    nouns = NounParser().parse([caption.text for caption in captions])
    size = pack.parameters.generation.batch_size
    return {
        image.caption.id: image
        for start in range(0, len(captions), size)
        for image in pack.generator.generate(captions[start : start + size], nouns[start : start + size])
    }


def with_album(pack: Pack, images: Mapping[str, GeneratedImage], gamma: float) -> Pack:
    """Return a pack that hands out these images by their captions and pools them with another threshold."""
    parameters = pack.parameters.replace(prototypes=pack.parameters.prototypes.replace(gamma=gamma))
    other = Pack(replace(pack.description, parameters=parameters), pack.computing)
    vars(other).update(generator=_Album(images), backbone=pack.backbone, image_text=pack.image_text)
    return other


def _build(pack: Pack, images: Mapping[str, GeneratedImage], gamma: float) -> tuple[Prototype, ...]:
    """Pool the images with another threshold; the prototypes keep the pack's own fingerprint."""
    other = with_album(pack, images, gamma)
    built = PrototypeBuilder(other).build([image.caption for image in images.values()])
    return tuple(replace(prototype, pack=pack.fingerprint) for prototype in built.prototypes)


def _compare(
    pack: Pack, scenes: Sequence[Scene], prototypes: Sequence[Prototype], name: str, given: SegmentationParameters
) -> list[Result]:
    """Return the mean IoU with all prototypes, and what the extension noun gains by those of captions with it."""
    noun = DemoPlan().extension_noun
    without = [prototype for prototype in prototypes if noun not in prototype.caption.split()]
    scores = []
    for part in (prototypes, without):
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(pack, scenes, part, Path(folder) / "bank")
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
    scenes = validation_scenes()
    images = generate(pack, validation_captions())
    given = pack.parameters.segmentation
    own = _build(pack, images, pack.parameters.prototypes.gamma)
    results: list[Result] = []
    for gamma in GAMMAS:
        results += _compare(pack, scenes, _build(pack, images, gamma), f"gamma_{gamma}", given)
    for k in KS:
        results += _compare(pack, scenes, own, f"k_{k}", given.replace(k=k))
    for beta in BETAS:
        results += _compare(pack, scenes, own, f"beta_{beta}", given.replace(beta=beta))
    for scale in SCALES:
        superpixels = given.superpixels.replace(scale=scale)
        results += _compare(pack, scenes, own, f"scale_{scale:g}", given.replace(superpixels=superpixels))
    return results
