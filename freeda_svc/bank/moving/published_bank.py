"""Adding the bank that the paper's authors published: a faiss index of keys, and a folder of .npy prototypes."""

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.moving.archive import LARGEST_DIMENSION, OnProgress, no_progress
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, NotFoundError, UnavailableError, one_line
from freeda_svc.prototypes import IMPORTED, Prototype, is_storable

ENDING = ".npy"


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
    """Return Dt and Dv of a published bank, from the index and from the first .npy file by name, and its size.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: one of them is not usable, they do not fit together, or the folder has no .npy file.
        UnavailableError: faiss is not installed.
    """
    keys, names = _open_pair(index_path, prototypes_folder)
    if not names:
        raise InputError(f"{prototypes_folder} has no {ENDING} files: give the folder that belongs to {index_path}")
    return keys.d, len(read_prototype_file(prototypes_folder / names[0])), len(names)


def import_faiss(
    index_path: Path,
    prototypes_folder: Path,
    store: PrototypeStore,
    *,
    on_progress: OnProgress = no_progress,
    rows_at_once: int = 1000,
) -> FaissReport:
    """Add a published bank: row i of a faiss index is the key of the i-th .npy file by name.

    Nouns and captions are not part of what was published: the noun is empty and the file's name without its ending
    is the caption's id. Running it again adds what is missing.

    Args:
        index_path: a flat index or HNSW over a flat one; all of it is read into memory.
        prototypes_folder: holds one prototype a file, shape (Dv,) or (1, Dv).
        store: a bank of the pack that the published one was made with, as far as the caller knows.
        on_progress: is called after so many rows.
        rows_at_once: how many are read and added at once.

    Raises:
        NotFoundError: there is no such file or folder.
        InputError: one of them is not usable, or they do not fit together or to the bank.
        UnavailableError: faiss is not installed, or the bank cannot be written.
    """
    keys, names = _open_pair(index_path, prototypes_folder)
    if keys.d != store.key_dimension:
        raise InputError(
            f"{index_path} has keys of {keys.d} values, but the bank's have {store.key_dimension}: "
            "import it into a bank of its pack"
        )
    added = left_out = 0
    for start in range(0, len(names), rows_at_once):
        some = names[start : start + rows_at_once]
        prototypes = []
        for name, key in zip(some, keys.reconstruct_n(start, len(some)), strict=True):
            vector = read_prototype_file(prototypes_folder / name, store.vector_dimension)
            if is_storable(vector, key):
                prototypes.append(_make_prototype(name, key, vector, store.pack))
        added += store.add(prototypes)
        left_out += len(some) - len(prototypes)
        on_progress(start + len(some), len(names))
    store.pack_if_worth_it(added)
    return FaissReport(len(names), added, left_out)


def open_index(path: Path) -> Any:  # noqa: ANN401 (a faiss.Index, which has no types)
    """Read a faiss index whose rows are the keys as they were.

    Args:
        path: a flat index, or HNSW over a flat one, by inner product or L2 distance.

    Raises:
        NotFoundError: there is no such file.
        InputError: it cannot be read, is no faiss index, is cut off, or of another type.
        UnavailableError: faiss is not installed.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no faiss index {path}: give the file with the index of the keys")
    faiss = _load_faiss()
    try:
        path.open("rb").close()
        # A damaged file may give any length for a list; none of them is longer than the file.
        faiss.set_deserialization_vector_byte_limit(path.stat().st_size)
        # Not mapped: faiss 1.15 then ends the process over a file that is cut off.
        index = faiss.read_index(str(path))
    except OSError as error:
        raise InputError(f"the faiss index {path} cannot be read ({error.strerror}): check its permissions") from error
    except RuntimeError as error:
        reason = re.sub(r".*?Error: ", "", one_line(error), count=1)
        raise InputError(
            f"{path} cannot be read as a faiss index, perhaps it is cut off or damaged ({reason}): copy it again"
        ) from error
    except MemoryError as error:
        raise UnavailableError(
            f"there is not enough memory for the faiss index {path}: use a larger machine"
        ) from error
    rows = faiss.downcast_index(index.storage) if isinstance(index, faiss.IndexHNSW) else index
    plain = type(rows) in {faiss.IndexFlat, faiss.IndexFlatIP, faiss.IndexFlatL2}
    if not plain or index.metric_type not in {faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2}:
        raise InputError(
            f"{path} is no faiss index that holds its keys as they were (its type is {type(index).__name__}, its "
            f"metric {index.metric_type}): expected a flat one, or HNSW over a flat one, by inner product or L2"
        )
    return index


def read_prototype_file(path: Path, dimension: int | None = None) -> npt.NDArray[np.float32]:
    """Read one prototype.

    Args:
        path: an .npy file of shape (Dv,) or (1, Dv), of floating-point numbers.
        dimension: Dv expected; any that an encoder may have when None.

    Returns:
        (Dv,) float32.

    Raises:
        InputError: it is something else, cut off, or holds Python objects, which are never loaded.
    """
    try:
        # Mapped, so that a header that promises too much allocates nothing; this never unpickles.
        found = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a broken header fails in many ways
        reason = one_line(error)
        raise InputError(f"{path} cannot be read as an {ENDING} file of numbers ({reason})") from error
    fits = 0 < found.size <= LARGEST_DIMENSION if dimension is None else found.size == dimension
    if not fits or found.shape not in {(found.size,), (1, found.size)} or found.dtype.kind != "f":
        size = "Dv" if dimension is None else dimension
        raise InputError(
            f"{path} holds {found.dtype} of shape {found.shape}, expected floats of shape ({size},) or (1, {size}): "
            "is it a prototype, and the bank one of its pack?"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is left out
        return np.array(found, dtype=np.float32).reshape(-1)


def _load_faiss() -> Any:  # noqa: ANN401 (a module)
    try:
        return import_module("faiss")
    except ImportError as error:
        reason = one_line(error)
        raise UnavailableError(
            f"the bank that the authors published needs faiss ({reason}); pip install 'freeda-svc[faiss]'"
        ) from error


def _open_pair(index_path: Path, prototypes_folder: Path) -> tuple[Any, list[str]]:
    index, names = open_index(index_path), _list_prototypes(prototypes_folder)
    if index.ntotal != len(names):
        raise InputError(
            f"{index_path} has {counted(index.ntotal, 'key')}, but {prototypes_folder} has "
            f"{counted(len(names), f'{ENDING} file')}: they belong together one to one, give the pair of one bank"
        )
    return index, names


def _list_prototypes(folder: Path) -> list[str]:
    """Names of the .npy files in a folder in the order of the index's rows, which is that of Python's ``sorted``."""
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder}: give the folder with the {ENDING} files of the prototypes")
    try:
        with os.scandir(folder) as entries:
            # a hidden companion beside a file is no row
            names = sorted(entry.name for entry in entries if entry.name.endswith(ENDING) and entry.name[0] != ".")
        "".join(names).encode("utf-8")
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be listed ({error.strerror}): check its permissions") from error
    except UnicodeEncodeError as error:
        raise InputError(f"a file in {folder} has a name that is not UTF-8: rename it, keeping the order") from error
    return names


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
