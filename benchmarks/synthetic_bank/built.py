"""The bank of a shape's prototypes, built once and kept for later runs."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter

import click

from benchmarks.synthetic_bank.keys import BATCH, PACK, SyntheticKeys, make_prototypes
from freeda_svc.bank import make_or_open_folder
from freeda_svc.bank.manifest import FORMAT
from freeda_svc.whole_files import write_whole

CACHE_VARIABLE = "FREEDA_BENCH_CACHE"

_GENERATOR = 2
"""Raised whenever the same shape gives other prototypes."""
_TOLD_EVERY = 10
_TIMES_NAME = "ingest.json"


@dataclass(frozen=True)
class Ingest:
    """How long adding took, over all runs that built the bank.

    Attributes:
        prototypes: how many were added with the clock running.
        seconds: spent in `PrototypeStore.add`, making the prototypes not counted.
        packing_seconds: spent in `PrototypeStore.optimize` once all were there; 0 where that is still to be done.
    """

    prototypes: int
    seconds: float
    packing_seconds: float = 0.0


def bank_folder(synthetic: SyntheticKeys, purpose: str = "") -> Path:
    """Where the bank of a shape is kept: below ``$FREEDA_BENCH_CACHE``, else ``~/.cache/freeda-benchmarks``.

    Args:
        synthetic: the shape.
        purpose: a word that keeps another bank of the same shape apart.
    """
    cache = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "freeda-benchmarks")
    made_by = json.dumps([asdict(synthetic.shape), _GENERATOR, FORMAT])
    digest = hashlib.sha256(made_by.encode()).hexdigest()[:8]
    name = f"bank-{synthetic.shape.keys}-{synthetic.shape.spectrum}-{digest}"
    return cache / (f"{name}-{purpose}" if purpose else name)


def build_bank(synthetic: SyntheticKeys, purpose: str = "") -> tuple[Path, Ingest]:
    """Build the bank of a shape, or what of it is not there yet.

    Args:
        synthetic: the shape.
        purpose: a word that keeps another bank of the same shape apart.

    Returns:
        Its folder, and how fast it was filled.
    """
    place = bank_folder(synthetic, purpose)
    place.mkdir(parents=True, exist_ok=True)
    folder, times = place / "bank", place / _TIMES_NAME
    wanted, dimension = synthetic.shape.keys, synthetic.shape.dimension
    ingest = Ingest(**json.loads(times.read_bytes())) if times.exists() else Ingest(0, 0.0)
    with make_or_open_folder(folder, PACK, dimension, dimension) as store:
        there = store.count()
        if there < wanted:
            click.echo(
                f"adding {wanted - there:,} prototypes to the bank {folder}, five minutes a million or so; it is kept "
                f"for later runs, may be interrupted and goes on from there ({CACHE_VARIABLE} names another place)"
            )
        else:
            click.echo(f"using the bank of {there:,} prototypes in {folder}")
        for batch in synthetic.batches(there // BATCH):
            prototypes = make_prototypes(batch)
            started = perf_counter()
            added = store.add(prototypes)
            seconds = ingest.seconds + perf_counter() - started
            ingest = replace(ingest, prototypes=ingest.prototypes + added, seconds=seconds)
            write_whole(times, json.dumps(asdict(ingest)).encode())
            done = batch.first + len(prototypes)
            if done % (_TOLD_EVERY * BATCH) == 0:
                click.echo(f"  {done:,} of {wanted:,}, {ingest.prototypes / ingest.seconds:,.0f} a second")
        if not ingest.packing_seconds:
            started = perf_counter()
            store.optimize()
            ingest = replace(ingest, packing_seconds=perf_counter() - started)
            write_whole(times, json.dumps(asdict(ingest)).encode())
    return folder, ingest
