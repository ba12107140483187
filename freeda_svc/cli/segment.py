"""``freeda segment``: images become masks."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from freeda_svc.batches import FoundImages, ResultsFolder, ResultsManifest, check_writable, find_images, pair_regions
from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.console import print_json
from freeda_svc.cli.exit_codes import EXIT_FAILED, EXIT_PARTLY, Interrupted
from freeda_svc.cli.following import note_waiting_job
from freeda_svc.cli.options import bank_option, idempotency_key_option, outcome_option, priority_option, quiet_option
from freeda_svc.cli.segment_auto import CommonList, propose_for_all
from freeda_svc.cli.segment_categories import ask_categories, category_options
from freeda_svc.cli.segment_formats import (
    explain_option,
    format_option,
    piece_options,
    prefix_option,
    read_collecting,
    read_formats_of_segment,
)
from freeda_svc.cli.segment_parameters import check_with_pack, parameter_options, read_overrides, read_regions
from freeda_svc.cli.segment_report import (
    ERRORS_SHOWN,
    LINES_SHOWN,
    outcome_as_json,
    print_outcome,
    show_errors,
    show_plan,
    show_problems,
)
from freeda_svc.cli.segment_request import Request
from freeda_svc.cli.segment_run import Outcome, ask_bank_age, follow_images
from freeda_svc.cli.segment_words import show_stray_words, show_words
from freeda_svc.cli.terminal_text import printable
from freeda_svc.jobs import (
    InputImage,
    Plan,
    Priority,
    failure_reasons,
    plan_resumption,
)

STANDARD_INPUT = Path("-")


@click.command()
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--list",
    "lists",
    multiple=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file with a path of an image a line; - is standard input. May be repeated.",
)
@click.option("-r", "--recursive", is_flag=True, help="Also look into the folders inside of folders.")
@category_options
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the files; waits for the results."
)
@format_option
@explain_option
@prefix_option
@piece_options
@click.option(
    "--resume",
    is_flag=True,
    help="With --out: skip images whose files are there, made by the same request from what is in the bank now.",
)
@click.option(
    "--keep-older", is_flag=True, help="With --resume: keep files, too, that were made before the bank changed."
)
@click.option(
    "--regions",
    metavar="superpixels|masks|DIR",
    help="What gets a category: superpixels, masks that the pack's mask generator finds, or regions of your own: a "
    "folder with a file for each image under its relative name, cat.png (a label map, 0 is no region) or cat.json "
    "(masks as COCO has them) for cat.jpg. Superpixels lie where no region is.  [default: the pack's]",
)
@bank_option
@priority_option
@idempotency_key_option
@click.option("--wait", is_flag=True, help="Follow the job to its end; otherwise only its id is printed.")
@parameter_options
@quiet_option
@outcome_option
@click.pass_context
def segment(
    context: click.Context,
    /,
    *,
    images: tuple[Path, ...],
    lists: tuple[Path, ...],
    categories: tuple[str, ...],
    categories_files: tuple[Path, ...],
    vocabulary: str | None,
    background: tuple[str, ...],
    auto: bool,
    per_image: bool,
    out: Path | None,
    formats: tuple[str, ...],
    explain: bool,
    image_prefix: str,
    bank: str,
    priority: Priority,
    idempotency_key: str,
    recursive: bool,
    resume: bool,
    keep_older: bool,
    regions: str | None,
    wait: bool,
    quiet: bool,
    as_json: bool,
    **parameters: Any,  # noqa: ANN401 - the options of parameter_options and piece_options
) -> None:
    """Label every pixel of images with a category.

    IMAGES are image files, folders of them, and patterns. Files in DIR are called after the image: NAME.mask.png (pixel
    values are positions in the list of categories, 255 is unknown), NAME.overlay.png (with a legend), NAME.json
    (scores, areas, parameters), NAME.scores.png and .npz, NAME.geojson; coco.json, label-studio.json, yolo and voc hold
    all, and index.html shows all in a browser. With --explain, NAME.evidence.html is a page to open in a
    browser, and NAME.evidence.json holds the same.

    \b
    Examples:
      freeda segment photo.png -c "ball, grass, sky" --out masks
      freeda segment photos --recursive --vocabulary voc20 --out masks --resume
      freeda segment *.png -c "boat|ship, water" --out masks --format mask,coco
      freeda segment photos -c "cow, grass" --out set --format yolo,index --least-area 50
      freeda segment photos --auto --explain --out masks
      freeda segment --list files.txt --categories-file words.txt --unknown channel
      freeda segment photos -c "boat, water" --regions label-maps --out masks
    """
    _check_use(context.params)
    asked_categories = ask_categories(categories, categories_files, vocabulary, background, auto=auto)
    overrides, own_regions = read_regions(read_overrides(parameters), regions)
    chosen = read_formats_of_segment(formats, explain=explain, own_lists=per_image) if out is not None else ()
    collecting = read_collecting(image_prefix, parameters, chosen)
    if out is not None:
        check_writable(out)
    backend = open_backend(context)
    if overrides and (usual := backend.pack_parameters()) is not None:
        check_with_pack(overrides, usual)
    asked = Request(backend, asked_categories, overrides, bank, explain, priority, idempotency_key)
    listed = [sys.stdin.buffer if file == STANDARD_INPUT else file for file in lists]
    found = find_images(images, listed, recursive=recursive, rules=backend.settings.input_rules)
    show_problems(found)
    found = _with_regions(found, own_regions)
    backend.take_images(found.images)
    show_stray_words(images, asked_categories)
    if asked_categories.note:
        click.echo(asked_categories.note, err=True)
    manifest = None if out is None else ResultsManifest(out)
    work = _Work(asked, found.images, found.problems)
    if auto and not per_image and len(found.images) > 1:
        work = _in_common(
            work, propose_for_all(asked, found.images, manifest, resume=resume, keep_older=keep_older, quiet=quiet)
        )
    if out is None and not wait:
        accepted = list(work.request.submit(work.images))
        several = {"jobs": accepted} if len(accepted) > 1 else {}
        if as_json:
            print_json({"job": accepted[0], **several, "refused": work.problems})
        else:
            click.echo("\n".join(accepted))
        if not quiet:
            note_waiting_job(backend, accepted[-1])
        context.exit(EXIT_PARTLY if work.problems else 0)
    target = None
    if out is not None and manifest is not None:
        target = ResultsFolder(out, chosen, work.request.digest(), manifest, collecting)
    plan = Plan([], [], work.images)
    if resume and target is not None:
        age = ask_bank_age(backend, work.request.bank_name(), keep_older=keep_older)
        plan = plan_resumption(
            backend, work.images, target, age, keep_older=keep_older, rules=backend.settings.input_rules
        )
        show_plan(plan, target.manifest)
    context.exit(_run(work, plan, target, quiet=quiet, as_json=as_json))


def _with_regions(found: FoundImages, folder: Path | None) -> FoundImages:
    """Return images with their files of regions, where there is a folder of them."""
    return found if folder is None else replace(found, images=pair_regions(found.images, folder))


@dataclass(frozen=True)
class _Work:
    """What is to be segmented.

    Attributes:
        request: what is asked of all images.
        images: those that can be segmented.
        problems: one line for each that cannot; all have been shown.
    """

    request: Request
    images: list[InputImage]
    problems: Sequence[str]


def _in_common(work: _Work, common: CommonList) -> _Work:
    """The same with one list of categories for all images."""
    for error in common.errors[:ERRORS_SHOWN]:
        click.echo(printable(error), err=True)
    return _Work(common.request(work.request), common.images, [*work.problems, *common.errors])


def _run(work: _Work, plan: Plan, target: ResultsFolder | None, *, quiet: bool, as_json: bool) -> int:
    """Segment what is left, write files, and report the outcome; return the exit code."""
    backend = work.request.backend
    submitted, outcome = _segment(work.request, plan, target, quiet=quiet)
    if target is not None:
        order = {image.stem: number for number, image in enumerate(work.images)}
        everything = sorted([*plan.written, *(image for image, _ in outcome.done)], key=lambda image: order[image.stem])
        outcome.files += len(
            target.write_for_all(backend.pictures_of(everything, target.formats) if target.collects else [])
        )
    errors = [*outcome.errors, *failure_reasons(backend.job_items, outcome.failed)]
    if as_json:
        print_json(outcome_as_json(submitted, plan, outcome, [*work.problems, *errors]))
    else:
        print_outcome(plan, outcome, None if target is None else target.path)
    summaries = [picture.result.summary for _, picture in outcome.done[:LINES_SHOWN]]
    show_words(backend, summaries, work.request.categories, quiet=quiet)
    show_errors(errors, len(plan.submitted) + len(plan.left), submitted)
    if work.problems or errors:
        return EXIT_PARTLY if outcome.done or plan.written else EXIT_FAILED
    return 0


def _check_use(given: Mapping[str, Any]) -> None:
    """Reject options that do not go together."""
    if not given["images"] and not given["lists"]:
        raise click.UsageError("Missing argument 'IMAGES...'.")
    if given["out"] is None and (given["resume"] or given["formats"]):
        raise click.UsageError(f"{'--resume' if given['resume'] else '--format'} goes with --out DIR.")
    if given["keep_older"] and not given["resume"]:
        raise click.UsageError("--keep-older goes with --resume.")
    if given["per_image"] and not given["auto"]:
        raise click.UsageError("--per-image goes with --auto.")
    if given["resume"] and given["idempotency_key"]:
        raise click.UsageError("--idempotency-key goes without --resume, which finds out itself what was asked before.")


def _segment(asked: Request, plan: Plan, target: ResultsFolder | None, *, quiet: bool) -> tuple[str | None, Outcome]:
    """Submit what is left and wait for it; return the first new job, if any, and how all ended."""
    job_id = None
    submitted = list(plan.submitted)
    for accepted in asked.submit(plan.left) if plan.left else ():
        job_id = accepted if job_id is None else job_id
        submitted += asked.backend.submitted_images(accepted)
        if target is not None:
            asked.backend.continue_colours(accepted, [job for jobs in target.manifest.jobs.values() for job in jobs])
            target.manifest.note_job(target.request, accepted)
    try:
        return job_id, follow_images(asked.backend, submitted, target, quiet=quiet)
    except KeyboardInterrupt:
        jobs = sorted({image.job for image in submitted})
        again = " the same command with --resume takes its results;" if target is not None else ""
        raise Interrupted(
            f"Interrupted; job {', '.join(jobs)} goes on:{again} `freeda jobs watch {jobs[-1]}` follows it, "
            f"`freeda jobs cancel {jobs[-1]}` ends it."
        ) from None
