"""What ``freeda segment`` prints: images left out, earlier results kept, what images show, what went wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from freeda_svc.batches import FoundImages, ResultsManifest, shown_categories
from freeda_svc.cli.console import print_table
from freeda_svc.cli.segment_run import Outcome
from freeda_svc.cli.terminal_text import printable
from freeda_svc.counts import counted
from freeda_svc.errors import InputError
from freeda_svc.jobs import Plan

LINES_SHOWN = 50
ERRORS_SHOWN = 20


def show_problems(found: FoundImages) -> None:
    """Say which images cannot be segmented.

    Raises:
        InputError: there is no image that can.
    """
    if not found.images:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        passed_over = f"; {_passed_over(found)}" if found.passed_over else ""
        raise InputError(f"{found.problems[0]}{more}{passed_over}")
    for problem in found.problems[:ERRORS_SHOWN]:
        click.echo(f"left out: {printable(problem)}", err=True)
    if len(found.problems) > ERRORS_SHOWN:
        click.echo(f"left out: {len(found.problems) - ERRORS_SHOWN} more", err=True)
    if found.passed_over:
        click.echo(_passed_over(found), err=True)
    if found.folders_left_out:
        click.echo(f"subfolders that were not searched: {found.folders_left_out}; --recursive searches them", err=True)


def _passed_over(found: FoundImages) -> str:
    from freeda_svc.images import HEIF_ENDINGS, HEIF_HINT  # noqa: PLC0415 - help is shown without it

    counts = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in found.passed_over.items())
    hint = f"; {HEIF_HINT} for HEIC" if HEIF_ENDINGS & found.passed_over.keys() else ""
    return f"passed over, no images that are read here: {counts}{hint}"


def show_plan(plan: Plan, manifest: ResultsManifest) -> None:
    """Say which earlier results are not taken as they are, and why."""
    if manifest.damaged:
        lines = counted(manifest.damaged, "line")
        click.echo(f"{manifest.path}: {lines} cannot be read; the images they recorded are done again", err=True)
    if plan.otherwise:
        images = counted(len(plan.otherwise), "image")
        click.echo(f"made for other categories, parameters, models or another bank: {images}; done again", err=True)
    if plan.age_unknown:
        click.echo(f"which files are older than the bank is not known, all are kept: {plan.age_unknown}", err=True)
    if plan.older:
        what = "kept, as asked for" if plan.keeps_older else "done again; --keep-older keeps such files"
        click.echo(f"older than what is in the bank now: {counted(len(plan.older), 'image')}; {what}", err=True)


def show_errors(errors: Sequence[str], images: int, job_id: str | None) -> None:
    """Say what went wrong with which of so many images, and how to go on."""
    for error in errors[:ERRORS_SHOWN]:
        click.echo(printable(error), err=True)
    if errors:
        how = f"; `freeda jobs errors {job_id}` lists them, `freeda jobs retry {job_id}` tries them again"
        click.echo(f"{len(errors)} of {counted(images, 'item')} failed{how if job_id is not None else ''}.", err=True)


def outcome_as_json(job_id: str | None, plan: Plan, outcome: Outcome, errors: Sequence[str]) -> dict[str, Any]:
    """Return the outcome as plain values."""
    return {
        "job": job_id,
        "state": "failed" if errors else "done",
        "images": [{"name": image.name, **picture.result.summary} for image, picture in outcome.done],
        "skipped": [image.name for image in plan.written],
        "older": {"done_again": [] if plan.keeps_older else plan.older, "kept": plan.older if plan.keeps_older else []},
        "made_otherwise": plan.otherwise,
        "errors": list(errors),
        "files": outcome.files,
    }


def _percent(share: float) -> str:
    """Return a share in percent; what is above 0 is never shown as 0%."""
    return f"{round(100 * share) or '<1'}%"


def print_outcome(plan: Plan, outcome: Outcome, out: Path | None) -> None:
    """Print, for each image, the categories that it shows with their share of its area."""
    rows = []
    for image, picture in outcome.done[:LINES_SHOWN]:
        summary = picture.result.summary
        transparent = summary.get("transparent_share", 0)
        unknown = f"unknown ({_percent(transparent)} transparent)" if transparent else "unknown"
        shown = (
            f"{category.name if category.name is not None else unknown} {_percent(category.area_share)}"
            + ("" if category.confidence is None else f" (confidence {category.confidence:.2f})")
            for category in shown_categories(summary)
        )
        rows.append((image.name, ", ".join(shown)))
    if rows:
        print_table(("image", "shows"), rows)
    if len(outcome.done) > len(rows):
        click.echo(f"... and {counted(len(outcome.done) - len(rows), 'more image')}")
    if plan.written:
        click.echo(f"done before: {len(plan.written)}")
    if out is not None:
        click.echo(f"{counted(outcome.files, 'file')} in {out}")
