"""Segmentation: the region step beside a mask of each region, whole photos beside the encoders' own time, memory.

The encoders have the published sizes (DINOv2 ViT-B/14 at 518 x 518, CLIP ViT-B/16) and random weights, which decide
time and memory as well as trained ones. Times are medians of wall-clock time, of sides that take turns; memory is what
is resident at most in a process of its own, above what was before. The plot is docs/segmentation.png.
``python -m benchmarks.segmentation --rounds 1`` tries everything once and writes nothing.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import click
import numpy as np
import torch
from skimage.segmentation import felzenszwalb

from benchmarks.results import Result
from benchmarks.segmentation_load.dense_masks import NAME as DENSE
from benchmarks.segmentation_load.footprint import CATEGORIES, SMALL_PHOTOS, THREADS, measure_footprint
from benchmarks.segmentation_load.growth import PHOTO, Growth, measure_growth, write_plot
from benchmarks.segmentation_load.models import fill_bank, names_of_categories, random_pack
from benchmarks.segmentation_load.photos import photo
from benchmarks.segmentation_load.windows import dense_region_step, region_step, window_of_a_photo
from freeda_svc.packs import Pack
from freeda_svc.segmentation import (
    Category,
    Segmenter,
    cut_superpixels,
    cut_windows,
    prepare_superpixels,
    resize_image,
    scaled_size,
)

PLOT = Path(__file__).parents[1] / "docs" / "segmentation.png"
ROUNDS = 5
REGION_ROUNDS = 30
FEW, MANY = 21, CATEGORIES


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _region_step(rounds: int) -> list[Result]:
    seen = window_of_a_photo(MANY)
    labels, dense_labels = region_step(seen), dense_region_step(seen)
    ours = [_seconds(lambda: region_step(seen)) for _ in range(REGION_ROUNDS)]
    dense = [_seconds(lambda: dense_region_step(seen)) for _ in range(rounds)]
    faster = statistics.median(dense) / statistics.median(ours)
    memory = measure_footprint("region_step")
    return [
        Result("region_step_vs_dense_masks", faster, "times as fast", DENSE, faster),
        Result("region_step_ms", 1000 * statistics.median(ours), "ms"),
        Result("region_step_dense_masks_ms", 1000 * statistics.median(dense), "ms"),
        Result("region_step_regions", seen.regions, "regions"),
        Result("region_step_equal_labels", float((labels == dense_labels).double().mean()), "of pixels", DENSE),
        Result("region_step_extra_memory_mb", memory.peak_mb, "MB"),
    ]


class _Encoders:
    """The models on the windows of a photo, already squashed to the size that each of them wants."""

    def __init__(self, pack: Pack, image: np.ndarray) -> None:
        self._pack, given = pack, pack.parameters.segmentation
        size = image.shape[0], image.shape[1]
        scaled = scaled_size(*size, short_side=given.short_side, long_side=given.long_side)
        seen = torch.from_numpy(resize_image(image, *scaled).copy()).permute(2, 0, 1).float().div(255)
        windows = cut_windows(*scaled, window=given.window, stride=given.stride)
        crops = torch.stack([seen[:, one.top : one.bottom, one.left : one.right] for one in windows])
        self._dense, self._image_text = (
            torch.nn.functional.interpolate(crops, size=(side, side), mode="bilinear")
            for side in (pack.parameters.backbone_size, pack.parameters.image_text_size)
        )

    def forward(self) -> None:
        self._pack.backbone.features(self._dense)
        self._pack.image_text.embed_images(self._image_text)


def _photos(rounds: int) -> tuple[list[Result], float]:
    """Whole photos beside the encoders; and the encoders' own seconds."""
    pack, image = random_pack(), photo("coffee", *PHOTO)
    encoders = _Encoders(pack, image)
    names = names_of_categories(MANY)
    wall: dict[int, list[float]] = {FEW: [], MANY: []}
    processor: dict[int, list[float]] = {FEW: [], MANY: []}
    steps: dict[str, list[float]] = {}
    alone, alone_processor = [], []
    with tempfile.TemporaryDirectory() as folder, fill_bank(pack, Path(folder) / "bank", image, MANY) as store:
        segmenter = Segmenter(pack, store)
        for count in wall:  # the first call fetches class prototypes
            found = segmenter.segment(image, [Category(name) for name in names[:count]])
            click.echo(f"{count} categories, {len({*found.labels.ravel().tolist()})} of them present")
        for _ in range(rounds):
            started_processor = process_time()
            alone.append(_seconds(encoders.forward))
            alone_processor.append(process_time() - started_processor)
            for count, seconds in wall.items():
                started, started_processor = perf_counter(), process_time()
                found = segmenter.segment(image, [Category(name) for name in names[:count]])
                seconds.append(perf_counter() - started)
                processor[count].append(process_time() - started_processor)
                for step, taken in found.timings.items() if count == MANY else ():
                    steps.setdefault(step, []).append(taken)
    own = statistics.median(alone)
    results = [Result("photo_encoders_own_s", own, "s")]
    for count, seconds in wall.items():
        total = statistics.median(seconds)
        results.append(
            Result(f"photo_{count}_over_encoders", total / own, "", "the encoders' own forward", total / own)
        )
        results.append(Result(f"photo_{count}_s", total, "s"))
        share = statistics.median(processor[count]) / statistics.median(alone_processor)
        results.append(Result(f"photo_{count}_processor_time_over_encoders", share, "", "the same", share))
    results += [
        Result(f"photo_{MANY}_{step}_ms", 1000 * statistics.median(taken), "ms") for step, taken in steps.items()
    ]
    return results, own


