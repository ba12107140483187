"""Class prototypes, eq. 4: what a category looks like, as the mean of the prototypes its text retrieves."""

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.store import PrototypeStore
from freeda_svc.errors import InputError

# Bounds memory: this many categories' prototypes are held at once (350 x 1024 float32 each).
_QUERIES_AT_ONCE = 64


def class_prototypes(store: PrototypeStore, queries: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float32]:
    """Mean of the k prototypes whose keys are nearest to each query (eq. 4).

    The mean is taken over raw vectors; prototypes with a value that is not finite are left out, as in the released
    code.

    Args:
        store: the bank.
        queries: (C, Dt) float32, one text embedding a category.
        k: how many prototypes each category retrieves; all of them where the bank holds fewer. The paper uses 350.

    Returns:
        (C, Dv) float32, not normalised.

    Raises:
        InputError: the bank is empty, the queries or k are not usable, or no retrieved prototype is finite.
    """
    if store.count() == 0:
        raise InputError("the bank is empty: run `freeda ingest FILE` first")
    means = np.empty((len(queries), store.vector_dimension), dtype=np.float32)
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        for offset, found in enumerate(store.nearest(queries[start : start + _QUERIES_AT_ONCE], k)):
            means[start + offset] = mean_of_finite(found.vectors)
    return means


def mean_of_finite(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Float32 mean over the rows of (K, Dv) whose values are all finite.

    Raises:
        InputError: there is no such row.
    """
    finite = vectors[np.isfinite(vectors).all(axis=1)]
    if len(finite) == 0:
        raise InputError("none of the retrieved prototypes is finite: the bank is damaged, make it again")
    mean: npt.NDArray[np.float32] = finite.mean(axis=0, dtype=np.float32)
    return mean
