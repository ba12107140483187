"""The plot of time and recall over search depth and of quality over K."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator, ScalarFormatter

from benchmarks.synthetic_bank.categories import K
from benchmarks.synthetic_bank.depths import EXACT, FULL, IN_VOCABULARY, ONE_BYTE, RARE, UNKNOWN, Curves
from freeda_svc.whole_files import placed_whole

_COLOURS = {IN_VOCABULARY: "#0072b2", RARE: "#e69f00", UNKNOWN: "#009e73"}
_KINDS = {IN_VOCABULARY: f"noun with {K} keys or more", RARE: "noun with fewer keys", UNKNOWN: "unknown noun"}
_STYLES = {EXACT: "dotted", FULL: "solid", ONE_BYTE: "dashed"}
_WAYS = {EXACT: "exact search of the bank", FULL: "graph (HNSW)", ONE_BYTE: "graph, keys of one byte a value"}


def write_plot(path: Path, curves: Curves, keys: int, quality: Mapping[int, float], chosen_k: int) -> None:
    """Draw three panels.

    Args:
        path: of the PNG to write.
        curves: time and recall over depth.
        keys: how many keys the bank holds for which they are.
        quality: mean IoU of the miniature pack by K.
        chosen_k: the pack's own K, marked in the plot.
    """
    mpl.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False})
    figure = Figure(figsize=(15, 5.6), layout="constrained")
    recall, time, iou = figure.subplots(1, 3)
    for (way, kind), curve in curves.items():
        look = {"color": _COLOURS[kind], "linestyle": _STYLES[way], "linewidth": 2}
        if way == EXACT:
            recall.axhline(curve[0].recall, **{**look, "color": "black"})
            time.axhline(curve[0].milliseconds, **look)
            continue
        recall.plot(list(curve), [point.recall for point in curve.values()], marker="o", markersize=4, **look)
        time.plot(list(curve), [point.milliseconds for point in curve.values()], marker="o", markersize=4, **look)
    depths = sorted({depth for curve in curves.values() for depth in curve} - {0})
    _label(
        recall,
        f"Recall at {K}, {keys:,} keys",
        "search depth (candidates kept)",
        "share of the nearest keys found",
        depths,
    )
    recall.set_ylim(0, 1.05)
    _label(
        time,
        f"Time of one category, {keys:,} keys",
        "search depth (candidates kept)",
        "ms, prototypes returned",
        depths,
    )
    time.set_ylim(bottom=0)
    iou.plot(list(quality), [100 * value for value in quality.values()], marker="o", color="#cc79a7", linewidth=2)
    iou.axvline(chosen_k, color="grey", linestyle="dotted")
    iou.annotate(
        f"the pack's own K, {chosen_k}",
        (chosen_k, 0.04),
        xycoords=("data", "axes fraction"),
        color="grey",
        xytext=(5, 0),
        textcoords="offset points",
    )
    _label(
        iou,
        "Quality, miniature pack",
        "K, prototypes retrieved for a category",
        "mean IoU, %",
        sorted(set(quality) - {15, 30}),
    )
    kinds = [Line2D([], [], color=_COLOURS[kind], linewidth=3, label=text) for kind, text in _KINDS.items()]
    ways = [
        Line2D([], [], color="black", linestyle=_STYLES[way], linewidth=2, label=text) for way, text in _WAYS.items()
    ]
    figure.legend(handles=[*kinds, *ways], loc="outside lower center", ncols=6, frameon=False)
    with placed_whole(path) as aside:
        figure.savefig(aside, format="png", dpi=110)


def _label(axes: Axes, title: str, below: str, beside: str, ticks: list[int]) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    axes.set_xscale("log")
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.grid(visible=True, alpha=0.3)
