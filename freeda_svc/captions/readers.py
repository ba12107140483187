"""Captions of files of many formats, read as a stream."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from freeda_svc.captions.caption import (
    LONGEST_CAPTION,
    LONGEST_TEXT,
    MOST_CAPTIONS,
    Caption,
    CaptionTally,
    make_caption,
)
from freeda_svc.captions.formats import FORMATS
from freeda_svc.captions.languages import looks_foreign
from freeda_svc.captions.read_options import ReadOptions
from freeda_svc.captions.sources import GZIP_ENDING, STANDARD_INPUT, opened, source_name
from freeda_svc.captions.spool import CaptionSpool
from freeda_svc.errors import InputError
from freeda_svc.input_files import ANYWHERE, InputRules, missing_file

FORMAT_NAMES = tuple(FORMATS)
_BY_ENDING = {ending: name for name, format_ in FORMATS.items() for ending in format_.endings}
_EXPECTED = f"one of {', '.join(_BY_ENDING)} (also with {GZIP_ENDING})"


def read_captions(
    path: Path,
    *,
    format_name: str = "",
    column: str = "",
    separator: str = "",
    any_language: bool = False,
    tally: CaptionTally | None = None,
    rules: InputRules = ANYWHERE,
) -> Iterator[Caption]:
    """Read the captions of a file in their order, each once; memory does not grow with the file.

    Args:
        path: COCO captions ``.json``, ``.jsonl`` with one object per line, ``.csv`` or ``.tsv``, ``.parquet``, or
            ``.txt`` with one caption per line; texts in UTF-8. ``-`` is standard input, plain text unless another
            format is named. Each may be compressed with gzip.
        format_name: one of ``FORMAT_NAMES``; empty: ``csv`` with a separator, otherwise by the file name's ending.
        column: the column or field that holds the captions, in any case; empty: ``caption``, or else ``text``. A
            number that is no name counts the columns of a table without a header from 1.
        separator: one character between the columns of a table, or ``tab``; empty: a comma, in ``.tsv`` a tab.
        any_language: whether captions that look like another language than English are taken, too.
        tally: counts what was read and what was left out.
        rules: where the file must be.

    Yields:
        Tidied captions; empty ones, those longer than ``LONGEST_CAPTION``, those that are not English and repetitions
        are left out.

    Raises:
        InputError: there is no such file, it is a directory or of another format, it has no such column or separator,
            it is not UTF-8, it is broken or cut off, it would take too much memory, or it has no captions. Raised
            while reading; captions yielded before are good.
        UnavailableError: the extra that reads Parquet is not installed, or temporary files cannot be written.
    """
    chosen = FORMATS[_find_format(path, format_name, is_table=bool(separator))]
    if column and not chosen.has_columns:
        raise InputError(f"{source_name(path)} has no columns to choose from; leave --column out")
    if separator and not chosen.has_separator:
        raise InputError(f"{source_name(path)} is no table of text; leave --separator out, or say --format csv")
    counts = tally if tally is not None else CaptionTally()
    before = counts.read
    options = ReadOptions(path, column, check_separator(separator), counts)
    with opened(path, rules) as stream, CaptionSpool() as spool, closing(chosen.read(stream, options)) as texts:
        for text in texts:
            caption = take_caption(text, counts, any_language=any_language)
            if counts.read - before > MOST_CAPTIONS:
                raise InputError(f"{source_name(path)} has more than {MOST_CAPTIONS:,} captions; split it")
            if caption is None:
                continue
            if spool.add(caption):
                yield caption
            else:
                counts.repeated += 1
        if not len(spool):
            raise InputError(f"{source_name(path)} has no captions{_why(counts)}")


def take_caption(text: str | None, counts: CaptionTally, *, any_language: bool) -> Caption | None:
    """Return a text as a caption; None where it is left out, which is counted.

    Args:
        text: what was found; None where nothing was.
        counts: counts that it was read, and why it was left out.
        any_language: whether it need not look like English.
    """
    counts.read += 1
    if text is not None and len(text) > LONGEST_TEXT:
        counts.too_long += 1
        return None
    caption = make_caption(text or "")
    if caption is None:
        counts.empty += 1
    elif len(caption.text) > LONGEST_CAPTION:
        counts.too_long += 1
    elif not any_language and looks_foreign(caption.text):
        counts.foreign += 1
    else:
        return caption
    return None


def check_separator(separator: str) -> str:
    r"""Return what parts columns as one character; ``tab`` and ``\t`` are a tab, and empty means the format's own.

    Raises:
        InputError: it is more than one character, or one that occurs in captions.
    """
    character = "\t" if separator in {"tab", "\\t"} else separator
    if len(character) > 1 or character.isalnum() or character in {'"', " ", "\n", "\r"}:
        raise InputError(f"a separator is one character such as ',', ';' or '|', or 'tab', not {separator!r}")
    return character


def _why(counts: CaptionTally) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.left_out.items())
    return f" that can be used ({reasons})" if reasons else ""


def _find_format(path: Path, format_name: str, *, is_table: bool) -> str:
    if path != STANDARD_INPUT:
        if path.is_dir():
            raise InputError(f"{source_name(path)} is a directory; give a caption file, {_EXPECTED}")
        if not path.exists():
            raise InputError(missing_file(path, "caption file", source_name(path)))
    if format_name and format_name not in FORMATS:
        raise InputError(f"there is no caption format '{format_name}'; the formats are {', '.join(FORMATS)}")
    if format_name:
        return format_name
    name = path.name.lower().removesuffix(GZIP_ENDING)
    found = "text" if path == STANDARD_INPUT else _BY_ENDING.get(Path(name).suffix)
    if is_table and found in {None, "text"}:
        return "csv"
    if found is None:
        raise InputError(
            f"{source_name(path)} does not end as a caption file: give {_EXPECTED}, or name its format with --format"
        )
    return found
