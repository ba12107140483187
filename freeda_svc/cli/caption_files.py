"""What the commands that read caption files share: their options, the stream of captions, what was left out."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from freeda_svc.captions import (
    FORMAT_NAMES,
    LONGEST_CAPTION,
    Caption,
    CaptionTally,
    check_separator,
    read_captions,
)
from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules

Command = TypeVar("Command", bound=Callable[..., Any])


def _separator(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return check_separator(value)
    except InputError as error:
        raise click.BadParameter(str(error)) from error


def _format(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if value and value not in FORMAT_NAMES:
        raise click.BadParameter(f"there is no caption format {value!r}; the formats are {', '.join(FORMAT_NAMES)}")
    return value


def caption_file_options(command: Command) -> Command:
    """Add FILES, --format, --column, --separator and --any-language to a command."""
    formats = ", ".join(FORMAT_NAMES)
    for decorate in (
        click.option(
            "--any-language",
            is_flag=True,
            help="Also take captions that look like another language than English, whose nouns are not found.",
        ),
        click.option(
            "--separator",
            default="",
            callback=_separator,
            help="What parts the columns of a table: tab, or a character such as ';' or '|'; otherwise by the format.",
        ),
        click.option(
            "--column",
            default="",
            help="The column or field of captions, in any case; otherwise caption, or else text. Without a header: its "
            "number, the first being 1.",
        ),
        click.option(
            "--format",
            "format_name",
            default="",
            metavar="NAME",
            callback=_format,
            help=f"Read the files as one of {formats}; otherwise by their ending, and - as text.",
        ),
        click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True)),
    ):
        command = decorate(command)
    return command


def captions_of(
    files: Sequence[Path],
    *,
    format_name: str,
    column: str,
    separator: str,
    any_language: bool,
    tally: CaptionTally,
    limit: int | None = None,
    rules: InputRules = ANYWHERE,
) -> Iterator[Caption]:
    """Give the captions of files one after another, up to a limit."""
    captions = (
        caption
        for file in files
        for caption in read_captions(
            file,
            format_name=format_name,
            column=column,
            separator=separator,
            any_language=any_language,
            tally=tally,
            rules=rules,
        )
    )
    return islice(captions, limit)


def describe_left_out(tally: CaptionTally) -> str:
    """Return what was left out as one line; empty when nothing was."""
    reasons = {
        "empty": "empty",
        "too long": f"longer than {LONGEST_CAPTION:,} characters",
        "malformed": "with more fields than columns",
        "not English": "not English by their looks (--any-language takes them)",
        "repeated": "repeated",
    }
    return ", ".join(f"{count:,} {reasons[reason]}" for reason, count in tally.left_out.items())
