"""What votes by appearance cost: one window with and without them, on a bank of 100,000 prototypes in its own folder.

The bank has keys of a realistic shape (benchmarks/synthetic_bank); each region looks like some prototype, of any noun,
so that fewer of their neighbours are the same than in a photo.
"""

import re
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

import click
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.results import Result
from benchmarks.synthetic_bank.built import bank_folder
from benchmarks.synthetic_bank.keys import BATCH, DECAYING, PACK, SyntheticKeys, make_prototypes, shape_of
from freeda_svc.bank import Approximate, PrototypeStore, make_or_open_folder, open_folder
from freeda_svc.bank.checks import unit_rows
from freeda_svc.segmentation.scoring import Ensemble, Support, cosine
from freeda_svc.segmentation.window_scores import join_window

PROTOTYPES = 100_000
REGIONS = 700
"""About as many as superpixels in a window of 448 x 448."""
CATEGORIES = 21
K = 20
DEPTH = 1000
"""Of the search for keys; that for votes has its own."""
RUNS = 5
BASELINE = "the same without votes, or in one batch"

_GRID, _SIDE = 32, 448
_NOISE = 0.5


class _Seconds(NamedTuple):
    """Wall-clock time, and that of the processor over all threads of the process: less disturbed by other programs."""

    wall: float
    processor: float


def run() -> list[Result]:
    """Measure one window, and the search alone."""
    synthetic = SyntheticKeys(shape_of(PROTOTYPES, DECAYING))
    folder = _build(synthetic)
    regions = _looks(synthetic, REGIONS)
    features, superpixels = _window(regions)
    texts = torch.from_numpy(synthetic.embeddings[:CATEGORIES])
    means = torch.from_numpy(next(synthetic.batches()).prototypes[:CATEGORIES])
    results = []
    with open_folder(folder) as store:

        def score(weight: float, support: Support | None) -> None:
            similarity = torch.zeros(CATEGORIES)
            ensemble = Ensemble(0.8, appearance_weight=weight)
            join_window(features, superpixels, lambda seen: cosine(seen, means), similarity, ensemble, support=support)

        def support(seen: torch.Tensor) -> torch.Tensor:
            return cosine(torch.from_numpy(store.mean_appearances(seen.numpy(), K)), texts)

        plain = _median(lambda: score(0, None))
        before = _memory()
        first, later = _time(lambda: score(0.2, support)), _median(lambda: score(0.2, support))
        results += [
            *_results("window_plain", plain),
            *_results("window_with_votes_first", first, plain),
            *_results("window_with_votes", later, plain),
            *_results("votes_over_plain", _Seconds(later.wall - plain.wall, later.processor - plain.processor)),
            Result("votes_memory_mb", _memory() - before, "MB"),
        ]
        results += _searches(store, regions)
    return results + _over_a_graph(folder, regions)


def _searches(store: PrototypeStore, regions: npt.NDArray[np.float32]) -> list[Result]:
    """The search in one batch, and region by region."""
    together = _median(lambda: store.mean_appearances(regions, K))
    one_by_one = _time(lambda: [store.mean_appearances(region[None], K) for region in regions])
    return [*_results("search_together", together), *_results("search_one_by_one", one_by_one, together)]


def _over_a_graph(folder: Path, regions: npt.NDArray[np.float32]) -> list[Result]:
    """The search over a graph of the prototypes, and how near what it finds is to what the exact one finds."""
    with open_folder(folder) as store:
        exact = store.mean_appearances(regions, K)
        results = [Result("graph_seconds", _time(lambda: store.optimize(index_prototypes=True)).wall, "s")]
    with open_folder(folder, Approximate(DEPTH)) as store:
        found = store.mean_appearances(regions, K)
        taken = _median(partial(store.mean_appearances, regions, K))
    cosines = (exact * found).sum(axis=1)
    return [*results, *_results("search_graph", taken), Result("search_graph_cosine", float(cosines.mean()), "")]


def _build(synthetic: SyntheticKeys) -> Path:
    """Build the bank, or what of it is not there yet; it is kept for later runs."""
    folder = bank_folder(synthetic, "votes") / "bank"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with make_or_open_folder(folder, PACK, synthetic.shape.dimension, synthetic.shape.dimension) as store:
        there = store.count()
        click.echo(f"{there:,} of {PROTOTYPES:,} prototypes are in the bank {folder}")
        for batch in synthetic.batches(there // BATCH):
            random = np.random.default_rng(batch.first)
            noise = random.standard_normal(batch.keys.shape, dtype=np.float32) / np.sqrt(batch.keys.shape[1])
            appearances = unit_rows(synthetic.embeddings[batch.nouns] + noise.astype(np.float32))
            prototypes = make_prototypes(batch)
            store.add([replace(one, appearance=row) for one, row in zip(prototypes, appearances, strict=True)])
        if there < PROTOTYPES:
            store.optimize()
    return folder


def _looks(synthetic: SyntheticKeys, number: int) -> npt.NDArray[np.float32]:
    """(number, Dv) vectors near prototypes of the bank, from as many places of it."""
    random = np.random.default_rng(number)
    batches = [batch.prototypes for batch in synthetic.batches()]
    chosen = [prototypes[random.integers(BATCH, size=-(-number // len(batches)))] for prototypes in batches]
    vectors = np.concatenate(chosen)[:number]
    return vectors + _NOISE * random.standard_normal(vectors.shape, dtype=np.float32)


def _window(looks: npt.NDArray[np.float32]) -> tuple[torch.Tensor, torch.Tensor]:
    """A (Dv, h, w) feature grid and (H, W) regions: each region is a piece of a row of the grid with one feature."""
    cells = _GRID * _GRID
    regions = np.arange(cells) * len(looks) // cells
    features = torch.from_numpy(looks[regions].T.reshape(-1, _GRID, _GRID).copy())
    pixels = _SIDE // _GRID
    superpixels = regions.reshape(_GRID, _GRID).repeat(pixels, axis=0).repeat(pixels, axis=1)
    return features, torch.from_numpy(superpixels)


def _time(work: Callable[[], object]) -> _Seconds:
    wall, processor = perf_counter(), process_time()
    work()
    return _Seconds(perf_counter() - wall, process_time() - processor)


def _median(work: Callable[[], object]) -> _Seconds:
    times = [_time(work) for _ in range(RUNS)]
    return _Seconds(*(statistics.median(column) for column in zip(*times, strict=True)))


def _results(name: str, taken: _Seconds, plain: _Seconds | None = None) -> list[Result]:
    against, ratio = ("", None) if plain is None else (BASELINE, taken.processor / plain.processor)
    return [
        Result(f"{name}_ms", 1000 * taken.wall, "ms"),
        Result(f"{name}_processor_ms", 1000 * taken.processor, "ms", against, ratio),
    ]


def _memory() -> float:
    """Memory of this process that is no mapped file, MB."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0
