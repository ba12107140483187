"""The categories of a person: typed, from a file, or of a built-in vocabulary."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from freeda_svc.cli.completing import complete_vocabularies
from freeda_svc.errors import InputError
from freeda_svc.jobs.segmentation_requests import Colour

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class AskedCategories:
    """What to look for.

    Attributes:
        categories: mappings as ``submit_segment`` takes them; None where the bank proposes some for each image.
        colours: RGB of the first of them, where they have colours of their own.
    """

    categories: list[dict[str, Any]] | None
    colours: list[Colour]


def category_options(command: Command) -> Command:
    """Give a command the options ``categories``, ``categories_file``, ``vocabulary``, ``background`` and ``auto``."""
    for option in reversed(
        (
            click.option(
                "-c",
                "--categories",
                help="What to look for, separated by commas: 'ball, sky'; synonyms by bars: 'cat|kitten, dog'.",
            ),
            click.option(
                "--categories-file",
                type=click.Path(path_type=Path, dir_okay=False),
                help="A text file with a category a line; lines that begin with # are left out.",
            ),
            click.option(
                "--vocabulary",
                metavar="NAME",
                shell_complete=complete_vocabularies,
                help="A built-in vocabulary, such as voc20 or ade150.",
            ),
            click.option(
                "--background",
                metavar="WORDS",
                help="Words that fold into one further category, background: 'sky, wall, road'.",
            ),
            click.option("--auto", is_flag=True, help="Name no categories: the bank proposes some for each image."),
        )
    ):
        command = option(command)
    return command


def ask_categories(
    categories: str | None,
    categories_file: Path | None,
    vocabulary: str | None,
    background: str | None,
    *,
    auto: bool = False,
) -> AskedCategories:
    """Join what was asked for: the vocabulary's classes, then those typed, those of the file, and the background.

    The background's words take the place of the vocabulary's own background, where it has one.

    Raises:
        UsageError: nothing was asked for, or something beside proposals of the bank.
        InputError: a name is empty, or the file has none or cannot be read.
        NotFoundError: there is no such vocabulary.
    """
    if auto:
        if any(given is not None for given in (categories, categories_file, vocabulary, background)):
            raise click.UsageError("--auto lets the bank propose the categories; name none beside it.")
        return AskedCategories(None, [])
    if categories is None and categories_file is None and vocabulary is None:
        raise click.UsageError("Say what to look for with --categories, --categories-file, --vocabulary or --auto.")
    asked: list[dict[str, Any]] = []
    colours: list[Colour] = []
    folded = _background(background)
    if vocabulary is not None:
        asked, colours, folded = _of_vocabulary(vocabulary, folded)
    if categories is not None:
        asked += read_categories(categories)
    if categories_file is not None:
        asked += _read_file(categories_file)
    return AskedCategories([*asked, *folded], colours)


def read_categories(typed: str) -> list[dict[str, Any]]:
    """Split a list of categories at commas; blanks around a name do not count.

    Raises:
        InputError: nothing is left, or a name between two commas is missing.
    """
    names = [name.strip() for name in typed.split(",")]
    if not any(names):
        raise InputError("the list of categories is empty; name at least one, such as --categories 'ball, sky'")
    if not all(names):
        raise InputError(f"a category between two commas is missing in {typed[:40]!r}; write 'ball, sky'")
    return [{"name": name} for name in names]


def _background(words: str | None) -> list[dict[str, Any]]:
    from freeda_svc.segmentation.categories import background_category  # noqa: PLC0415 - other options do without it

    return [] if words is None else [asdict(background_category(words))]


def _of_vocabulary(
    name: str, background: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Colour], list[dict[str, Any]]]:
    from freeda_svc.vocabularies import load_vocabulary  # noqa: PLC0415 - as above

    vocabulary = load_vocabulary(name)
    asked = [asdict(category) for category in vocabulary.categories]
    colours = [(red, green, blue) for red, green, blue in vocabulary.colours.tolist()]
    if vocabulary.background and background:
        asked[0] = {**background[0], "name": asked[0]["name"]}
        background = []
    return asked, colours, background


def _read_file(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"the categories {file} cannot be read: {error.strerror}; give a text file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the categories {file} are not UTF-8 text; save the file as UTF-8") from error
    names = [line.strip() for line in text.splitlines()]
    asked = [{"name": name} for name in names if name and not name.startswith("#")]
    if not asked:
        raise InputError(f"the file {file} has no categories; write one a line")
    return asked
