"""What ``freeda segment`` tells: images that were left out, what the others show, and what went wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.console import print_table
from freeda_svc.cli.segment_inputs import FoundImages
from freeda_svc.cli.segment_plan import Plan
from freeda_svc.cli.segment_run import Outcome
from freeda_svc.errors import InputError
from freeda_svc.jobs import job_items
from freeda_svc.jobs.results import SubmittedImage
from freeda_svc.settings import Settings

LINES_SHOWN = 50
ERRORS_SHOWN = 20


def tell_problems(found: FoundImages) -> None:
    """Say which images cannot be segmented; when there are no others, that is the end.

    Raises:
        InputError: there is no image that can.
    """
    if not found.images:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        passed_over = f"; {_passed_over(found)}" if found.passed_over else ""
        raise InputError(f"{found.problems[0]}{more}{passed_over}")
    for problem in found.problems[:ERRORS_SHOWN]:
        click.echo(f"left out: {problem}", err=True)
    if len(found.problems) > ERRORS_SHOWN:
        click.echo(f"left out: {len(found.problems) - ERRORS_SHOWN} more", err=True)
    if found.passed_over:
        click.echo(_passed_over(found), err=True)
    if found.folders_left_out:
        click.echo(f"folders inside that were not looked into: {found.folders_left_out}; --recursive does", err=True)


def _passed_over(found: FoundImages) -> str:
    from freeda_svc.images.formats import HEIF_ENDINGS, HEIF_HINT  # noqa: PLC0415 - help is shown without it

    counts = ", ".join(f"{count} {ending or 'without ending'}" for ending, count in found.passed_over.items())
    hint = f"; {HEIF_HINT} for HEIC" if HEIF_ENDINGS & found.passed_over.keys() else ""
    return f"passed over, no images that are read here: {counts}{hint}"


def reasons_of(settings: Settings, failed: Sequence[SubmittedImage]) -> list[str]:
    """Say why images were not segmented."""
    reasons = []
    for job in sorted({image.job for image in failed}):
        items = {item.number: item for item in job_items(settings, job)}
        for image in failed:
            if image.job == job:
                item = items[image.number]
                reasons.append(f"item {item.number} ({image.name}): {item.error or f'it was {item.state}'}")
    return reasons


def tell_errors(errors: Sequence[str], images: int, job_id: str | None) -> None:
    """Say what went wrong with which of so many images, and how to go on."""
    for error in errors[:ERRORS_SHOWN]:
        click.echo(error, err=True)
    if errors:
        how = f"; `freeda jobs errors {job_id}` lists them, `freeda jobs retry {job_id}` tries them again"
        click.echo(f"{len(errors)} of {images} items failed{how if job_id is not None else ''}.", err=True)


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
    """What is there is never told as 0 %."""
    return f"{round(100 * share) or '<1'}%"


def print_outcome(plan: Plan, outcome: Outcome, out: Path | None) -> None:
    """Print, for each image, the categories that it shows with their share of its area."""
    rows = []
    for image, picture in outcome.done[:LINES_SHOWN]:
        summary = picture.result.summary
        shown = [(entry["name"], entry["area_share"]) for entry in summary["categories"] if not entry["absent"]]
        transparent = summary.get("transparent_share", 0)
        unknown = f"unknown ({_percent(transparent)} transparent)" if transparent else "unknown"
        shown += [(unknown, summary["unknown_share"])] if summary["unknown_share"] else []
        ranked = sorted(shown, key=lambda entry: -entry[1])
        sure = {entry["noun"]: entry["sureness"] for entry in summary.get("proposals", {}).get("categories", ())}
        told = (
            f"{name} {_percent(share)}{f' (sure {sure[name]:.2f})' if name in sure else ''}" for name, share in ranked
        )
        rows.append((image.name, ", ".join(told)))
    if rows:
        print_table(("image", "shows"), rows)
    if len(outcome.done) > len(rows):
        click.echo(f"... and {len(outcome.done) - len(rows)} more images")
    if plan.written:
        click.echo(f"done before: {len(plan.written)}")
    if out is not None:
        click.echo(f"{outcome.files} files in {out}")
