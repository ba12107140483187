"""The options that say which files are written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from freeda_svc.cli.options import option_value
from freeda_svc.cli.segment_parameters import ParameterType
from freeda_svc.parameters import PieceParameters, field_schema, limits

Command = TypeVar("Command", bound=Callable[..., Any])
_OF_PIECES = ("coco", "yolo", "voc")
_METAVARS = {"least_area": "PIXELS"}

format_option = click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME[,NAME...]",
    help=(
        "Files to write: mask, overlay, summary, scores-png, scores-npz, polygons, evidence, evidence-page, coco, "
        "label-studio, yolo, voc, index; with --explain the two of evidence come on top  "
        "[default: mask,overlay,summary]"
    ),
)
explain_option = click.option(
    "--explain",
    is_flag=True,
    help="Keep why: the prototypes behind each category, and scores by region, as JSON and as a page to open.",
)
prefix_option = click.option(
    "--image-prefix",
    default="/data/local-files/?d=",
    show_default=True,
    help="For label-studio: what comes before an image's path in a task.",
)


def piece_options(command: Command) -> Command:
    """Give a command the options of annotations; it gets them as keywords, for ``read_collecting``."""
    for name in reversed(PieceParameters.model_fields):
        command = _piece_option(name)(command)
    return command


def _piece_option(name: str) -> Callable[[Command], Command]:
    schema = field_schema(PieceParameters, name)
    formats = "coco" if name == "instances" else "coco, yolo and voc"
    meaning = f"For {formats}: {schema['description'][0].lower()}{schema['description'][1:]}"
    if schema["type"] == "boolean":
        return click.option(_flag(name), is_flag=True, help=meaning)
    limited = f"  [{limits(schema)}]"
    return click.option(
        _flag(name), type=ParameterType(name, PieceParameters), metavar=_METAVARS[name], help=f"{meaning}{limited}"
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def read_collecting(image_prefix: str, given: Mapping[str, Any], formats: Sequence[str]) -> dict[str, Any]:
    """Return the options of files for all images, as ``write_collections`` takes them.

    Args:
        image_prefix: for Label Studio.
        given: what ``piece_options`` gave, perhaps among others.
        formats: which are written.

    Raises:
        UsageError: something is asked of annotations, but none are written.
    """
    asked = [_flag(name) for name in PieceParameters.model_fields if given[name]]
    if not asked:
        return {"image_prefix": image_prefix}
    if not set(formats) & set(_OF_PIECES):
        raise click.UsageError(f"{asked[0]} goes with --format {', '.join(_OF_PIECES)}.")
    chosen = {name: given[name] for name in PieceParameters.model_fields if given[name]}
    return {"image_prefix": image_prefix, "pieces": PieceParameters.read(chosen)}


def read_formats(given: Sequence[str]) -> tuple[str, ...]:
    """Return the formats that were asked for, each option perhaps with several between commas.

    Raises:
        UsageError: there is no such format.
    """
    from freeda_svc.outputs import check_formats  # noqa: PLC0415 - submitting does without it

    with option_value("--format"):
        return check_formats(_names(given))


def read_formats_of_segment(given: Sequence[str], *, explain: bool, own_lists: bool) -> tuple[str, ...]:
    """Return the formats that were asked for of images that are to be segmented.

    Args:
        given: as typed; the usual ones when empty.
        explain: whether evidence is kept; its files then come on top, both where none of them is named.
        own_lists: whether each image has categories of its own, which files for all images cannot have.

    Raises:
        UsageError: there is no such format, or it does not go with the other options.
    """
    from freeda_svc.outputs import DEFAULT_FORMATS, EVIDENCE_FORMATS, formats_of_one_list  # noqa: PLC0415 - as above

    names = _names(given) or list(DEFAULT_FORMATS)
    if explain and not set(names) & set(EVIDENCE_FORMATS):
        names += EVIDENCE_FORMATS
    chosen = read_formats(names)
    if not explain and set(chosen) & set(EVIDENCE_FORMATS):
        raise click.UsageError("--format evidence and evidence-page go with --explain.")
    if own_lists and formats_of_one_list(chosen):
        these = " and ".join(formats_of_one_list(chosen))
        raise click.UsageError(f"--format {these} goes with the same categories for all images, not with --per-image.")
    return chosen


def _names(given: Sequence[str]) -> list[str]:
    return [name.strip() for part in given for name in part.split(",") if name.strip()]
