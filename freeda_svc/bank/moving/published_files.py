"""The two parts of a bank as the paper's authors published it: a faiss index, and a folder of .npy files.

The index is read here and not by faiss, because only its plain rows are wanted: faiss would hold all of it in memory,
and the way it has of leaving them on the disk ends the process when a file is cut off.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError, NotFoundError

ENDING = ".npy"

# How faiss writes an index: four letters for its type; dimension, number of rows, two values without meaning, whether
# it is trained, and the number of its metric; a flat index then has the number of its values and the values.
_HEADER = struct.Struct("<4siqqq?i")
_VALUES = struct.Struct("<Q")
_FLAT_TYPES = (b"IxFI", b"IxF2")
"""By inner product, by L2 distance."""
_HNSW_OVER_FLAT = b"IHNf"
"""After its header come the graph and, last, the flat index with the keys."""
_METRICS = (0, 1)
"""Inner product, L2 distance."""
_BYTES_A_VALUE = 4


@dataclass(frozen=True)
class PublishedKeys:
    """Keys that lie unchanged in the file of a faiss index.

    Attributes:
        path: the file.
        count: how many.
        dimension: Dt.
        offset: where in the file they begin, in bytes.
    """

    path: Path
    count: int
    dimension: int
    offset: int

    def read(self, start: int, number: int) -> npt.NDArray[np.float32]:
        """Some keys, (number, Dt) float32, from row ``start`` on.

        Raises:
            InputError: the file cannot be read any more.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset + start * self.dimension * _BYTES_A_VALUE)
                values = np.fromfile(file, "<f4", number * self.dimension)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(values) != number * self.dimension:
            raise _cut_off(self.path)
        return values.astype(np.float32, copy=False).reshape(number, self.dimension)


def open_keys(path: Path) -> PublishedKeys:
    """Find the keys in a faiss index; they stay on the disk.

    Args:
        path: a flat index, or HNSW over a flat one, by inner product or L2 distance.

    Raises:
        NotFoundError: there is no such file.
        InputError: it is no faiss index, cut off, or of another type.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no faiss index {path}: give the file with the index of the keys")
    try:
        with path.open("rb") as file:
            return _find_keys(path, file, path.stat().st_size)
    except OSError as error:
        raise _unreadable(path, error) from error


def _find_keys(path: Path, file: BinaryIO, size: int) -> PublishedKeys:
    header = file.read(_HEADER.size)
    kind = header[: len(_HNSW_OVER_FLAT)]
    if kind not in {*_FLAT_TYPES, _HNSW_OVER_FLAT}:
        raise _other_type(path, f"type {kind.decode('latin-1')!r}")
    if len(header) < _HEADER.size:
        raise _cut_off(path)
    _, dimension, count, *_, metric = _HEADER.unpack(header)
    if metric not in _METRICS:
        raise _other_type(path, f"metric {metric}")
    values_size = dimension * count * _BYTES_A_VALUE
    start = size - values_size - _VALUES.size - _HEADER.size
    # A flat index is the whole file, or the end of another's.
    if dimension < 1 or count < 0 or start < 0:
        raise _cut_off(path)
    file.seek(start)
    flat = _HEADER.unpack(file.read(_HEADER.size))
    (values,) = _VALUES.unpack(file.read(_VALUES.size))
    if flat[0] not in _FLAT_TYPES or flat[1:3] != (dimension, count) or values != dimension * count:
        raise _cut_off(path)
    return PublishedKeys(path, count, dimension, size - values_size)


def list_prototypes(folder: Path) -> list[str]:
    """Names of the .npy files in a folder in the order of the index's rows, which is that of Python's ``sorted``.

    Raises:
        NotFoundError: there is no such folder.
        InputError: it cannot be listed, or a name is not UTF-8.
    """
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


def read_prototype_file(path: Path, dimension: int) -> npt.NDArray[np.float32]:
    """Read one prototype.

    Args:
        path: an .npy file of shape (Dv,) or (1, Dv), of floating-point numbers.
        dimension: Dv expected.

    Returns:
        (Dv,) float32.

    Raises:
        InputError: it is something else, cut off, or holds Python objects, which are never loaded.
    """
    found = _map_numbers(path)
    if found.shape not in {(dimension,), (1, dimension)} or found.dtype.kind != "f":
        raise InputError(
            f"{path} holds {found.dtype} of shape {found.shape}, expected floats of shape ({dimension},) or "
            f"(1, {dimension}): is the bank one of the same pack?"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is left out
        return np.array(found, dtype=np.float32).reshape(dimension)


def measure_prototype_file(path: Path) -> int:
    """Tell Dv of the prototype in a file, for which anything of shape (Dv,) or (1, Dv) is taken.

    Raises:
        InputError: it is something else, cut off, or holds Python objects, which are never loaded.
    """
    found = _map_numbers(path)
    dimension = found.shape[-1] if found.ndim else 0
    if dimension < 1 or found.shape not in {(dimension,), (1, dimension)}:
        raise InputError(f"{path} holds numbers of shape {found.shape}, expected one prototype, (Dv,) or (1, Dv)")
    return dimension


def _map_numbers(path: Path) -> npt.NDArray[Any]:
    try:
        # Mapped, so that a header that promises too much allocates nothing; this never unpickles.
        return np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a broken header fails in many ways
        reason = " ".join(str(error).split())
        raise InputError(f"{path} cannot be read as an {ENDING} file of numbers ({reason})") from error


def _other_type(path: Path, found: str) -> InputError:
    known = ", ".join(name.decode("ascii") for name in (*_FLAT_TYPES, _HNSW_OVER_FLAT))
    return InputError(
        f"{path} is no faiss index that holds its keys as they were (it has {found}): expected a flat one, or HNSW "
        f"over a flat one ({known}), by inner product or L2"
    )


def _cut_off(path: Path) -> InputError:
    return InputError(f"the faiss index {path} is cut off or damaged (its size is not the one it says): copy it again")


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"the faiss index {path} cannot be read ({error.strerror}): check its permissions")
