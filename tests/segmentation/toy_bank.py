"""A bank of a few nouns for an untrained pack, and a picture."""

from pathlib import Path

import numpy as np
from PIL import Image

from freeda_svc.bank import PrototypeStore, make_or_open_folder
from freeda_svc.miniature.scenes import CROWDED, paint_scene
from freeda_svc.packs import Pack
from freeda_svc.prototypes import Prototype
from tests.made_prototypes import make_prototype

NOUNS = ("ball", "tree", "grass", "sky")


def make_prototypes(pack: Pack, nouns: tuple[str, ...], seed: int, origin: str = "generated") -> list[Prototype]:
    """Keys near the nouns' embeddings, vectors at random."""
    rng = np.random.default_rng(seed)
    keys = pack.image_text.embed_nouns(nouns).numpy()
    return [
        make_prototype(
            noun,
            caption_id=f"{seed:08x}{number:08x}",
            seed=seed,
            key=(keys[number] + rng.normal(0, 0.001, keys.shape[1])).astype(np.float32),
            vector=rng.normal(0, 1, pack.backbone.dimension).astype(np.float32),
            pack=pack.fingerprint,
            origin=origin,
        )
        for number, noun in enumerate(nouns)
    ]


def open_bank(pack: Pack, folder: Path) -> PrototypeStore:
    """An empty bank for a pack."""
    return make_or_open_folder(folder, pack.fingerprint, pack.image_text.dimension, pack.backbone.dimension)


def fill_bank(pack: Pack, folder: Path) -> PrototypeStore:
    """Twelve prototypes: three of each noun."""
    store = open_bank(pack, folder)
    store.add([prototype for seed in range(3) for prototype in make_prototypes(pack, NOUNS, seed)])
    return store


def photo(height: int = 96, width: int = 130) -> np.ndarray:
    """A painted scene in the size of a small photograph."""
    scene = Image.fromarray(paint_scene((7, 1), CROWDED).image)
    return np.asarray(scene.resize((width, height), Image.Resampling.BICUBIC))