def _superpixels(rounds: int) -> list[Result]:
    """A window's superpixels beside scikit-image's, both in processor time; the two take turns."""
    given = random_pack().parameters.segmentation.superpixels
    window = photo("coffee", 448, 448)
    ours, theirs = [], []
    prepare_superpixels(given)
    for _ in range(2 * rounds + 1):
        started = process_time()
        labels = cut_superpixels(window, given)
        ours.append(process_time() - started)
        started = process_time()
        expected = felzenszwalb(window / 255, scale=given.scale, sigma=given.sigma, min_size=given.min_size)
        theirs.append(process_time() - started)
    spent, share = statistics.median(ours), statistics.median(ours) / statistics.median(theirs)
    return [
        Result("felzenszwalb_vs_scikit_image_processor_time", share, "", "scikit-image", share),
        Result("felzenszwalb_cpu_ms_per_window", 1000 * spent, "ms"),
        Result("felzenszwalb_equal_labels", float((labels == expected).mean()), "of pixels", "scikit-image"),
    ]


def _memory() -> list[Result]:
    alone, large, batch = (measure_footprint(work) for work in ("encoders", "photo_12mp", "batch_32"))
    return [
        Result("encoders_alone_peak_mb", alone.peak_mb, "MB"),
        Result("photo_12mp_peak_mb", large.peak_mb, "MB", "the encoders alone", large.peak_mb / alone.peak_mb),
        Result("photo_12mp_s", large.seconds, "s"),
        Result(
            f"batch_{SMALL_PHOTOS}_peak_mb", batch.peak_mb, "MB", "the encoders alone", batch.peak_mb / alone.peak_mb
        ),
        Result(f"batch_{SMALL_PHOTOS}_photos_per_second", SMALL_PHOTOS / batch.seconds, "photos/s"),
        Result("models_mb", alone.before_mb, "MB"),
    ]


def _measure(rounds: int) -> tuple[list[Result], Growth]:
    torch.set_num_threads(THREADS)
    results = _region_step(rounds)
    of_photos, own = _photos(rounds)
    growth = measure_growth(1000 * own, rounds)
    return [*results, *_superpixels(rounds), *of_photos, *_memory()], growth


def run() -> list[Result]:
    """Measure everything and draw the plot."""
    results, growth = _measure(ROUNDS)
    write_plot(PLOT, growth)
    return results


@click.command()
@click.option("--rounds", default=1, show_default=True, help="How often each side of a comparison is run.")
def _try(rounds: int) -> None:
    """Measure segmentation and print the results without writing them."""
    results, growth = _measure(rounds)
    for result in results:
        click.echo(f"  {result.name:45s} {result.value:12.3f} {result.unit}")
    click.echo(f"{growth}")


if __name__ == "__main__":
    _try()
