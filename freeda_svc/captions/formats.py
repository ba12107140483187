"""The formats of caption files, each a function that gives the captions as they stand in the file, one by one."""

import csv
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from io import BufferedReader
from pathlib import Path
from typing import Any

import ijson

from freeda_svc.captions.annotations import coco_annotations
from freeda_svc.captions.sources import LONGEST_LINE, called, seekable, skip_byte_order_mark, text_lines
from freeda_svc.errors import InputError, UnavailableError

USUAL_COLUMNS = ("caption", "text")
"""Where captions are looked for when no column is named."""

Texts = Generator[str | None, None, None]
Reader = Callable[[BufferedReader, Path, str], Texts]
"""Takes a stream, what it is called, and the name of the column or field (empty: the usual ones)."""


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        read: gives each caption, None where there is none.
        endings: of file names, in lower case.
        has_columns: whether a column or field can be named.
    """

    read: Reader
    endings: tuple[str, ...]
    has_columns: bool


def _read_lines(stream: BufferedReader, path: Path, _column: str) -> Texts:
    yield from text_lines(stream, path)


def _read_objects(stream: BufferedReader, path: Path, column: str) -> Texts:
    for number, line in enumerate(text_lines(stream, path), start=1):
        if not line.strip():
            continue
        place = f"{called(path)}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: not valid JSON ({error}); expected one object a line") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: expected an object with a text in {_named(column)}")
        yield _text_of(row[_choose(row, column, place, "field")], place)


def _read_coco(stream: BufferedReader, path: Path, _column: str) -> Texts:
    skip_byte_order_mark(stream, path)
    name = called(path)
    number = -1
    try:
        for number, annotation in enumerate(coco_annotations(stream)):
            place = f"{name}, annotation {number}"
            if not isinstance(annotation, dict) or "caption" not in annotation:
                raise InputError(f"{place}: expected an object with a text in 'caption'")
            yield _text_of(annotation["caption"], place)
    except ijson.JSONError as error:
        if "UTF8" in str(error):
            raise InputError(f"{name} is not UTF-8 text; save it as UTF-8") from error
        raise InputError(f"{name}: not valid JSON, perhaps cut off ({str(error).partition(chr(10))[0]})") from error
    if number < 0:
        raise InputError(f"{name} has no captions; expected COCO captions, an object with a list 'annotations'")


def _read_table(separator: str) -> Reader:
    def read(stream: BufferedReader, path: Path, column: str) -> Texts:
        csv.field_size_limit(LONGEST_LINE)
        rows = csv.reader(text_lines(stream, path), delimiter=separator, strict=True)
        try:
            header = next(rows, None)
            if header is None:
                return
            position = header.index(_choose(header, column, called(path), "column"))
            for row in rows:
                if row:
                    yield row[position] if position < len(row) else None
        except csv.Error as error:
            raise InputError(f"{called(path)}, line {rows.line_num}: not a valid table ({error})") from error

    return read


def _read_parquet(stream: BufferedReader, path: Path, column: str) -> Texts:
    if find_spec("pyarrow") is None:
        raise UnavailableError(f"{called(path)}: reading Parquet needs pyarrow; pip install 'freeda-svc[parquet]'")
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import
    from pyarrow import parquet  # noqa: PLC0415

    with seekable(stream) as file:
        try:
            table = parquet.ParquetFile(file)
            chosen = _choose(table.schema_arrow.names, column, called(path), "column")
            for batch in table.iter_batches(batch_size=1024, columns=[chosen]):
                for value in batch.column(0):
                    yield _text_of(value.as_py(), f"{called(path)}, column '{chosen}'")
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{called(path)}: not a valid Parquet file, perhaps cut off ({reason})") from error


FORMATS: Mapping[str, Format] = {
    "coco": Format(_read_coco, (".json",), has_columns=False),
    "jsonl": Format(_read_objects, (".jsonl", ".ndjson"), has_columns=True),
    "csv": Format(_read_table(","), (".csv",), has_columns=True),
    "tsv": Format(_read_table("\t"), (".tsv",), has_columns=True),
    "parquet": Format(_read_parquet, (".parquet",), has_columns=True),
    "text": Format(_read_lines, (".txt",), has_columns=False),
}
"""By name."""


def _choose(names: Any, column: str, place: str, kind: str) -> str:  # noqa: ANN401  (a list, or a row with its names)
    found = next((name for name in ((column,) if column else USUAL_COLUMNS) if name in names), None)
    if found is None:
        there = ", ".join(map(str, names)) or "none"
        raise InputError(f"{place}: there is no {kind} {_named(column)}; choose one with --column: {there}")
    return found


def _named(column: str) -> str:
    return " or ".join(f"'{name}'" for name in ((column,) if column else USUAL_COLUMNS))


def _text_of(value: Any, place: str) -> str | None:  # noqa: ANN401  (whatever the file holds)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{place}: a caption must be a text, not {type(value).__name__}")
    return value
