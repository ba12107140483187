"""How results of an evaluation are shown and written."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.console import print_table
from freeda_svc.counts import counted
from freeda_svc.errors import UnavailableError
from freeda_svc.evaluation import Ablated, Evaluation, OpenScore
from freeda_svc.whole_files import write_whole

RESULT_FILE = "result.json"


def percent(share: float | None) -> str:
    """Write a share as a percentage; a dash where there is none."""
    return "-" if share is None else f"{100 * share:.1f}"


def print_evaluation(result: Evaluation, remark: str = "") -> None:
    """Print what each class scored, and all together; then what else is to be known of the truth."""
    print_table(
        ("class", "IoU %", "accuracy %", "pixels"),
        [(score.name, percent(score.iou), percent(score.accuracy), score.pixels) for score in result.classes],
    )
    click.echo("")
    print_table(
        ("what", "%"),
        [
            ("mean IoU", percent(result.mean_iou)),
            ("mean accuracy", percent(result.mean_accuracy)),
            ("pixel accuracy", percent(result.pixel_accuracy)),
        ],
    )
    click.echo(f"\n{counted(result.images, 'image')} of {result.dataset}")
    if remark:
        click.echo(remark)


def print_ablation(results: Sequence[Ablated]) -> None:
    """Print one table for each thing that was varied."""
    for group in dict.fromkeys(result.variant.group for result in results):
        rows = [
            (
                result.variant.name,
                percent(result.evaluation.mean_iou),
                percent(result.evaluation.mean_accuracy),
                percent(result.evaluation.pixel_accuracy),
            )
            for result in results
            if result.variant.group == group
        ]
        print_table((group, "mIoU %", "mean accuracy %", "pixel accuracy %"), rows)
        click.echo("")


def print_open_vocabulary(scores: Sequence[OpenScore]) -> None:
    """Print one table for each way to ask: mean IoU of each way to segment, and the half width of its interval."""
    for question in dict.fromkeys(score.question for score in scores):
        rows = [
            (score.variant, percent(score.mean), percent(score.half_width), len(score.values))
            for score in scores
            if score.question == question
        ]
        print_table((question, "mIoU %", "+- (95 %)", "repetitions"), rows)
        click.echo("")


def write_report(folder: Path, report: Any) -> None:  # noqa: ANN401 - anything that JSON can hold
    """Write ``result.json`` into a folder.

    Raises:
        UnavailableError: it cannot be written.
    """
    path = folder / RESULT_FILE
    try:
        write_whole(path, f"{json.dumps(report, indent=2, allow_nan=False)}\n".encode())
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}; make room and run it again") from error
