"""Retrieval from a bank of a million keys, beside a flat faiss index of the same keys in the same run.

The keys have a realistic shape (`synthetic_bank.keys`). One category is a noun in the bank's vocabulary, drawn by how
frequent it is, or a rare or an unknown one; a list of 150 holds all kinds (`synthetic_bank.categories`).
Both sides return prototypes, take turns, and find what they read in memory. Times are medians of wall-clock time;
ratios are ours over faiss's, so that less is better and 0.2 is five times faster.
``python -m benchmarks.retrieval --keys 20000`` tries everything on fewer keys and writes nothing.
"""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter, process_time, sleep

import click
import numpy as np
import torch

from benchmarks.results import Result
from benchmarks.synthetic_bank.built import build_bank
from benchmarks.synthetic_bank.categories import Categories, Embeddings, K, draw_categories
from benchmarks.synthetic_bank.flat_baseline import NAME as BASELINE
from benchmarks.synthetic_bank.flat_baseline import FlatBaseline
from benchmarks.synthetic_bank.footprint import Footprint, forget_cached_pages, measure_footprint
from benchmarks.synthetic_bank.keys import DECAYING, ISOTROPIC, THREADS, SyntheticKeys, shape_of
from freeda_svc.bank import Approximate, Neighbours, PrototypeStore, open_folder
from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval

MILLION = 1_000_000
DECAYING_KEYS = 200_000
MIXED_ROUNDS = 5
OPENINGS = 5
WARM_CALLS = 200
REGIONS = 700
"""About as many as superpixels in a window of 448 x 448."""
LOOKED_AT = 20
"""K' of reverse retrieval."""
DEPTHS_OF_LOOKS = (64, 256)

_SETTLING_SECONDS = 0.02


