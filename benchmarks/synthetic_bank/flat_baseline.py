"""What the bank is compared with: a flat faiss index and an array of prototypes, as the released code keeps them."""

from collections.abc import Iterator, Sequence

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.synthetic_bank.keys import THREADS, SyntheticKeys, make_prototypes
from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.points import point_id

NAME = f"faiss.IndexFlatIP with {THREADS} threads, prototypes taken from an array in memory"

_KEYS_AT_ONCE = 50_000


class FlatBaseline:
    """All keys of a shape in `faiss.IndexFlatIP`, and their prototypes in float32."""

    def __init__(self, synthetic: SyntheticKeys) -> None:
        """Make the keys again and take them in."""
        faiss.omp_set_num_threads(THREADS)
        shape = synthetic.shape
        self._index = faiss.IndexFlatIP(shape.dimension)
        self._prototypes = np.empty((shape.keys, shape.dimension), dtype=np.float32)
        ids: list[str] = []
        for batch in synthetic.batches():
            self._index.add(unit_rows(batch.keys))  # as the bank normalises them, to the last bit
            self._prototypes[batch.first : batch.first + len(batch.keys)] = batch.prototypes
            ids += [point_id(prototype) for prototype in make_prototypes(batch)]
        self._rows = {identifier: row for row, identifier in enumerate(ids)}

    def nearest(
        self, queries: npt.NDArray[np.float32], k: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The k nearest of (C, Dt) unit queries: rows (C, k), scores (C, k) and prototypes (C, k, Dv)."""
        scores, rows = self._index.search(queries, k)
        return rows, scores, self._prototypes[rows]

    def looks_like(self, number: int) -> npt.NDArray[np.float32]:
        """Vectors near prototypes of the bank, (number, Dv), as regions of an image would be."""
        random = np.random.default_rng(number)
        rows = random.integers(len(self._prototypes), size=number)
        noise = random.standard_normal((number, self._prototypes.shape[1]), dtype=np.float32)
        return self._prototypes[rows] + 0.5 * noise

    def rows_of(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """The rows of points of a bank that holds the same prototypes."""
        return np.array([self._rows[identifier] for identifier in ids], dtype=np.int64)

    def recall(self, queries: npt.NDArray[np.float32], found: list[npt.NDArray[np.int64]], k: int) -> float:
        """The share of the k nearest that was found, by a scan of all float32 keys.

        Keys that are as near as the k-th count alike, whichever of them were found. Products are summed in float64, so
        that a score does not depend on where its key stands.

        Args:
            queries: (C, Dt) float32 unit vectors.
            found: for each query the rows that were found, each once.
            k: how many should have been found.
        """
        wide = queries.astype(np.float64)
        scores = np.concatenate(
            [(wide @ part.T.astype(np.float64)).astype(np.float32) for part in self._keys()], axis=1
        )
        hits = 0
        for row, of_query in zip(found, scores, strict=True):
            least = np.partition(of_query, len(of_query) - k)[len(of_query) - k]
            hits += int((of_query[np.unique(row)] >= least).sum())
        return hits / (len(queries) * k)

    def _keys(self) -> Iterator[npt.NDArray[np.float32]]:
        keys = faiss.rev_swig_ptr(self._index.get_xb(), self._index.ntotal * self._index.d)
        keys = keys.reshape(self._index.ntotal, self._index.d)
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            yield keys[start : start + _KEYS_AT_ONCE]
