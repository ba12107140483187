"""``freeda bank add-exemplars``: prototypes from a person's own images and masks."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from freeda_svc.cli.backends import open_backend
from freeda_svc.cli.ingest_options import finish_ingest, ingest_options
from freeda_svc.cli.terminal_text import printable
from freeda_svc.input_files import InputRules
from freeda_svc.jobs import Priority
from freeda_svc.prototypes import AnnotationTally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freeda_svc.images import DrawnOn
    from freeda_svc.prototypes import MarkedImage

_FILE = click.Path(path_type=Path)


@click.command("add-exemplars")
@click.option("--noun", "nouns", multiple=True, help="What the masks show; with --annotations: only these categories.")
@click.option("--image", "images", multiple=True, type=_FILE, help="An image; several times for several.")
@click.option("--mask", "masks", multiple=True, type=_FILE, help="Its mask, not zero where the object is, as PNG.")
@click.option("--caption", default="", help="A sentence about the images  [default: a photo of the NOUN]")
@click.option("--annotations", type=_FILE, help="A COCO file whose categories, images and masks are taken.")
@click.option("--folder", type=_FILE, help="Where the images of --annotations lie  [default: beside that file]")
@click.option("--take-crowds", is_flag=True, help="With --annotations: also those that are marked as crowds.")
@click.option(
    "--drawn-on",
    type=click.Choice(("upright", "stored")),
    help="What was marked of images that have an EXIF orientation: the upright picture, or their pixels as stored.",
)
@ingest_options
@click.pass_context
def add_exemplars(
    context: click.Context,
    *,
    nouns: tuple[str, ...],
    images: tuple[Path, ...],
    masks: tuple[Path, ...],
    caption: str,
    annotations: Path | None,
    folder: Path | None,
    take_crowds: bool,
    drawn_on: "DrawnOn | None",
    bank: str,
    priority: Priority,
    idempotency_key: str,
    wait: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Teach the bank a noun by your own images and masks.

    Give --image and --mask for each example, in the same order, or a COCO annotation file: every image becomes one
    example of each of its categories; crowds and rows that cannot be used are left out and named. Masks are as large
    as their images. What was added before adds nothing. `freeda bank forget --origin exemplar` removes examples.

    \b
    Examples:
      freeda bank add-exemplars --noun "excavator bucket" --image a.jpg --mask a.png --image b.jpg --mask b.png
      freeda bank add-exemplars --annotations instances.json --folder photos --noun bucket --wait
    """
    backend = open_backend(context)
    tally, doubts, rules = AnnotationTally(), list[str](), backend.settings.input_rules
    if annotations is None:
        if take_crowds:
            raise click.UsageError("--take-crowds goes with --annotations.")
        found = _pairs(nouns, images, masks, caption, folder, drawn_on=drawn_on, rules=rules, doubts=doubts)
        source = ", ".join(map(str, images))
    else:
        if images or masks or caption:
            raise click.UsageError(
                "--annotations names images, masks and captions; leave --image, --mask, --caption out."
            )
        found = _annotated(annotations, folder, nouns, tally, take_crowds=take_crowds, drawn_on=drawn_on, rules=rules)
        source = str(annotations)
    accepted = backend.submit_exemplars(
        found, source=source, left_out=lambda: tally.left_out, bank=bank, priority=priority, key=idempotency_key
    )
    for doubt in doubts:
        click.echo(f"warning: {printable(doubt)}", err=True)
    for line in tally.lines():
        click.echo(f"annotations left out: {printable(line)}", err=True)
    finish_ingest(
        context, backend, accepted, "exemplars", left_out=tally.left_out, wait=wait, quiet=quiet, as_json=as_json
    )


def _pairs(
    nouns: tuple[str, ...],
    images: tuple[Path, ...],
    masks: tuple[Path, ...],
    caption: str,
    folder: Path | None,
    *,
    drawn_on: "DrawnOn | None",
    rules: InputRules,
    doubts: list[str],
) -> "Iterator[MarkedImage]":
    from freeda_svc.prototypes import read_marked_images  # noqa: PLC0415 - as above

    if not images and not masks:
        raise click.UsageError("Give --image and --mask for each example, or --annotations.")
    if len(nouns) != 1:
        raise click.UsageError("Say with one --noun what the masks show; nouns of several masks go in several calls.")
    if folder is not None:
        raise click.UsageError("--folder goes with --annotations.")
    return read_marked_images(nouns[0], images, masks, caption, drawn_on=drawn_on, rules=rules, doubts=doubts)


def _annotated(
    annotations: Path,
    folder: Path | None,
    nouns: tuple[str, ...],
    tally: AnnotationTally,
    *,
    take_crowds: bool,
    drawn_on: "DrawnOn | None",
    rules: InputRules,
) -> "Iterator[MarkedImage]":
    from freeda_svc.prototypes import read_annotated_images  # noqa: PLC0415 - as above

    place = annotations.parent if folder is None else folder
    return read_annotated_images(
        annotations, place, nouns, tally, take_crowds=take_crowds, drawn_on=drawn_on, rules=rules
    )
