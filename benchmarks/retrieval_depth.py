"""Figure 5 of the paper for our bank: time and recall over the depth of an approximate search, and quality over K.

Keys of a realistic shape (`synthetic_bank.keys`) are searched by the engine's graph (HNSW), with full keys and with
keys of one byte a value, one category at a time, for nouns that the bank knows well, rare and unknown ones. The bank's
exact search stands beside them; all return prototypes. Quality is that of the miniature pack on its validation scenes.
The plot is docs/retrieval.png. ``python -m benchmarks.retrieval_depth --keys 10000 --plot FILE`` tries it on fewer
keys, and writes nothing but that plot.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
import torch

from benchmarks.depth_plot import write_plot
from benchmarks.results import Result
from benchmarks.synthetic_bank.categories import K
from benchmarks.synthetic_bank.depths import EXACT, Curves, measure_depths
from benchmarks.synthetic_bank.keys import THREADS, SyntheticKeys, shape_of
from benchmarks.validation import Trial, validation_captions, validation_scenes
from freeda_svc.packs import load_pack
from freeda_svc.prototypes import PrototypeBuilder

KEYS = 100_000
DEPTHS = (350, 500, 700, 1000, 1400, 2000, 2800, 4000)
KS = (1, 2, 5, 10, 15, 20, 30, 50, 100, 200, 350)
PLOT = Path(__file__).parents[1] / "docs" / "retrieval.png"


def measure_quality() -> dict[int, float]:
    """Mean IoU of the miniature pack on its validation scenes for every K."""
    pack = load_pack("miniature")
    prototypes = PrototypeBuilder(pack).build(validation_captions()).prototypes
    given = pack.parameters.segmentation
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(pack, validation_scenes(), prototypes, Path(folder) / "bank")
        quality = {k: trial.iou(given.replace(k=k))[0] for k in KS}
        trial.close()
    return quality


def _results(curves: Curves, quality: Mapping[int, float]) -> list[Result]:
    results: list[Result] = []
    for (search, kind), curve in curves.items():
        exact = curves[EXACT, kind][0]
        for depth, point in curve.items():
            at = f"_depth_{depth}" if depth else ""
            compared = "the exact search" if depth else ""
            ratio = point.milliseconds / exact.milliseconds if depth else None
            results += [
                Result(f"{search}_{kind}{at}_recall_at_{K}", point.recall, ""),
                Result(f"{search}_{kind}{at}_ms", point.milliseconds, "ms", compared, ratio),
            ]
    return [*results, *(Result(f"miniature_mean_iou_k_{k}", iou, "IoU") for k, iou in quality.items())]


def run(keys: int = KEYS, plot: Path = PLOT) -> list[Result]:
    """Measure both, and draw them.

    Args:
        keys: how many are searched, a multiple of 5,000.
        plot: the PNG to write.
    """
    torch.set_num_threads(THREADS)
    curves = measure_depths(SyntheticKeys(shape_of(keys)), DEPTHS)
    torch.set_num_threads(1)
    quality = measure_quality()
    write_plot(plot, curves, keys, quality, load_pack("miniature").parameters.segmentation.k)
    return _results(curves, quality)


@click.command()
@click.option("--keys", default=KEYS, show_default=True, help="How many keys.")
@click.option("--plot", type=click.Path(path_type=Path), required=True, help="The PNG to write.")
def _try(keys: int, plot: Path) -> None:
    """Measure and draw, and print the results without writing them."""
    for result in run(keys, plot):
        click.echo(f"  {result.name:60s} {result.value:12.4f} {result.unit}")


if __name__ == "__main__":
    _try()
