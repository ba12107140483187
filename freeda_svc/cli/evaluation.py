"""``freeda eval``: how well a bank and a pack segment images with true labels."""

from pathlib import Path
from typing import Any

import click

from freeda_svc.cli.evaluation_miniature import miniature
from freeda_svc.cli.evaluation_precision import precision
from freeda_svc.cli.evaluation_run import evaluation_options, read_run, run_evaluation
from freeda_svc.cli.session import read_settings
from freeda_svc.evaluation import PROTOCOLS, Dataset, folder_dataset, load_protocol
from freeda_svc.vocabularies import list_vocabularies


@click.group("eval")
def evaluation() -> None:
    """Measure how well images with true labels are segmented.

    Published datasets are read from the folders in which they are unpacked, and are evaluated as in the paper; any
    other images with indexed masks are evaluated with `freeda eval folder`. The bank is opened by the command itself.
    """


def _add_dataset(name: str, title: str) -> None:
    @click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
    @evaluation_options("the paper")
    @click.option(
        "--texts",
        type=click.Choice(("names", "readable")),
        default="names",
        show_default=True,
        help="Ask for classes by the dataset's names, as the paper does, or as a person writes them.",
    )
    @click.pass_context
    def command(context: click.Context, /, folder: Path, *, texts: Any, **given: Any) -> None:  # noqa: ANN401
        protocol = load_protocol(name)
        run = read_run(given, {"texts": texts})
        run_evaluation(read_settings(context), lambda: protocol.dataset(folder, texts), protocol.parameters, run)

    command.__doc__ = f"""Evaluate on {title}.

    FOLDER is the one in which the dataset is unpacked; a file that is missing is named. Images are seen as in the
    paper: shorter side 448, windows every 224 pixels, the superpixels and the beta of this dataset.

    \b
    Example:
      freeda eval {name} datasets/{name} --out results/{name}
    """
    evaluation.add_command(click.command(name)(command))


for _name in PROTOCOLS:
    _add_dataset(_name, list_vocabularies()[_name])


@evaluation.command()
@click.argument("images", type=click.Path(path_type=Path))
@click.argument("masks", type=click.Path(path_type=Path))
@click.option("--classes", required=True, help="A file with a class a line, in the order of labels, or a vocabulary.")
@click.option(
    "--first", type=click.IntRange(0, 1), default=0, show_default=True, help="Value of the first class; 1 ignores 0."
)
@click.option("--ignore", type=click.IntRange(0, 65535), default=255, show_default=True, help="Value not counted.")
@evaluation_options("the pack")
@click.pass_context
def folder(
    context: click.Context,
    /,
    images: Path,
    masks: Path,
    *,
    classes: str,
    first: int,
    ignore: int,
    **given: Any,  # noqa: ANN401 - the common options
) -> None:
    """Evaluate on a folder of images and one of masks.

    A mask has the name of its image and holds the numbers of classes as indices. A first class that is called
    "background" is not asked for: it is what fits no other class (with --unknown channel, say).

    \b
    Example:
      freeda eval folder images masks --classes classes.txt
    """
    truth = {"masks": str(masks.absolute()), "first": first, "ignore": ignore}
    run = read_run(given, {"images": str(images.absolute()), **truth})

    def open_dataset() -> Dataset:
        return folder_dataset(images, masks, classes, first=first, ignore=ignore)

    run_evaluation(read_settings(context), open_dataset, lambda parameters: parameters, run)


evaluation.add_command(miniature)
evaluation.add_command(precision)
