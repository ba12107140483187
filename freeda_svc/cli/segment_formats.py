"""The options that say which files are written."""

from collections.abc import Sequence

import click

format_option = click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME[,NAME...]",
    help=(
        "Files to write: mask, overlay, summary, scores-png, scores-npz, polygons, evidence, evidence-page, coco, "
        "label-studio; with --explain the two of evidence come on top  [default: mask,overlay,summary]"
    ),
)
explain_option = click.option(
    "--explain",
    is_flag=True,
    help="Keep why: the prototypes that spoke for each category, and scores by region, as JSON and a page to open.",
)
prefix_option = click.option(
    "--image-prefix",
    default="/data/local-files/?d=",
    show_default=True,
    help="For label-studio: what comes before an image's path in a task.",
)


def read_formats(given: Sequence[str]) -> tuple[str, ...]:
    """Return the formats that were asked for, each option perhaps with several between commas.

    Raises:
        InputError: there is no such format.
    """
    from freeda_svc.outputs import check_formats  # noqa: PLC0415 - submitting does without it

    return check_formats(_names(given))


def read_formats_of_segment(given: Sequence[str], *, explain: bool, auto: bool) -> tuple[str, ...]:
    """Return the formats that were asked for of images that are to be segmented.

    Args:
        given: as typed; the usual ones when empty.
        explain: whether evidence is kept; its files then come on top, both where none of them is named.
        auto: whether each image has categories of its own, which files for all images cannot have.

    Raises:
        UsageError: a format does not go with the other options.
        InputError: there is no such format.
    """
    from freeda_svc.outputs import DEFAULT_FORMATS, EVIDENCE_FORMATS, files_for_all  # noqa: PLC0415 - as above

    names = _names(given) or list(DEFAULT_FORMATS)
    if explain and not set(names) & set(EVIDENCE_FORMATS):
        names += EVIDENCE_FORMATS
    chosen = read_formats(names)
    if not explain and set(chosen) & set(EVIDENCE_FORMATS):
        raise click.UsageError("--format evidence and evidence-page go with --explain.")
    if auto and files_for_all(chosen):
        raise click.UsageError("--format coco and label-studio need the same categories for all images, not --auto.")
    return chosen


def _names(given: Sequence[str]) -> list[str]:
    return [name.strip() for part in given for name in part.split(",") if name.strip()]
