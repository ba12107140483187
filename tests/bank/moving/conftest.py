import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from freeda_svc.bank import PrototypeStore, make_or_open_folder, point_id
from freeda_svc.errors import FreedaError
from freeda_svc.prototypes.record import EXEMPLAR, GENERATED, IMPORTED, Prototype

PACK = "pack-of-the-tests"

OpenStore = Callable[..., PrototypeStore]
MakeSome = Callable[..., list[Prototype]]
ReadTable = Callable[[Path], pa.Table]
Refused = Callable[..., str]


@pytest.fixture
def tmp_path(fast_folder: Path) -> Path:
    """In memory where the system has such a folder: everything that is moved is synchronised with the disk."""
    return fast_folder


@pytest.fixture
def open_store(fast_folder: Path) -> Iterator[OpenStore]:
    """Makes empty embedded banks, or banks that hold what is given."""
    opened: list[PrototypeStore] = []
    place = Path(tempfile.mkdtemp(prefix="freeda-moving-", dir=fast_folder.parent))

    def open_(
        prototypes: Sequence[Prototype] = (), *, pack: str = PACK, dimensions: tuple[int, int] = (5, 7)
    ) -> PrototypeStore:
        store = make_or_open_folder(place / str(len(opened)), pack, *dimensions)
        opened.append(store)
        store.add(prototypes)
        return store

    yield open_
    for store in opened:
        store.close()
    shutil.rmtree(place)


@pytest.fixture
def make_some() -> MakeSome:
    """Makes prototypes that differ in everything, in the order of their ids; the start offsets captions."""

    def make(number: int, *, start: int = 0, pack: str = PACK) -> list[Prototype]:
        generator = np.random.default_rng(start)
        nouns = ("dog", "crème brûlée", "tree")
        looks = np.random.default_rng(start).normal(size=(number, 5))
        looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
        made = [
            Prototype(
                noun=nouns[i % 3],
                caption_id=f"{i:016x}",
                caption=f"a {nouns[i % 3]} seen {i} times 🐕",
                spans=((2, 5),) * (i % 3),
                seed=2**63 - 1 - i,
                key=generator.normal(size=5).astype(np.float32),
                vector=(10 * generator.normal(size=7)).astype(np.float32),
                mask_area=i / 7,
                contrast=1 / (i + 1),
                image_text_score=-0.1 * i,
                pack=pack,
                job=f"job-{i % 2}" if i % 4 else "",
                origin=(GENERATED, EXEMPLAR, IMPORTED)[i % 3],
                outlier="small" if i % 5 == 0 else "",
            )
            for i in range(start, start + number)
        ]
        # In the order in which a bank gives them, so that it is known which thumbnails a part has.
        return [
            replace(
                prototype,
                image=f"thumbnails/{i // 2}.png",
                mask=f"thumbnails/{i}.mask.png",
                attribution="" if i % 2 else f"thumbnails/{i}.attribution.png",
                appearance=looks[i - start] if i % 4 else None,
            )
            for i, prototype in enumerate(sorted(made, key=point_id), start)
        ]

    return make


@pytest.fixture
def read_table() -> ReadTable:
    """Reads all prototypes of an archive in the order of their ids, with pyarrow alone."""

    def read(folder: Path) -> pa.Table:
        parts = [parquet.read_table(path) for path in sorted(folder.glob("prototypes-*.parquet"))]
        return pa.concat_tables(parts).sort_by("id").combine_chunks()

    return read


@pytest.fixture
def refused() -> Refused:
    """Runs what must be refused in one line that matches; gives the line."""

    def run(
        error: type[FreedaError], match: str, function: Callable[..., object], *given: object, **named: object
    ) -> str:
        with pytest.raises(error, match=match) as caught:
            function(*given, **named)
        line = str(caught.value)
        assert "\n" not in line
        return line

    return run


@pytest.fixture
def give_artifacts() -> Callable[[Path, Sequence[Prototype]], None]:
    """Makes the files that prototypes mention, each with another content."""

    def give(root: Path, prototypes: Sequence[Prototype]) -> None:
        for prototype in prototypes:
            for path in filter(None, (prototype.image, prototype.mask, prototype.attribution)):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(b"\x89PNG of " + path.encode())

    return give
