"""What the tests of every prototype store share."""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings

from freeda_svc.bank import ALL, ClassPrototypes, PrototypeStore, Retrieval, Selection, point_id
from freeda_svc.prototypes.record import Prototype

MakeStore = Callable[..., PrototypeStore]
MakePrototypes = Callable[..., list[Prototype]]
Array = npt.NDArray[np.float32]
FLOAT16_RELATIVE = 2.0**-11
SCORE_TOLERANCE = 4e-6
ORIGINS = ("generated", "exemplar", "imported")
NOWHERE = "00000000-0000-5000-8000-000000000000"
ONES = np.ones((1, 5), dtype=np.float32)
property_test = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def cosines(queries: Array, keys: Array) -> npt.NDArray[np.float64]:
    wide_queries, wide_keys = queries.astype(np.float64), keys.astype(np.float64)
    unit_queries = wide_queries / np.linalg.norm(wide_queries, axis=1, keepdims=True)
    unit_keys = wide_keys / np.linalg.norm(wide_keys, axis=1, keepdims=True)
    products: npt.NDArray[np.float64] = unit_queries @ unit_keys.T
    return products


def ids_of(prototypes: list[Prototype]) -> list[str]:
    return [point_id(prototype) for prototype in prototypes]


def scanned(store: PrototypeStore, selection: Selection = ALL, at_once: int = 1000) -> dict[str, Prototype]:
    found = [prototype for some in store.scan(selection, at_once=at_once) for prototype in some]
    by_id = {point_id(prototype): prototype for prototype in found}
    assert len(by_id) == len(found)
    return by_id


def everything_but_arrays(prototype: Prototype) -> dict[str, object]:
    arrays = {"key", "vector", "appearance"}
    return {f.name: getattr(prototype, f.name) for f in fields(Prototype) if f.name not in arrays}


def lay_out_keys(layout: str, number: int, dimension: int, generator: np.random.Generator) -> Array:
    keys = generator.normal(size=(number, dimension))
    if layout == "clustered":
        centres = generator.normal(size=(3, dimension))
        keys = 0.9 * centres[generator.integers(3, size=number)] + 0.01 * keys
    elif layout == "duplicated":
        keys = keys[generator.integers(max(1, number // 4), size=number)]
    elif layout == "of any length":
        keys *= 10.0 ** generator.uniform(-30, 30, size=(number, 1))
    return keys.astype(np.float32)


def class_prototypes(store: PrototypeStore, queries: Array, k: int) -> Array:
    """Eq. 4 for embeddings without texts, (C, Dt) to (C, Dv), with nothing kept."""
    texts = [str(number) for number in range(len(queries))]
    return ClassPrototypes(store, entries=0).fetch(texts, lambda _: queries, Retrieval(k), templates=())
