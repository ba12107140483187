"""Vectors of an embedded bank as rows of plain files, read without a copy of the whole in memory."""

import mmap
import os
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError, UnavailableError

KEYS_NAME = "keys.float32"
COARSE_NAME = "keys.float16"
PROTOTYPES_NAME = "prototypes.float16"

_ROWS_A_GROWTH = 16_384

Value = TypeVar("Value", np.float16, np.float32)


class RowFile(Generic[Value]):
    """Vectors of one length and type, one after the other; rows are only ever appended."""

    def __init__(self, path: Path, dtype: type[Value], dimension: int, rows: int) -> None:
        """Open a file; make it when there is none and it should have no rows.

        Args:
            path: the file.
            dtype: of a value.
            dimension: values in a row.
            rows: how many rows count; what the file holds behind them is written over.

        Raises:
            InputError: the file has fewer rows.
            UnavailableError: it cannot be read or written.
        """
        self._path = path
        self.dtype: np.dtype[Value] = np.dtype(dtype)
        self.dimension = dimension
        self._row_bytes = self.dtype.itemsize * dimension
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._descriptor).st_size
        except OSError as error:
            raise UnavailableError(f"the bank's file {path} cannot be used ({error.strerror})") from error
        if size < rows * self._row_bytes:
            os.close(self._descriptor)
            raise InputError(
                f"the bank's file {path} is cut off: {size} bytes, expected {rows * self._row_bytes}; "
                "remove it, and it is made again from the bank's points"
            )

    def append(self, at: int, vectors: npt.NDArray[Value]) -> None:
        """Write rows from row ``at`` on; they are on the disk when this returns.

        Args:
            at: number of the first row.
            vectors: (N, D) of this file's type.

        Raises:
            UnavailableError: they cannot be written.
        """
        content = np.ascontiguousarray(vectors, dtype=self.dtype).reshape(-1).view(np.uint8)
        offset, done = at * self._row_bytes, 0
        try:
            while done < len(content):
                done += os.pwrite(self._descriptor, content[done:].data, offset + done)
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise UnavailableError(f"the bank's file {self._path} cannot be written ({error.strerror})") from error

    def read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[Value]:
        """Read rows by their numbers, in any order; neighbours are read at once, and none stays in memory.

        Returns:
            (N, D) of this file's type.
        """
        if not len(rows):
            return np.empty((0, self.dimension), dtype=self.dtype)
        wanted, back = np.unique(rows, return_inverse=True)
        found = np.empty((len(wanted), self.dimension), dtype=self.dtype)
        flat = found.reshape(-1).view(np.uint8)
        starts = np.flatnonzero(np.diff(wanted, prepend=-2) > 1)
        ends = np.append(starts[1:], len(wanted))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            part = flat[start * self._row_bytes : end * self._row_bytes].data
            self._fill(part, int(wanted[start]) * self._row_bytes)
        return found[back]

    def _fill(self, part: memoryview, offset: int) -> None:
        done = 0
        while done < len(part):
            try:
                count = os.preadv(self._descriptor, [part[done:]], offset + done)
            except OSError as error:
                raise UnavailableError(f"the bank's file {self._path} cannot be read ({error.strerror})") from error
            if count == 0:
                raise UnavailableError(f"the bank's file {self._path} was cut off while it was in use")
            done += count

    def map(self, rows: int) -> npt.NDArray[Value]:
        """Show at least the first ``rows`` rows as an array whose pages are read when they are touched.

        Rows appended later appear in it as far as it reaches. It must not be written.

        Returns:
            (M, D) of this file's type, with M at least ``rows``.

        Raises:
            UnavailableError: the file cannot be made longer.
        """
        capacity = (rows // _ROWS_A_GROWTH + 1) * _ROWS_A_GROWTH
        try:
            if os.fstat(self._descriptor).st_size < capacity * self._row_bytes:
                os.ftruncate(self._descriptor, capacity * self._row_bytes)
            # Not read-only, because torch warns of arrays that are; nobody writes.
            whole = mmap.mmap(self._descriptor, capacity * self._row_bytes, flags=mmap.MAP_SHARED)
        except OSError as error:
            raise UnavailableError(f"the bank's file {self._path} cannot be used ({error.strerror})") from error
        return np.frombuffer(whole, dtype=self.dtype).reshape(capacity, self.dimension)

    def close(self) -> None:
        """Close the file; arrays that `map` gave stay usable. Closing again does nothing."""
        descriptor, self._descriptor = self._descriptor, -1  # no thread shall read what gets this number next
        if descriptor >= 0:
            os.close(descriptor)
