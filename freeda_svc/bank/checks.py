"""What is checked before prototypes are written or searched."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.prototypes import LARGEST_VALUE, is_unit

if TYPE_CHECKING:
    from freeda_svc.prototypes import Prototype

# Rounding the values of a unit vector to float32 changes its length by half of this at most.
_FLOAT32_ROUNDING = float(np.finfo(np.float32).eps)


def check_prototypes(
    prototypes: Sequence["Prototype"], pack: str | None, key_dimension: int, vector_dimension: int
) -> None:
    """Refuse a batch when any of its prototypes cannot be stored.

    Args:
        prototypes: the batch.
        pack: fingerprint the prototypes must carry, as that of their encoders or of their whole pack; None takes any.
        key_dimension: Dt expected.
        vector_dimension: Dv expected.

    Raises:
        InputError: names the first unusable prototype, what is wrong with it, and what was expected.
    """
    for prototype in prototypes:
        name = f"prototype of {prototype.noun!r} (caption {prototype.caption_id})"
        if pack is not None and pack not in {prototype.pack, prototype.encoders}:
            of_encoders = f" with the encoders {prototype.encoders}" if prototype.encoders else ""
            raise InputError(
                f"{name}: made with pack {prototype.pack}{of_encoders}, but the bank holds pack {pack}; "
                "make it again with the bank's pack or add it to another bank"
            )
        if _largest(f"{name}: its key", prototype.key, key_dimension) == 0:
            raise InputError(f"{name}: its key is zero, so it has no direction to be found by; expected a non-zero key")
        if _largest(f"{name}: its vector", prototype.vector, vector_dimension) > LARGEST_VALUE:
            raise InputError(
                f"{name}: its vector has a value beyond {LARGEST_VALUE:.0f}, the largest the bank can hold (float16)"
            )
        if prototype.appearance is not None:
            _check_appearance(f"{name}: its appearance", prototype.appearance, key_dimension)


def _largest(name: str, values: npt.NDArray[np.float32], dimension: int) -> float:
    """The largest magnitude among the values of a vector, which are to be finite."""
    if values.shape != (dimension,):
        raise InputError(f"{name} has shape {values.shape}, expected ({dimension},): was it made with another model?")
    largest = float(np.abs(values).max())
    if not math.isfinite(largest):
        raise InputError(f"{name} has values that are not finite; leave this prototype out")
    return largest


def _check_appearance(name: str, appearance: npt.NDArray[np.float32], dimension: int) -> None:
    _largest(name, appearance, dimension)
    if not is_unit(appearance):
        length = np.linalg.norm(appearance.astype(np.float64))
        raise InputError(f"{name} has length {length:.4g}, expected 1: scale it to unit length, or leave it out")


def check_queries(queries: npt.NDArray[np.float32], k: int, dimension: int, *, what: str = "query") -> None:
    """Refuse what has no nearest neighbours.

    Args:
        queries: to be (C, dimension), finite, no row zero.
        k: to be at least 1.
        dimension: Dt where keys are searched, Dv where prototypes are.
        what: what messages call a row.

    Raises:
        InputError: says which of these does not hold.
    """
    if k < 1:
        raise InputError(f"the number of neighbours is {k}, expected at least 1")
    if queries.ndim != 2 or queries.shape[1] != dimension:  # noqa: PLR2004 (rows and columns)
        raise InputError(
            f"the {what} rows are an array of shape {queries.shape}, expected (number, {dimension}): "
            "use the bank's own pack"
        )
    if not np.isfinite(queries).all():
        raise InputError(f"a {what} has values that are not finite, expected an embedding of finite numbers")
    if not queries.any(axis=1).all():
        raise InputError(f"a {what} is zero, so it has no direction; expected a non-zero embedding")


def check_reasons(reasons: Mapping[str, str]) -> None:
    """Refuse marks that do not say why.

    Raises:
        InputError: a reason is empty.
    """
    for identifier, reason in reasons.items():
        if not reason:
            raise InputError(f"the outlier {identifier} has no reason: say why retrieval is to leave it out")


def unit_rows(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale each row of (N, D) float32, none of them zero, to length 1.

    Rows that have this length already, as well as float32 can say, stay as they are bit for bit: keys that move from
    one bank to another do not drift.
    """
    # In float64, because squares of float32 values leave float32's range.
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    lengths[np.abs(lengths - 1) <= _FLOAT32_ROUNDING] = 1
    unit: npt.NDArray[np.float32] = (wide / lengths).astype(np.float32)
    return unit
