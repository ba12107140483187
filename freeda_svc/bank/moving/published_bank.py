"""Adding the bank that the paper's authors published to one of ours."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.moving.archive import OnProgress, say_nothing
from freeda_svc.bank.moving.published_files import (
    ENDING,
    PublishedKeys,
    list_prototypes,
    measure_prototype_file,
    open_keys,
    read_prototype_file,
)
from freeda_svc.bank.store import PrototypeStore, pack_if_worth_it
from freeda_svc.errors import InputError
from freeda_svc.prototypes.record import IMPORTED, Prototype, is_storable

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class FaissReport:
    """What an import of a published bank did.

    Attributes:
        rows: of the index.
        added: prototypes that were not in the bank before.
        left_out: rows whose key or prototype is zero, or has a value that is not finite in the bank's float16; the
            released code drops prototypes that are not finite when it retrieves them.
    """

    rows: int
    added: int
    left_out: int


def look_at_published(index_path: Path, prototypes_folder: Path) -> tuple[int, int, int]:
    """Tell Dt and Dv of a published bank, from the index and from the first .npy file by name, and how many it holds.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: one of them is not usable, they do not fit together, or the folder has no .npy file.
    """
    keys, names = _open_pair(index_path, prototypes_folder)
    if not names:
        raise InputError(f"{prototypes_folder} has no {ENDING} files: give the folder that belongs to {index_path}")
    return keys.dimension, measure_prototype_file(prototypes_folder / names[0]), len(names)


def import_faiss(
    index_path: Path, prototypes_folder: Path, store: PrototypeStore, *, on_progress: OnProgress = say_nothing
) -> FaissReport:
    """Add a published bank: row i of a faiss index is the key of the i-th .npy file by name.

    Nouns and captions are not part of what was published: the noun is empty and the file's name without its ending
    stands for the caption's id. Running it again adds what is missing.

    Args:
        index_path: a flat index or HNSW over a flat one.
        prototypes_folder: holds one prototype a file, shape (Dv,) or (1, Dv).
        store: a bank of the pack that the published one was made with, as far as the caller knows.
        on_progress: is told how far it is.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: one of them is not usable, or they do not fit together or to the bank.
        UnavailableError: the bank cannot be written.
    """
    keys, names = _open_pair(index_path, prototypes_folder)
    if keys.dimension != store.key_dimension:
        raise InputError(
            f"{index_path} has keys of {keys.dimension} values, but the bank's have {store.key_dimension}: "
            "import it into a bank of its pack"
        )
    added = left_out = 0
    for start in range(0, len(names), _ROWS_AT_ONCE):
        some = names[start : start + _ROWS_AT_ONCE]
        prototypes = []
        for name, key in zip(some, keys.read(start, len(some)), strict=True):
            vector = read_prototype_file(prototypes_folder / name, store.vector_dimension)
            if is_storable(vector, key):
                prototypes.append(_make_prototype(name, key, vector, store.pack))
        added += store.add(prototypes)
        left_out += len(some) - len(prototypes)
        on_progress(start + len(some), len(names))
    pack_if_worth_it(store, added)
    return FaissReport(len(names), added, left_out)


def _open_pair(index_path: Path, prototypes_folder: Path) -> tuple[PublishedKeys, list[str]]:
    keys, names = open_keys(index_path), list_prototypes(prototypes_folder)
    if keys.count != len(names):
        raise InputError(
            f"{index_path} has {keys.count} keys, but {prototypes_folder} has {len(names)} {ENDING} files: "
            "they belong together one to one, give the pair of one bank"
        )
    return keys, names


def _make_prototype(name: str, key: npt.NDArray[np.float32], vector: npt.NDArray[np.float32], pack: str) -> Prototype:
    return Prototype(
        noun="",
        caption_id=name.removesuffix(ENDING),
        caption="",
        spans=(),
        seed=0,
        key=key,
        vector=vector,
        mask_area=0.0,
        contrast=0.0,
        image_text_score=0.0,
        pack=pack,
        origin=IMPORTED,
    )
