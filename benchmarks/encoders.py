"""Encoders on a processor: precisions and runtimes beside float32 by torch, and whether masks stay.

A photo is segmented whole with 21 categories by encoders of the published sizes (DINOv2 ViT-B/14 at 518 x 518, CLIP
ViT-B/16) with random weights; all ways take turns, and times are medians of wall-clock time. Masks are compared on the
miniature pack, whose weights are trained. What this processor or this environment cannot do is left out, and said.
``python -m benchmarks.encoders --rounds 1`` tries everything once and writes nothing.
"""

import statistics
import tempfile
from pathlib import Path
from time import perf_counter

import click
import torch

from benchmarks.results import Result
from benchmarks.segmentation_load.footprint import THREADS
from benchmarks.segmentation_load.growth import PHOTO
from benchmarks.segmentation_load.models import fill_bank, names_of_categories, random_pack
from benchmarks.segmentation_load.photos import photo
from freeda_svc.encoders.openvino_runtime import computes_bfloat16
from freeda_svc.errors import UnavailableError
from freeda_svc.evaluation import SCENES, measure_agreement
from freeda_svc.packs import Precision, Runtime
from freeda_svc.segmentation import Category, Segmenter

ROUNDS = 7
CATEGORIES = 21
EXACT: tuple[Precision, Runtime] = ("float32", "torch")
AGAINST = "float32 by torch"


def possible_ways() -> list[tuple[Precision, Runtime]]:
    """The ways in which this machine can compute, the exact one first."""
    ways: list[tuple[Precision, Runtime]] = [EXACT]
    try:
        rounds = computes_bfloat16()
    except UnavailableError as error:
        click.echo(f"left out: {error}", err=True)
        return ways
    ways.append(("float32", "openvino"))
    if rounds:
        ways += [("bfloat16", "torch"), ("bfloat16", "openvino")]
    else:
        click.echo("left out: bfloat16, for which this processor has no instructions", err=True)
    return ways


def _photos(ways: list[tuple[Precision, Runtime]], rounds: int) -> list[Result]:
    image, names = photo("coffee", *PHOTO), names_of_categories(CATEGORIES)
    categories = [Category(name) for name in names]
    packs = {way: random_pack(*way) for way in ways}
    seconds: dict[tuple[Precision, Runtime], list[float]] = {way: [] for way in ways}
    equal: dict[tuple[Precision, Runtime], float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        fill_bank(packs[EXACT], Path(folder) / "bank", image, CATEGORIES) as store,
    ):
        segmenters = {way: Segmenter(pack, store) for way, pack in packs.items()}
        exact = segmenters[EXACT].segment(image, categories).labels
        for way, segmenter in segmenters.items():
            equal[way] = float((segmenter.segment(image, categories).labels == exact).mean())
        for number in range(rounds):
            for way in ways if number % 2 else reversed(ways):
                started = perf_counter()
                segmenters[way].segment(image, categories)
                seconds[way].append(perf_counter() - started)
    medians = {way: statistics.median(taken) for way, taken in seconds.items()}
    results = []
    for way, taken in medians.items():
        name = f"photo_{CATEGORIES}_{way[0]}_{way[1]}"
        share = None if way == EXACT else taken / medians[EXACT]
        results.append(Result(f"{name}_s", taken, "s", "" if share is None else AGAINST, share))
        if share is not None:
            results.append(Result(f"{name}_equal_labels_random_weights", equal[way], "of pixels", AGAINST))
    return results


def _agreement(ways: list[tuple[Precision, Runtime]], scenes: int) -> list[Result]:
    results = []
    for precision, runtime in ways:
        if (precision, runtime) != EXACT:
            found = measure_agreement(precision, runtime, scenes)
            name = f"{precision}_{runtime}"
            results += [
                Result(f"{name}_equal_labels", found.equal_labels, "of pixels", AGAINST),
                Result(f"{name}_mean_iou", found.mean_iou, "", AGAINST, found.mean_iou / found.mean_iou_float32),
                Result(f"{name}_mean_iou_differs_by", found.points, "points", AGAINST),
            ]
    return results


def run(rounds: int = ROUNDS, scenes: int = SCENES) -> list[Result]:
    """Measure every way that is possible here."""
    torch.set_num_threads(THREADS)
    ways = possible_ways()
    return [*_photos(ways, rounds), *_agreement(ways, scenes)]


@click.command()
@click.option("--rounds", default=1, show_default=True, help="How often each way is run.")
@click.option("--scenes", default=10, show_default=True, help="Scenes of the miniature world.")
def _try(rounds: int, scenes: int) -> None:
    """Measure the encoders and print the results without writing them."""
    for result in run(rounds, scenes):
        ratio = "" if result.ratio is None else f"   {result.ratio:.2f} of {result.against}"
        click.echo(f"  {result.name:60s} {result.value:12.4f} {result.unit}{ratio}")


if __name__ == "__main__":
    _try()
