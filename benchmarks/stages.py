"""The share of each stage in ingest and in segmentation, on the miniature pack.

Each stage is run on its own on the same captions and scenes, so that its time is its own; ``ratio`` is the share of
the sum. Generation counts with its attribution.
"""

import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
import torch

from benchmarks.results import Result
from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.captions import Caption, NounParser, make_caption
from freeda_svc.demo import distinct_captions
from freeda_svc.diffusion import weak_mask
from freeda_svc.miniature import EASY, HARD, NOUNS, paint_scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes import PrototypeBuilder, embed_regions, pool_prototype
from freeda_svc.segmentation import Category, Segmenter

CAPTIONS = 48
SCENES = 60
BENCHMARK_SPLIT = 4
REGIONS_AT_ONCE = 24
"""As many as a batch of eight captions has."""

T = TypeVar("T")


def _timed(seconds: dict[str, float], stage: str, work: Callable[[], T]) -> T:
    started = perf_counter()
    answer = work()
    seconds[stage] = perf_counter() - started
    return answer


def scene_captions(wanted: int) -> list[Caption]:
    """Return captions of the painted world, all different, the same in every run."""
    scenes = (paint_scene((BENCHMARK_SPLIT, number), EASY) for number in count())
    made = (make_caption(text) for text in distinct_captions(scenes, wanted))
    return [caption for caption in made if caption is not None]


def _shares(kind: str, seconds: dict[str, float], count: int, unit: str) -> list[Result]:
    total = sum(seconds.values())
    rows = [
        Result(f"{kind}_{stage}_ms_per_{unit}", 1000 * value / count, "ms", f"all stages of {kind}", value / total)
        for stage, value in seconds.items()
    ]
    return [*rows, Result(f"{kind}_{unit}s_per_second", count / total, f"{unit}s/s")]


def ingest_stages(pack: Pack, store: PrototypeStore, captions: Sequence[Caption]) -> list[Result]:
    """Time the stages of ingest, then let the builder fill the bank for the segmentation that follows."""
    seconds: dict[str, float] = {}
    parser = NounParser()
    size = pack.parameters.generation.batch_size
    nouns = _timed(seconds, "nouns", lambda: parser.parse([caption.text for caption in captions]))
    images = _timed(
        seconds,
        "generation",
        lambda: [
            image
            for start in range(0, len(captions), size)
            for image in pack.generator.generate(captions[start : start + size], nouns[start : start + size])
        ],
    )
    photos = torch.from_numpy(np.stack([image.pixels for image in images])).permute(0, 3, 1, 2).float().div(255)
    features = _timed(seconds, "backbone", lambda: pack.backbone.features(photos))

    def embed() -> None:
        pack.image_text.embed_images(photos)
        pack.image_text.embed_texts([caption.text for caption in captions])
        pack.image_text.embed_nouns(sorted({noun.text for found in nouns for noun in found}))

    def pool() -> None:
        for image, dense in zip(images, features, strict=True):
            for attribution in image.attributions:
                pool_prototype(dense, weak_mask(attribution, pack.parameters.prototypes.gamma))

    _timed(seconds, "image_text", embed)
    gamma = pack.parameters.prototypes.gamma
    weak = [(image.pixels, weak_mask(attribution, gamma)) for image in images for attribution in image.attributions]
    regions = [(pixels, mask) for pixels, mask in weak if mask.any()]

    def embed_appearances() -> None:
        for start in range(0, len(regions), REGIONS_AT_ONCE):
            embed_regions(pack.image_text, regions[start : start + REGIONS_AT_ONCE])

    _timed(seconds, "masks_and_pooling", pool)
    _timed(seconds, "appearances", embed_appearances)
    built = PrototypeBuilder(pack, parser).build(captions)
    _timed(seconds, "bank", lambda: store.add(built.prototypes))
    return _shares("ingest", seconds, len(captions), "caption")


def _segmentation(pack: Pack, store: PrototypeStore) -> list[Result]:
    segmenter = Segmenter(pack, store)
    categories = [Category(noun) for noun in NOUNS]
    scenes = [paint_scene((BENCHMARK_SPLIT, number), HARD).image for number in range(SCENES)]
    segmenter.segment(scenes[0], categories)  # the first call reads the models and fetches class prototypes
    seconds: dict[str, float] = {}
    for found in segmenter.segment_many(scenes, categories):
        for stage, value in found.timings.items():
            seconds[stage] = seconds.get(stage, 0.0) + value
    return _shares("segmentation", seconds, SCENES, "image")


def run() -> list[Result]:
    """Measure both halves on one thread."""
    torch.set_num_threads(1)
    pack = load_pack("miniature")
    pack.generator.generate(scene_captions(1), NounParser().parse([scene_captions(1)[0].text]))  # reads the models
    with tempfile.TemporaryDirectory() as folder:
        store = make_or_open_folder(
            Path(folder) / "bank", pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension
        )
        try:
            return [*ingest_stages(pack, store, scene_captions(CAPTIONS)), *_segmentation(pack, store)]
        finally:
            store.close()
