"""The formats of caption files, each a function that yields the captions as they are in the file, one by one."""

import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from typing import Any

from freeda_svc.captions.annotations import CAPTION, coco_captions
from freeda_svc.captions.parquet_column import read_parquet
from freeda_svc.captions.plain_text import read_lines
from freeda_svc.captions.read_options import ReadOptions
from freeda_svc.captions.sources import measured_json
from freeda_svc.captions.tables import read_table
from freeda_svc.errors import InputError
from freeda_svc.text_files import text_lines

Texts = Generator[str | None, None, None]


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        read: takes a stream and options; yields each caption, None where there is none.
        endings: of file names, in lower case.
        has_columns: whether a column or field can be named.
        has_separator: whether what parts its columns can be named.
    """

    read: Callable[[BufferedReader, ReadOptions], Texts]
    endings: tuple[str, ...]
    has_columns: bool = False
    has_separator: bool = False


def _read_objects(stream: BufferedReader, options: ReadOptions) -> Texts:
    for number, line in enumerate(text_lines(stream, options.name), start=1):
        if not line.strip():
            continue
        place = f"{options.name}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{place}: not valid JSON ({error}); expected one object per line") from error
        if not isinstance(row, dict):
            raise InputError(f"{place}: expected an object with a text in {options.named}")
        value = row[options.choose(list(row), place, "field")]
        for each in value or [None] if isinstance(value, list) else [value]:
            yield _text_of(each, place)


def _read_coco(stream: BufferedReader, options: ReadOptions) -> Texts:
    name = options.name
    number = -1
    for number, annotation in enumerate(coco_captions(measured_json(stream, name), name)):
        place = f"{name}, annotation {number}"
        if not isinstance(annotation, dict) or CAPTION not in annotation:
            raise InputError(f"{place}: expected an object with a text in '{CAPTION}'")
        yield _text_of(annotation[CAPTION], place)
    if number < 0:
        raise InputError(f"{name} has no captions; expected COCO captions, an object with a list 'annotations'")


FORMATS: Mapping[str, Format] = {
    "coco": Format(_read_coco, (".json",)),
    "jsonl": Format(_read_objects, (".jsonl", ".ndjson"), has_columns=True),
    "csv": Format(partial(read_table, separator=","), (".csv",), has_columns=True, has_separator=True),
    "tsv": Format(partial(read_table, separator="\t"), (".tsv",), has_columns=True, has_separator=True),
    "parquet": Format(read_parquet, (".parquet",), has_columns=True),
    "text": Format(read_lines, (".txt",)),
}
"""By name."""


def _text_of(value: Any, place: str) -> str | None:  # noqa: ANN401  (whatever the file holds)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{place}: a caption must be a text, not {type(value).__name__}")
    return value
