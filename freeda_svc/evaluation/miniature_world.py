"""The painted worlds' validation sets: captions to make prototypes from, and scenes with true labels.

The demonstration's test scenes take no part.
"""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.bank import PrototypeStore, Selection
from freeda_svc.captions import Caption, make_caption
from freeda_svc.evaluation.datasets import Dataset
from freeda_svc.evaluation.layouts import list_folders
from freeda_svc.miniature import SMALL, Scene, World, paint_scene
from freeda_svc.parameters import Category
from freeda_svc.prototypes import PrototypeBuilder
from freeda_svc.whole_files import placed_whole

VALIDATION_SPLIT = 1
CAPTIONS, SCENES = 280, 100
SUPERPIXEL_NUMBERS = {"region_size": 56, "quickshift_kernel_size": 2.0, "quickshift_max_distance": 7.0}
"""With these the other algorithms cut a scene into about as many regions as the pack's own, 60 to 80."""

_CAPTION_STREAM, _SCENE_STREAM = 5, 6
_STREAMS_OF_SEED = 100

OnProgress = Callable[[int, int], None]


def validation_captions(wanted: int = CAPTIONS, world: World = SMALL, seed: int = 0) -> list[Caption]:
    """Different captions to make prototypes from, every noun in as many of them.

    Args:
        wanted: how many.
        world: whose nouns they name: those that the generator knows.
        seed: others have other captions.
    """
    found: dict[str, Caption] = {}
    things = world.things_for("generator")
    for number in count():
        place = (VALIDATION_SPLIT, _CAPTION_STREAM + seed * _STREAMS_OF_SEED, number)
        scene = paint_scene(place, world.easy, thing=things[number % len(things)].noun, world=world)
        caption = make_caption(scene.caption)
        if caption is not None:
            found[caption.text] = caption
        if len(found) >= wanted:
            break
    return list(found.values())


def validation_scenes(wanted: int = SCENES, world: World = SMALL, seed: int = 0) -> list[Scene]:
    """Scenes with their true labels, of everything that is in the world; other seeds have others."""
    stream = _SCENE_STREAM + seed * _STREAMS_OF_SEED
    return [
        paint_scene((VALIDATION_SPLIT, stream, number), world.hard, world=world, reader="nobody")
        for number in range(wanted)
    ]


def write_validation_set(folder: Path, wanted: int = SCENES, world: World = SMALL, seed: int = 0) -> Dataset:
    """Paint the scenes and their labels into a folder; those that are there already are not painted again.

    Raises:
        OSError: the folder cannot be written.
    """
    images, masks = folder / "images", folder / "masks"
    for part in (images, masks):
        part.mkdir(parents=True, exist_ok=True)
    names = [f"scene-{number:03d}.png" for number in range(wanted)]
    if not all((part / name).is_file() for part in (images, masks) for name in names):
        for name, scene in zip(names, validation_scenes(wanted, world, seed), strict=True):
            _write(images / name, scene.image)
            _write(masks / name, scene.labels)
    found = list_folders(images, masks, classes=len(world.nouns))
    wanted_names = {name.removesuffix(".png") for name in names}
    return Dataset(
        name=world.name,
        classes=world.nouns,
        categories=tuple(map(Category, world.nouns)),
        background=False,
        images=tuple(image for image in found.images if image.name in wanted_names),
        values=found.values,
    )


def _write(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    with placed_whole(path) as aside:
        Image.fromarray(pixels).save(aside, format="PNG")


def bank_place(folder: Path, captions: int) -> Path:
    """Return where, in a folder that is worked in, the bank made from so many captions lies: others would be in it."""
    return folder / f"bank-{captions}"


def fill_bank(
    store: PrototypeStore,
    builder: PrototypeBuilder,
    captions: Sequence[Caption],
    batch: int,
    on_progress: OnProgress | None = None,
) -> None:
    """Make the prototypes of captions, a few at a time; captions whose prototypes are there already are left out.

    Args:
        store: the bank.
        builder: makes the prototypes.
        captions: what they are made from.
        batch: how many captions are done at once.
        on_progress: is called with how many captions are done, of how many.
    """
    for start in range(0, len(captions), batch):
        batched = captions[start : start + batch]
        part = [caption for caption in batched if not store.count(Selection(caption_id=caption.id))]
        if part:
            store.add(builder.build(part).prototypes)
        if on_progress is not None:
            on_progress(min(start + batch, len(captions)), len(captions))