@dataclass
class _Times:
    """Of one side: seconds of wall-clock time, and of the processor over all of the process's threads."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def time(self, work: Callable[[], object]) -> None:
        sleep(_SETTLING_SECONDS)  # threads of the other side may still be spinning
        wall, processor = perf_counter(), process_time()
        work()
        self.processor.append(process_time() - processor)
        self.wall.append(perf_counter() - wall)


def _in_turns(
    calls: Sequence[Embeddings], ours: Callable[[Embeddings], object], theirs: Callable[[Embeddings], object]
) -> tuple[_Times, _Times]:
    """Time both sides on each call, each of them first as often as second."""
    own, other = _Times(), _Times()
    for number, queries in enumerate(calls):
        sides = [(own, ours), (other, theirs)]
        for times, search in reversed(sides) if number % 2 else sides:
            times.time(partial(search, queries))
    return own, other


def _compared(
    name: str,
    suffix: str,
    calls: Sequence[Embeddings],
    ours: Callable[[Embeddings], object],
    theirs: Callable[[Embeddings], object],
) -> list[Result]:
    own, other = _in_turns(calls, ours, theirs)
    click.echo(f"timed {name}")
    wall, theirs_wall = statistics.median(own.wall), statistics.median(other.wall)
    processor = statistics.median(own.processor) / statistics.median(other.processor)
    return [
        Result(f"{name}_vs_faiss_flat{suffix}", wall / theirs_wall, "", BASELINE, wall / theirs_wall),
        Result(f"{name}_ms{suffix}", 1000 * wall, "ms"),
        Result(f"{name}_faiss_flat_ms{suffix}", 1000 * theirs_wall, "ms"),
        Result(f"{name}_processor_time_vs_faiss_flat{suffix}", processor, "", BASELINE, processor),
    ]


def _search(store: PrototypeStore, flat: FlatBaseline, categories: Categories, suffix: str) -> list[Result]:
    """Times and recall of both sides."""

    def ours(queries: Embeddings) -> list[Neighbours]:
        return store.nearest(queries, K)

    def theirs(queries: Embeddings) -> object:
        return flat.nearest(queries, K)

    mixed = categories.mixed
    for side in (ours, theirs):
        side(mixed), side(mixed[:1])
    results: list[Result] = []
    for name, queries in (
        ("one_category", categories.in_vocabulary),
        ("one_category_of_any_frequency", categories.of_the_bank),
        ("one_rare_category", categories.rare),
        ("one_unknown_category", categories.unknown),
    ):
        results += _compared(name, suffix, [query[np.newaxis] for query in queries], ours, theirs)
    results += _compared(f"mixed_{len(mixed)}", suffix, [mixed] * MIXED_ROUNDS, ours, theirs)
    asked = np.concatenate([categories.in_vocabulary, categories.of_the_bank, mixed])
    found = [flat.rows_of(neighbours.ids) for neighbours in ours(asked)]
    recall, flat_recall = (flat.recall(asked, rows, K) for rows in (found, list(flat.nearest(asked, K)[0])))
    return [
        *results,
        Result(f"recall_at_{K}{suffix}", recall, "", "a scan of all float32 keys, equal scores counting alike", recall),
        Result(f"recall_at_{K}_faiss_flat{suffix}", flat_recall, ""),
    ]


def _footprints(folder: Path, categories: Categories, size: str) -> list[Result]:
    """Opening time and memory, each time in another process."""
    click.echo(f"opening the bank in {OPENINGS + 1} other processes")
    queries = categories.mixed  # the first of them is in the vocabulary
    with tempfile.TemporaryDirectory() as scratch:

        def measure() -> Footprint:
            return measure_footprint(folder, queries, K, Path(scratch))

        warm = [measure() for _ in range(OPENINGS)]
        forget_cached_pages(folder)
        cold = measure()
    open_seconds = statistics.median(one.open_seconds for one in warm)
    first_answer = statistics.median(one.first_answer_seconds for one in warm)
    return [
        Result(f"peak_rss_mb_{size}", max(one.peak_rss_mb for one in [*warm, cold]), "MB"),
        Result(f"resident_without_files_mb_{size}", max(one.anonymous_mb for one in [*warm, cold]), "MB"),
        Result(f"open_seconds_{size}", open_seconds, "s"),
        Result(f"open_seconds_{size}_from_disk", cold.open_seconds, "s"),
        Result(f"first_answer_after_opening_ms_{size}", 1000 * first_answer, "ms"),
        Result(f"first_answer_after_opening_ms_{size}_from_disk", 1000 * cold.first_answer_seconds, "ms"),
    ]


def _warm(store: PrototypeStore, categories: Categories) -> list[Result]:
    """The class prototypes of categories that were asked for before."""
    mixed = categories.mixed
    texts = [f"category {number}" for number in range(len(mixed))]
    prototypes, retrieval = ClassPrototypes(store), Retrieval(K)
    times = _Times()
    for _ in range(1 + WARM_CALLS):
        times.time(lambda: prototypes.fetch(texts, lambda _: mixed, retrieval, templates=()))
    return [Result(f"warm_{len(mixed)}_categories_ms", 1000 * statistics.median(times.wall[1:]), "ms")]


def _looks(store: PrototypeStore, flat: FlatBaseline, suffix: str) -> list[Result]:
    """Searching by looks: the prototypes nearest to the regions of one window, exactly and over a graph."""
    regions = flat.looks_like(REGIONS)
    started = perf_counter()
    exact = store.nearest_prototypes(regions, LOOKED_AT)
    exact_seconds = perf_counter() - started
    started = perf_counter()
    store.optimize(index_prototypes=True)
    built = perf_counter() - started
    results = []
    for depth in DEPTHS_OF_LOOKS:
        store.nearest_prototypes(regions[:1], LOOKED_AT, approximate=Approximate(depth))
        started = perf_counter()
        found = store.nearest_prototypes(regions, LOOKED_AT, approximate=Approximate(depth))
        seconds = perf_counter() - started
        hits = sum(len(set(one.ids) & set(other.ids)) for one, other in zip(found, exact, strict=True))
        results += [
            Result(f"regions_{REGIONS}_graph_depth_{depth}_ms{suffix}", 1000 * seconds, "ms"),
            Result(
                f"regions_{REGIONS}_graph_depth_{depth}_recall_at_{LOOKED_AT}{suffix}", hits / (REGIONS * LOOKED_AT), ""
            ),
        ]
    return [
        Result(f"regions_{REGIONS}_exact_ms{suffix}", 1000 * exact_seconds, "ms"),
        Result(f"graph_of_prototypes_seconds{suffix}", built, "s"),
        *results,
    ]


def _measure(synthetic: SyntheticKeys, suffix: str) -> list[Result]:
    """Build the bank where it is not there, and measure everything about it."""
    keys = synthetic.shape.keys
    size = "1m" if keys == MILLION else str(keys)
    categories = draw_categories(synthetic)
    folder, ingest = build_bank(synthetic)
    footprints = [] if suffix else _footprints(folder, categories, size)
    click.echo(f"making a flat faiss index of the same {keys:,} keys")
    flat = FlatBaseline(synthetic)
    with open_folder(folder) as store:
        search = _search(store, flat, categories, suffix)
        warm = [] if suffix else _warm(store, categories)
        stats = store.stats()
        looks = _looks(store, flat, suffix) if suffix else []
    return [
        *search,
        *footprints,
        *warm,
        *looks,
        Result(f"upserts_per_second{suffix}", ingest.prototypes / ingest.seconds, "prototypes/s"),
        Result(f"packing_seconds{suffix}", ingest.packing_seconds, "s"),
        Result(f"bytes_on_disk_per_prototype{suffix}", stats.bytes_on_disk / stats.prototypes, "bytes"),
    ]


def run(keys: int = MILLION) -> list[Result]:
    """Measure keys that point in any direction alike, then fewer whose directions are those of a text encoder.

    Args:
        keys: how many of the first kind, a multiple of 5,000.
    """
    torch.set_num_threads(THREADS)
    results = _measure(SyntheticKeys(shape_of(keys, ISOTROPIC)), "")
    fewer = min(keys, DECAYING_KEYS)
    return [*results, *_measure(SyntheticKeys(shape_of(fewer, DECAYING)), f"_decaying_spectrum_{fewer}")]


@click.command()
@click.option("--keys", default=MILLION, show_default=True, help="How many keys.")
def _try(keys: int) -> None:
    """Measure retrieval and print the results without writing them."""
    for result in run(keys):
        click.echo(f"  {result.name:60s} {result.value:12.4f} {result.unit}")


if __name__ == "__main__":
    _try()
