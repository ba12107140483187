"""Tables of text, each dialect read as those who write it mean it.

Programs that separate columns by commas or semicolons put quotes around ambiguous fields (RFC 4180): there a
quote means something. Tables parted by tabs or bars are mostly written without any quoting, as Conceptual Captions
and Flickr30k are, where a caption may begin with a quote or end with one; but pandas and Excel quote in them, too. So
there quotes are undone only where a field, or a field of several lines, is quoted wholly and validly.
"""

import csv
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from io import BufferedReader, StringIO

from freeda_svc.captions.read_options import ReadOptions
from freeda_svc.errors import InputError
from freeda_svc.text_files import LONGEST_LINE, text_lines

QUOTED_SEPARATORS = (",", ";")
"""Those of dialects that always quote."""

MOST_LINES_A_ROW = 50
"""Of a row of the other dialects, in quotes."""

_QUOTE = '"'


def read_table(stream: BufferedReader, options: ReadOptions, separator: str) -> Generator[str | None, None, None]:
    """Give the captions of a table, None where a row has none.

    Raises:
        InputError: it is no such table, or has no such column.
    """
    separator = options.separator or separator
    lines = text_lines(stream, options.name)
    rows = _quoted_rows(lines, options, separator) if separator in QUOTED_SEPARATORS else plain_rows(lines, separator)
    first = next(filter(None, rows), None)
    if first is None:
        return
    position, is_header = options.place_in(first, separator)
    if not is_header:
        yield first[position]
    for row in rows:
        if any(row[len(first) :]):
            options.tally.read += 1
            options.tally.malformed += 1
        elif row:
            yield row[position] if position < len(row) else None


def _quoted_rows(lines: Iterator[str], options: ReadOptions, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(LONGEST_LINE)
    rows = csv.reader(lines, delimiter=separator, strict=True)
    try:
        yield from rows
    except csv.Error as error:
        raise InputError(
            f"{options.name}, line {rows.line_num}: not a valid table ({error}); text with quotes or '{separator}' "
            "in it must be quoted, and its quotes doubled"
        ) from error


def plain_rows(lines: Iterator[str], separator: str) -> Iterator[list[str]]:
    """Give the rows of a table in which quotes mean something only where they make a row as wide as the first one.

    A line with as many fields as the first is a row. One that has fewer, or whose last field opens a quote, goes on
    with the lines that follow when they close it and the row gets its fields; lines that are rows themselves end the
    search. So do ``MOST_LINES_A_ROW`` lines.

    Args:
        lines: with their ends.
        separator: one character.
    """
    waiting: deque[str] = deque()
    width = 0
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        fields = _end_cut(line).split(separator)
        if fields == [""]:
            yield []
            continue
        width = width or len(fields)
        if _QUOTE not in line:
            yield fields
        elif len(fields) == width and not _opens(fields[-1]):
            yield [_unquoted(field) for field in fields]
        else:
            yield _joined(line, fields, width, separator, lines, waiting) or [_unquoted(field) for field in fields]


def _joined(  # noqa: PLR0917 - a step of the loop above
    line: str, fields: Sequence[str], width: int, separator: str, lines: Iterator[str], waiting: deque[str]
) -> list[str] | None:
    """Return the row that begins with a line when its quotes are taken for quotes; None where they are not."""
    row = _as_quoted(line, separator, width)
    if row is not None:
        return row
    if width == 1 or len(fields) > width:
        return None
    text = line
    for taken in range(MOST_LINES_A_ROW):
        if taken == len(waiting):
            following = next(lines, None)
            if following is None:
                return None
            waiting.append(following)
        following = waiting[taken]
        if len(fields) == width and following.count(separator) + 1 >= width:
            return None
        text += following
        row = _as_quoted(text, separator, width) if _QUOTE in following else None
        if row is not None:
            for _ in range(taken + 1):
                waiting.popleft()
            return row
    return None


def _as_quoted(text: str, separator: str, width: int) -> list[str] | None:
    """Return the one row of a text when it is valid with quotes and as wide as it should be."""
    try:
        rows = list(csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 and len(rows[0]) == width else None


def _opens(field: str) -> bool:
    """Return whether a field begins with a quote that it does not close."""
    return field.startswith(_QUOTE) and _unquoted(field) == field


def _unquoted(field: str) -> str:
    """Return a field without its quotes when it is quoted wholly and validly."""
    inner = field[1:-1]
    if len(field) > 1 and field[0] == field[-1] == _QUOTE and _QUOTE not in inner.replace(_QUOTE * 2, ""):
        return inner.replace(_QUOTE * 2, _QUOTE)
    return field


def _end_cut(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
