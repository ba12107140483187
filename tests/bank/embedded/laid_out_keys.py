"""Keys of many shapes as a bank would hand them to the scan, and what must be found among them."""

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.checks import unit_rows
from freeda_svc.bank.embedded.cones import grow_cones, no_cones
from freeda_svc.bank.embedded.scan import nearest_rows
from freeda_svc.bank.embedded.scoring import Keys

Array = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
LAYOUTS = ("random", "clustered", "duplicated", "nearly equal", "opposite", "one noun")


def lay_out(layout: str, number: int, dimension: int, generator: np.random.Generator) -> tuple[Array, Rows]:
    """Unit keys and their nouns; clustered ones like those of a bank: 25 nouns in cones of a few degrees."""
    noun_number = 1 if layout == "one noun" else 25
    nouns = generator.integers(noun_number, size=number)
    common = generator.normal(size=dimension)
    centres = common + 0.6 * generator.normal(size=(noun_number, dimension))
    noise = generator.normal(size=(number, dimension))
    if layout == "random":
        keys = noise
    elif layout == "duplicated":
        keys = noise[generator.integers(max(1, number // 5), size=number)]
    elif layout == "nearly equal":  # float16 cannot tell them apart, and float32 barely
        keys = noise[generator.integers(2, size=number) % number] + 1e-6 * noise
    elif layout == "opposite":
        keys = np.where(generator.random((number, 1)) < 0.5, 1, -1) * centres[nouns] + 1e-3 * noise
    else:
        keys = centres[nouns] + 0.04 * noise
    return unit_rows(keys.astype(np.float32)), nouns


def make_keys(
    keys: Array, nouns: Rows, *, hidden: Bits | None = None, removed: Bits | None = None, covered: int | None = None
) -> Keys:
    """What a bank would hand to the scan; of the rows only the first ``covered`` have cones."""
    generator = np.random.default_rng(len(keys))
    number = len(keys)
    alive = np.ones(number, dtype=np.bool_) if removed is None else ~removed
    retrievable = alive if hidden is None else alive & ~hidden
    end = number if covered is None else min(covered, number)
    coarse, codes = keys.astype(np.float16), nouns.astype(np.uint32)
    ids = generator.integers(256, size=(number, 16)).astype(np.uint8)
    ids[:, :8] = ids[:1, :8] + np.arange(number)[:, np.newaxis] % 3  # the first half often is not enough
    return Keys(
        rows=number,
        coarse=np.concatenate([coarse, np.full((7, keys.shape[1]), np.nan, dtype=np.float16)]),
        read_exact=lambda rows: keys[rows],
        retrievable=retrievable,
        nouns=codes,
        cones=grow_cones(no_cones(keys.shape[1]), coarse[:end], keys.__getitem__, codes[:end], alive[:end]),
        ids=lambda rows: ids[rows],
    )


def brute_force(keys: Keys, query: Array, k: int, first_row: int = 0) -> tuple[list[int], Array]:
    rows = np.flatnonzero(keys.retrievable)
    rows = rows[rows >= first_row]
    scores = np.array(
        [np.sum(key * query.astype(np.float64)) for key in keys.read_exact(rows)], dtype=np.float64
    ).astype(np.float32)
    ids = [row.tobytes() for row in keys.ids(rows)]
    order = sorted(range(len(rows)), key=lambda number: (-scores[number], ids[number]))[:k]
    return rows[order].tolist(), scores[order]


def assert_exact(keys: Keys, queries: Array, k: int, first_row: int = 0) -> None:
    found = nearest_rows(keys, queries, k, first_row=first_row)
    assert len(found) == len(queries)
    for query, (rows, scores) in zip(queries, found, strict=True):
        expected, expected_scores = brute_force(keys, query, k, first_row)
        assert rows.tolist() == expected
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores, expected_scores)


def draw_queries(keys: Array, number: int, generator: np.random.Generator) -> Array:
    """Some at keys, some opposite to keys, some between, some anywhere."""
    if not len(keys):
        return unit_rows(generator.normal(size=(number, keys.shape[1])).astype(np.float32))
    base = keys[generator.integers(len(keys), size=number)] * generator.choice([1, 1, -1], size=(number, 1))
    tilt = 10.0 ** generator.uniform(-8, 2, size=(number, 1))
    return unit_rows((base + tilt * generator.normal(size=base.shape)).astype(np.float32))


def unknown_words(keys: Keys, number: int) -> Array:
    """Queries that are about as far from every noun."""
    noise = np.random.default_rng(1).normal(size=(number, keys.coarse.shape[1]))
    as_far_from_each = np.linalg.pinv(keys.cones.centres).sum(axis=1)
    return unit_rows((as_far_from_each + 1e-3 * noise).astype(np.float32))
