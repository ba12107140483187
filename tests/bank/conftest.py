import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from freeda_svc.bank import EmbeddedStore, PrototypeStore
from freeda_svc.prototypes.record import Prototype

PACK = "pack-of-the-tests"

MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]


@pytest.fixture(params=["embedded"])
def make_store(request: pytest.FixtureRequest) -> Iterator[MakeStore]:
    """Makes empty stores of the engine under test; another engine is another parameter and another branch here."""
    opened: list[PrototypeStore] = []
    folders: list[Path] = []
    # In memory where the system has such a folder: most of a store's time is waiting for the disk.
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else None

    def make(key_dimension: int = 5, vector_dimension: int = 7) -> PrototypeStore:
        assert request.param == "embedded"
        folder = Path(tempfile.mkdtemp(prefix="freeda-bank-", dir=parent))
        folders.append(folder)
        store = EmbeddedStore.open(folder, PACK, key_dimension, vector_dimension)
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bank"


@pytest.fixture
def make_prototypes() -> MakePrototypes:
    """Makes prototypes with the given keys (or random ones); the start offsets captions, so ids differ."""

    def make(
        number: int = 3,
        *,
        keys: npt.NDArray[np.float32] | None = None,
        vectors: npt.NDArray[np.float32] | None = None,
        nouns: Sequence[str] = ("dog", "tree"),
        start: int = 0,
        pack: str = PACK,
        job: str = "",
    ) -> list[Prototype]:
        generator = np.random.default_rng(start)
        if keys is None:
            keys = generator.normal(size=(number, 5)).astype(np.float32)
        if vectors is None:
            vectors = (10 * generator.normal(size=(len(keys), 7))).astype(np.float32)
        return [
            Prototype(
                noun=nouns[i % len(nouns)],
                caption_id=f"{start + i:016x}",
                caption=f"a {nouns[i % len(nouns)]} seen {start + i} times",
                spans=((2, 5), (9, 12)),
                seed=2**63 - 1 - i,
                key=keys[i],
                vector=vectors[i],
                mask_area=0.25,
                contrast=0.5,
                image_text_score=0.75,
                pack=pack,
                job=job,
                image="thumbnails/a.png",
                mask="thumbnails/a.dog.mask.png",
                attribution="thumbnails/a.dog.attribution.png",
            )
            for i in range(len(keys))
        ]

    return make
