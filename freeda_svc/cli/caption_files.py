"""What the commands that read caption files share: their options, the stream of captions, what was left out."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from freeda_svc.captions import FORMAT_NAMES, LONGEST_CAPTION, Caption, CaptionTally, read_captions

Command = TypeVar("Command", bound=Callable[..., Any])


def caption_file_options(command: Command) -> Command:
    """Add FILES, --format and --column to a command."""
    formats = ", ".join(FORMAT_NAMES)
    for decorate in (
        click.option("--column", default="", help="The column or field of captions; otherwise caption, or else text."),
        click.option(
            "--format",
            "format_name",
            default="",
            help=f"Read the files as one of {formats}; otherwise by their ending, and - as text.",
        ),
        click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True)),
    ):
        command = decorate(command)
    return command


def captions_of(
    files: Sequence[Path], *, format_name: str, column: str, tally: CaptionTally, limit: int | None = None
) -> Iterator[Caption]:
    """Give the captions of files one after another, up to a limit."""
    captions = (
        caption
        for file in files
        for caption in read_captions(file, format_name=format_name, column=column, tally=tally)
    )
    return islice(captions, limit)


def describe_left_out(tally: CaptionTally) -> str:
    """Return what was left out as one line; empty when nothing was."""
    reasons = {
        "empty": "empty",
        "too long": f"longer than {LONGEST_CAPTION:,} characters",
        "repeated": "repeated",
    }
    return ", ".join(f"{count:,} {reasons[reason]}" for reason, count in tally.left_out.items())
