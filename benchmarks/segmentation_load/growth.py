"""How time grows with categories, pixels and regions, and a plot of it."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.segmentation_load.windows import dense_region_step, region_step, seen_photo, window_of_a_photo
from freeda_svc.whole_files import placed_whole

CATEGORIES = (1, 3, 10, 21, 50, 150, 400, 1000)
SIZES = ((94, 125), (188, 250), (375, 500), (750, 1000), (1500, 2000), (3000, 4000), (6000, 8000))
SCALES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
DENSE_SCALES = (100.0, 300.0, 1000.0)
MANY = 150
PHOTO = (375, 500)
ROUNDS = 5


@dataclass(frozen=True)
class Growth:
    """Milliseconds by what they grow with.

    Attributes:
        categories: everything after the models and superpixels for a photo of 500 x 375 pixels, by categories.
        pixels: the same for 150 categories, by pixels of the photo.
        regions: the region step of a window for 150 categories, by regions.
        regions_dense: the same with a mask of each region.
        encoders: the models' own time for the photo of 500 x 375 pixels.
    """

    categories: dict[int, float]
    pixels: dict[int, float]
    regions: dict[int, float]
    regions_dense: dict[int, float]
    encoders: float


def measure_growth(encoders: float, rounds: int = ROUNDS) -> Growth:
    """Measure medians; ``encoders`` is the models' own time, milliseconds."""
    categories = {count: _milliseconds(seen_photo(*PHOTO, count).finish, rounds) for count in CATEGORIES}
    pixels = {size[0] * size[1]: _milliseconds(seen_photo(*size, MANY).finish, rounds) for size in SIZES}
    windows = {scale: window_of_a_photo(MANY, scale) for scale in SCALES}
    regions = {seen.regions: _milliseconds(partial(region_step, seen), rounds) for seen in windows.values()}
    dense = {
        windows[scale].regions: _milliseconds(partial(dense_region_step, windows[scale]), 1) for scale in DENSE_SCALES
    }
    return Growth(categories, pixels, regions, dense, encoders)


def _milliseconds(work: Callable[[], object], rounds: int) -> float:
    work()
    seconds = []
    for _ in range(rounds):
        started = perf_counter()
        work()
        seconds.append(perf_counter() - started)
    return 1000 * statistics.median(seconds)


def write_plot(path: Path, growth: Growth) -> None:
    """Draw three panels into a PNG."""
    mpl.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(15, 5), layout="constrained")
    categories, pixels, regions = figure.subplots(1, 3)
    _draw(categories, growth.categories, "after the encoders", "#0072b2")
    _label(categories, "A photo of 500 x 375", "categories")
    _draw(pixels, growth.pixels, "after the encoders", "#0072b2")
    _label(pixels, f"{MANY} categories", "pixels of the photo")
    for axes in (categories, pixels):
        axes.axhline(growth.encoders, color="black", linestyle="dotted", label="the encoders themselves")
        axes.legend(frameon=False)
    _draw(regions, growth.regions, "region step", "#0072b2")
    _draw(regions, growth.regions_dense, "with a mask of each region", "#e69f00")
    _label(regions, f"A window, {MANY} categories", "regions")
    regions.legend(frameon=False)
    with placed_whole(path) as aside:
        figure.savefig(aside, format="png", dpi=110)


def _draw(axes: Axes, curve: dict[int, float], label: str, colour: str) -> None:
    axes.plot(list(curve), list(curve.values()), marker="o", markersize=4, linewidth=2, color=colour, label=label)


def _label(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(below)
    axes.set_ylabel("ms")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(visible=True, alpha=0.3)
