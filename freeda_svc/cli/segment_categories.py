"""The categories of a person: typed, from a file, or of a built-in vocabulary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from freeda_svc.cli.completion import complete_vocabularies
from freeda_svc.cli.options import option_value
from freeda_svc.errors import InputError
from freeda_svc.parameters import Category, CategoryChoice, Colour
from freeda_svc.text_files import read_text
from freeda_svc.vocabularies import choose_categories

NAMES_SHOWN = 5

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class AskedCategories:
    """What to look for.

    Attributes:
        categories: in the order of their labels; None where the bank proposes some.
        colours: RGB of the first of them, where they have colours of their own.
        background: whether one of them is a background.
        proposed: whether the bank proposed them.
        choice: how they were named; None where the bank proposes some.
        note: what became of categories that were named beside a vocabulary; empty where there are none.
    """

    categories: tuple[Category, ...] | None
    colours: tuple[Colour, ...] = ()
    background: bool = False
    proposed: bool = False
    choice: CategoryChoice | None = None
    note: str = ""


def category_options(command: Command) -> Command:
    """Give a command the options that say what to look for; it gets them as ``ask_categories`` takes them."""
    for option in reversed(
        (
            click.option(
                "-c",
                "--categories",
                multiple=True,
                help=(
                    "What to look for, separated by commas: 'ball, sky'; synonyms by bars: 'cat|kitten, dog'. "
                    "May be repeated."
                ),
            ),
            click.option(
                "--categories-file",
                "categories_files",
                multiple=True,
                type=click.Path(path_type=Path, dir_okay=False),
                help="A text file with a category per line; lines that begin with # are left out. May be repeated.",
            ),
            click.option(
                "--vocabulary",
                metavar="NAME",
                shell_complete=complete_vocabularies,
                help="A built-in vocabulary, such as voc20 or ade150.",
            ),
            click.option(
                "--background",
                multiple=True,
                metavar="WORDS",
                help="Words that fold into one further category, background: 'sky, wall, road'. May be repeated.",
            ),
            click.option(
                "--auto", is_flag=True, help="Name no categories: the bank proposes some, one list for all images."
            ),
            click.option(
                "--per-image",
                is_flag=True,
                help="With --auto: a list for each image; a pixel value then means something else in each mask.",
            ),
        )
    ):
        command = option(command)
    return command


def ask_categories(
    categories: Sequence[str],
    categories_files: Sequence[Path],
    vocabulary: str | None,
    background: Sequence[str],
    *,
    auto: bool = False,
) -> AskedCategories:
    """Join what was asked for: the vocabulary's classes, then those typed, those of the file, and the background.

    The background's words take the place of the vocabulary's own background, where it has one.

    Raises:
        UsageError: nothing was asked for, something beside proposals of the bank, an empty name, or a vocabulary that
            is not there.
        InputError: the file has no categories or cannot be read.
    """
    if auto:
        if categories or categories_files or background or vocabulary is not None:
            raise click.UsageError("--auto lets the bank propose the categories; name none beside it.")
        return AskedCategories(None)
    if not categories and not categories_files and vocabulary is None:
        raise click.UsageError("Say what to look for with --categories, --categories-file, --vocabulary or --auto.")
    named: list[str] = []
    for typed in categories:
        with option_value("--categories"):
            named += read_categories(typed)
    for file in categories_files:
        named += _read_file(file)
    words = [word.strip() for typed in background for word in typed.split(",")]
    with option_value("--vocabulary"):
        choice = CategoryChoice.read({"vocabulary": vocabulary})
    with option_value("--background"):
        choice = choice.replace(background=words)
    with option_value("--categories" if categories else "--categories-file"):
        choice = choice.replace(categories=named)
        chosen = choose_categories(choice)
    added = [category.name for category in chosen.categories[chosen.classes :]]
    note = "" if vocabulary is None else _note_of_added(added, vocabulary, chosen.classes)
    return AskedCategories(chosen.categories, chosen.colours, chosen.background, choice=choice, note=note)


def _note_of_added(names: Sequence[str], vocabulary: str, classes: int) -> str:
    """Say which numbers categories get that were named beside a vocabulary."""
    if not names:
        return ""
    shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
    behind = f"beside the {classes} classes of {vocabulary}"
    if len(names) == 1:
        return f"{behind}, {shown} becomes class {classes + 1}; value in masks is {classes}"
    last = classes + len(names)
    return f"{behind}, {shown} become classes {classes + 1} to {last}; values in masks are {classes} to {last - 1}"


def read_categories(typed: str) -> list[str]:
    """Split a list of categories at commas; blanks around a name do not count.

    Raises:
        InputError: nothing is left, or a name between two commas is missing.
    """
    names = [name.strip() for name in typed.split(",")]
    if not any(names):
        raise InputError("the list of categories is empty; name at least one, such as --categories 'ball, sky'")
    if not all(names):
        raise InputError(f"a category between two commas is missing in {typed[:40]!r}; write 'ball, sky'")
    return names


def _read_file(file: Path) -> list[str]:
    try:
        text = read_text(file, f"the list of categories {file}")
    except OSError as error:
        raise InputError(f"the categories {file} cannot be read: {error.strerror}; give a text file") from error
    names = [line.strip() for line in text.splitlines()]
    asked = [name for name in names if name and not name.startswith("#")]
    if not asked:
        raise InputError(f"the file {file} has no categories; write one per line")
    return asked
