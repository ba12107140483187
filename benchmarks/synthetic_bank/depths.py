"""Time and recall of one category over the depth of a search, beside the bank's exact search."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import click
import numpy as np

from benchmarks.synthetic_bank.built import build_bank
from benchmarks.synthetic_bank.categories import OF_EACH_KIND, Embeddings, K, draw_categories
from benchmarks.synthetic_bank.flat_baseline import FlatBaseline
from benchmarks.synthetic_bank.keys import SyntheticKeys
from freeda_svc.bank import Approximate, PrototypeStore, open_folder

EXACT, FULL, ONE_BYTE = "exact", "graph", "graph_one_byte"
"""Ways of searching: the bank's own; a graph of full keys; one of keys of one byte a value, rescored by full ones."""
IN_VOCABULARY, RARE, UNKNOWN = "in_vocabulary", "rare", "unknown"
"""Kinds of categories."""


@dataclass(frozen=True)
class Point:
    """What one kind of categories got at one depth.

    Attributes:
        recall: share of the K nearest that was found, 0 to 1.
        milliseconds: median time of one category.
    """

    recall: float
    milliseconds: float


Curves = dict[tuple[str, str], dict[int, Point]]
"""For every way of searching and kind of categories the points by depth; the exact search has one, at depth 0."""


def measure_depths(synthetic: SyntheticKeys, depths: Sequence[int]) -> Curves:
    """Search at every depth; all ways return prototypes."""
    flat, categories = FlatBaseline(synthetic), draw_categories(synthetic)
    kinds = {IN_VOCABULARY: categories.in_vocabulary[:OF_EACH_KIND], RARE: categories.rare, UNKNOWN: categories.unknown}
    curves: Curves = {(way, kind): {} for way in (EXACT, FULL, ONE_BYTE) for kind in kinds}
    for way in (EXACT, FULL, ONE_BYTE):
        # A bank each, because a graph is kept with its bank.
        folder, _ = build_bank(synthetic, "" if way == EXACT else way)
        for depth in [0] if way == EXACT else depths:
            for kind, point in _measure_depth(folder, way, depth, kinds, flat).items():
                curves[way, kind][depth] = point
            click.echo(f"searched: {way}" if way == EXACT else f"searched: {way} to a depth of {depth}")
    return curves


def _measure_depth(
    folder: Path, way: str, depth: int, kinds: dict[str, Embeddings], flat: FlatBaseline
) -> dict[str, Point]:
    approximate = None if way == EXACT else Approximate(depth, quantized=way == ONE_BYTE)
    with open_folder(folder, approximate) as store:
        for queries in kinds.values():  # the first search builds the graph, and what is read comes from the disk
            store.nearest(queries, K)
        return {kind: _point(store, queries, flat) for kind, queries in kinds.items()}


def _point(store: PrototypeStore, queries: Embeddings, flat: FlatBaseline) -> Point:
    seconds: list[float] = []
    found = []
    for query in queries:
        started = perf_counter()
        (neighbours,) = store.nearest(query[np.newaxis], K)
        seconds.append(perf_counter() - started)
        found.append(flat.rows_of(neighbours.ids))
    return Point(flat.recall(queries, found, K), 1000 * statistics.median(seconds))
