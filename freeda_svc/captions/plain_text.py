"""Plain text, a caption per line; tables and lists of file names that look like it are recognised and refused."""

import json
import re
from collections.abc import Generator, Sequence
from io import BufferedReader
from itertools import chain, islice

from freeda_svc.captions.read_options import SEPARATORS, TAB, USUAL_COLUMNS, ReadOptions
from freeda_svc.errors import InputError
from freeda_svc.text_files import text_lines

LINES_LOOKED_AT = 20

_IMAGE_NAME = re.compile(
    r"""["']?\S*\.(?:avif|bmp|gif|heic|jpe?g|jp2|png|tiff?|webp)(?:#\d+)?["']?\s*(\W)""", re.IGNORECASE
)
_HEADINGS = (*USUAL_COLUMNS, "comment")
_HEADING = re.compile(r"\s*[\"']?[A-Za-z_][\w .-]{0,40}[\"']?\s*")


def read_lines(stream: BufferedReader, options: ReadOptions) -> Generator[str | None, None, None]:
    """Give each line.

    Raises:
        InputError: it is no text, or its first lines are those of a table, of JSON, or begin with names of images.
    """
    lines = text_lines(stream, options.name)
    first = list(islice(lines, LINES_LOOKED_AT))
    _refuse_what_is_no_caption([line for line in first if line.strip()], options.name)
    yield from chain(first, lines)


def _refuse_what_is_no_caption(lines: Sequence[str], called: str) -> None:
    if not lines:
        return
    if _is_json(lines[0]):
        raise InputError(
            f"{called}: its lines are JSON, not captions; say --format jsonl, or coco if it is one document"
        )
    shown = f"{lines[0].strip()!r:.60}"
    separator, column = _table_of(lines)
    if separator:
        name_it = "" if column in USUAL_COLUMNS else f" --column {column}"
        raise InputError(
            f"{called} is a table, not plain text: it begins with {shown}; say {_as_table(separator)}{name_it}"
        )
    named = [found for line in lines if (found := _IMAGE_NAME.match(line))]
    if len(named) * 2 > len(lines):
        raise InputError(f"{called}: its lines begin with names of images: {shown}; {_without_names(named)}")
    if len(lines) > 1 and "\t" in lines[0].strip() and len({line.count("\t") for line in lines}) == 1:
        raise InputError(
            f"{called} is a table, not plain text: tabs part its lines: {shown}; say {_as_table(TAB)} and which "
            "--column the captions are in, by its number when there is no header"
        )


def _is_json(line: str) -> bool:
    if not line.lstrip().startswith(("{", "[{")):
        return False
    try:
        json.loads(line)
    except ValueError:
        return line.lstrip()[:2] == '{"'
    except RecursionError:
        pass
    return True


def _table_of(lines: Sequence[str]) -> tuple[str, str]:
    """Return what parts the columns and which has the captions, where the first line says it and the next has them."""
    for separator in SEPARATORS if len(lines) > 1 else ():
        fields = lines[0].split(separator)
        names = {field.strip().strip("\"'").casefold() for field in fields}
        column = next((heading for heading in _HEADINGS if heading in names), "")
        if len(fields) > 1 and column and all(map(_HEADING.fullmatch, fields)) and separator in lines[1]:
            return separator, column
    return "", ""


def _without_names(named: Sequence[re.Match[str]]) -> str:
    separators = {found[1] for found in named}
    separator = separators.pop() if len(separators) == 1 else ""
    if separator in SEPARATORS:
        return f"say {_as_table(separator)} --column 2, or whichever column the captions are in"
    return "cut the names off, or make it a table (.tsv) with a tab behind each name"


def _as_table(separator: str) -> str:
    plain = {TAB: "--format tsv", ",": "--format csv"}
    return plain.get(separator, f"--format csv --separator {SEPARATORS.get(separator, separator)}")
