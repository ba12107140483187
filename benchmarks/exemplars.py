"""What a person's own images and masks teach: IoU of a noun before and after, by what an exemplar counts.

Exemplars are painted scenes with their true masks; neither they nor the scenes they are measured on take part in any
training. Each noun is measured on a bank that does not know it and on one that does.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.results import Result
from benchmarks.validation import VALIDATION_SPLIT, Trial, validation_captions, validation_scenes
from freeda_svc.miniature import HARD, NOUNS, Scene, paint_scene
from freeda_svc.packs import Pack, load_pack
from freeda_svc.prototypes import (
    Exemplar,
    ExemplarBuilder,
    Prototype,
    PrototypeBuilder,
    make_exemplar,
    make_photo,
    pool_prototype,
)

TAUGHT = ("moon", "car", "flower")
EXEMPLARS = 5
FEWER = (1, 3)
SHARES = (0.0, 0.2, 0.5, 1.0)
MOSAIC_SIDE = 4
LEAST_PIXELS = 50
EXEMPLAR_SERIES, FILLER_SERIES = 7, 8

Scalar = TypeVar("Scalar", bound=np.generic)


def _scenes_with(noun: str) -> list[Scene]:
    """Scenes in which a noun shows well."""
    index = NOUNS.index(noun)
    scenes = (paint_scene((VALIDATION_SPLIT, EXEMPLAR_SERIES, index, n), HARD, thing=noun) for n in count())
    shown = (scene for scene in scenes if (scene.labels == index).sum() >= LEAST_PIXELS)
    return [next(shown) for _ in range(EXEMPLARS)]


def _exemplar(scene: Scene, noun: str) -> Exemplar:
    return make_exemplar(noun, scene.image, scene.labels == NOUNS.index(noun))


def _in_mosaic(scene: Scene, noun: str, number: int) -> Exemplar:
    """The scene as one of the tiles of a large picture, in which the noun is small."""
    tiles = MOSAIC_SIDE**2
    series = (VALIDATION_SPLIT, FILLER_SERIES, NOUNS.index(noun), number)
    images = [paint_scene((*series, tile), HARD).image for tile in range(tiles)]
    masks = [np.zeros(scene.labels.shape, dtype=np.bool_) for _ in range(tiles)]
    place = number * 7 % tiles
    images[place], masks[place] = scene.image, scene.labels == NOUNS.index(noun)
    return make_exemplar(noun, _joined(images), _joined(masks))


def _joined(tiles: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
    rows = [np.concatenate(tiles[start : start + MOSAIC_SIDE], axis=1) for start in range(0, len(tiles), MOSAIC_SIDE)]
    return np.concatenate(rows)


def _of_whole_images(pack: Pack, exemplars: Sequence[Exemplar], made: Sequence[Prototype]) -> list[Prototype]:
    """Pool the exemplars anew without windows: the whole image squashed to the backbone's size."""
    whole = []
    for exemplar, prototype in zip(exemplars, made, strict=True):
        photo = make_photo(exemplar.pixels, pack.backbone.size)
        vector = pool_prototype(pack.backbone.features(photo[None])[0], exemplar.mask)
        if vector is not None:
            whole.append(replace(prototype, vector=vector))
    return whole


class _Measuring:
    """Mean IoU of the taught nouns, each on a bank of its own."""

    def __init__(self, pack: Pack, generated: Sequence[Prototype]) -> None:
        self._pack = pack
        self._generated = generated
        self._scenes = validation_scenes()

    def iou(
        self, noun: str, exemplars: Sequence[Prototype], shares: Sequence[float], *, known: bool
    ) -> dict[float, float]:
        """Return the noun's IoU for each share."""
        there = [p for p in self._generated if known or noun not in p.caption.split()]
        given = self._pack.parameters.segmentation
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(self._pack, self._scenes, [*there, *exemplars], Path(folder) / "bank")
            found = {share: trial.iou(given.replace(exemplar_share=share))[1][noun] for share in shares}
            trial.close()
        return found


def run() -> list[Result]:
    """Teach each of the nouns, with the noun missing from the bank and with it there."""
    pack = load_pack("miniature")
    measuring = _Measuring(pack, PrototypeBuilder(pack).build(validation_captions()).prototypes)
    builder = ExemplarBuilder(pack)
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    usual = pack.parameters.segmentation.exemplar_share
    for noun in TAUGHT:
        scenes = _scenes_with(noun)
        made = builder.build(_exemplar(scene, noun) for scene in scenes).prototypes
        for known, state in ((False, "missing"), (True, "known")):
            note(f"{state}_before", measuring.iou(noun, [], [usual], known=known)[usual])
            for share, value in measuring.iou(noun, made, SHARES, known=known).items():
                note(f"{state}_{EXEMPLARS}_exemplars_share_{share:g}", value)
            for few in FEWER:
                value = measuring.iou(noun, made[:few], [usual], known=known)[usual]
                note(f"{state}_{few}_exemplars_share_{usual:g}", value)
        small = [_in_mosaic(scene, noun, number) for number, scene in enumerate(scenes)]
        windows = builder.build(small).prototypes
        note("small_objects_in_windows", measuring.iou(noun, windows, [usual], known=False)[usual])
        whole = _of_whole_images(pack, small, windows)
        note("small_objects_in_whole_images", measuring.iou(noun, whole, [usual], known=False)[usual])
    nouns = ", ".join(TAUGHT)
    return [Result(f"{name}_iou", float(np.mean(values)), "IoU", f"mean of {nouns}") for name, values in found.items()]
