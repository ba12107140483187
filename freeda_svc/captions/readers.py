"""Captions of files of many formats, read as a stream."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from freeda_svc.captions.caption import LONGEST_CAPTION, Caption, make_caption
from freeda_svc.captions.formats import FORMATS
from freeda_svc.captions.sources import GZIP_ENDING, STANDARD_INPUT, called, opened
from freeda_svc.captions.spool import CaptionSpool
from freeda_svc.captions.tally import CaptionTally
from freeda_svc.errors import InputError

FORMAT_NAMES = tuple(FORMATS)
_BY_ENDING = {ending: name for name, format_ in FORMATS.items() for ending in format_.endings}
_EXPECTED = f"one of {', '.join(_BY_ENDING)} (also with {GZIP_ENDING})"


def read_captions(
    path: Path, *, format_name: str = "", column: str = "", tally: CaptionTally | None = None
) -> Iterator[Caption]:
    """Read the captions of a file in their order, each once; memory does not grow with the file.

    Args:
        path: COCO captions ``.json``, ``.jsonl`` with one object a line, ``.csv`` or ``.tsv`` with a header,
            ``.parquet``, or ``.txt`` with one caption a line; texts in UTF-8. ``-`` is standard input, plain text
            unless another format is named. Each may be compressed with gzip.
        format_name: one of ``FORMAT_NAMES``; empty: by the file name's ending.
        column: the column or field that holds the captions; empty: ``caption``, or else ``text``.
        tally: counts what was read and what was left out.

    Yields:
        Tidied captions; empty ones, those longer than ``LONGEST_CAPTION`` and repetitions are left out.

    Raises:
        InputError: there is no such file, it is a directory or of another format, it has no such column, it is not
            UTF-8, it is broken or cut off, or it has no captions. Raised while reading; captions yielded before are
            good.
        UnavailableError: the extra that reads Parquet is not installed, or temporary files cannot be written.
    """
    chosen = FORMATS[_find_format(path, format_name)]
    if column and not chosen.has_columns:
        raise InputError(f"{called(path)} has no columns to choose from; leave --column out")
    counts = tally if tally is not None else CaptionTally()
    with opened(path) as stream, CaptionSpool() as spool, closing(chosen.read(stream, path, column)) as texts:
        for text in texts:
            counts.read += 1
            caption = make_caption(text or "")
            if caption is None:
                counts.empty += 1
            elif len(caption.text) > LONGEST_CAPTION:
                counts.too_long += 1
            elif spool.add(caption):
                yield caption
            else:
                counts.repeated += 1
        if not len(spool):
            raise InputError(f"{called(path)} has no captions{_why(counts)}")


def _why(counts: CaptionTally) -> str:
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.left_out.items())
    return f" that can be used ({reasons})" if reasons else ""


def _find_format(path: Path, format_name: str) -> str:
    if path != STANDARD_INPUT:
        if path.is_dir():
            raise InputError(f"{path} is a directory; give a caption file, {_EXPECTED}")
        if not path.exists():
            raise InputError(f"there is no caption file {path}")
    if format_name and format_name not in FORMATS:
        raise InputError(f"there is no caption format '{format_name}'; the formats are {', '.join(FORMATS)}")
    if format_name or path == STANDARD_INPUT:
        return format_name or "text"
    name = path.name.lower().removesuffix(GZIP_ENDING)
    found = _BY_ENDING.get(Path(name).suffix)
    if found is None:
        raise InputError(f"{path} does not end as a caption file: give {_EXPECTED}, or name its format with --format")
    return found
