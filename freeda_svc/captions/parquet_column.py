"""Captions in a column of a Parquet file: texts, UTF-8 as bytes, or lists of either."""

from collections.abc import Generator, Iterator
from io import BufferedReader
from typing import Any

from freeda_svc.captions.caption import LONGEST_TEXT, MOST_CAPTIONS
from freeda_svc.captions.read_options import ReadOptions
from freeda_svc.captions.sources import seekable
from freeda_svc.errors import InputError, one_line
from freeda_svc.parquet_files import load_parquet, open_parquet

ROWS_AT_ONCE = 1024
MOST_LISTED = 10_000_000
"""Captions in the lists of a row group."""


def read_parquet(stream: BufferedReader, options: ReadOptions) -> Generator[str | None, None, None]:
    """Give each caption of the column, None where there is none; texts beyond ``LONGEST_TEXT`` are only counted.

    Raises:
        InputError: it is no Parquet file, has no such column, one of something else than text, or would take too much
            memory.
        UnavailableError: the extra that reads Parquet is not installed.
    """
    pa, _ = load_parquet(f"{options.name}: reading Parquet")
    with seekable(stream, options.name) as file:
        try:
            schema = open_parquet(file, options.name, columns=(), most_rows=MOST_CAPTIONS, most_values={}).schema_arrow
            chosen = options.choose(schema.names, options.name, "column")
            place = f"{options.name}, column '{chosen}'"
            _check_type(schema.field(chosen).type, place)
            most = {chosen: MOST_LISTED} if _is_list(schema.field(chosen).type) else {}
            table = open_parquet(file, options.name, columns=(chosen,), most_rows=MOST_CAPTIONS, most_values=most)
            for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=[chosen]):
                yield from _texts(batch.column(0), options, place)
        except (pa.ArrowException, OSError) as error:
            reason = one_line(error)
            raise InputError(f"{options.name}: not a valid Parquet file, perhaps cut off ({reason})") from error


def _check_type(found: Any, place: str) -> None:  # noqa: ANN401  (a pyarrow.DataType)
    from pyarrow import types  # noqa: PLC0415 - an extra

    inner = found.value_type if _is_list(found) else found
    inner = inner.value_type if types.is_dictionary(inner) else inner
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    binary = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    if not any(is_such(inner) for is_such in (*texts, *binary)):
        raise InputError(
            f"{place}: it holds {found}, but captions are texts or lists of texts; choose another --column"
        )


def _is_list(found: Any) -> bool:  # noqa: ANN401
    from pyarrow import types  # noqa: PLC0415

    return any(is_such(found) for is_such in (types.is_list, types.is_large_list, types.is_fixed_size_list))


def _texts(column: Any, options: ReadOptions, place: str) -> Iterator[str | None]:  # noqa: ANN401  (a pyarrow.Array)
    if not _is_list(column.type):
        yield from _flat_texts(column, options, place)
        return
    for listed in column:
        values = listed.values
        if values is None or not len(values):
            yield None
        else:
            yield from _flat_texts(values, options, place)


def _flat_texts(column: Any, options: ReadOptions, place: str) -> Iterator[str | None]:  # noqa: ANN401  (a pyarrow.Array)
    from pyarrow import types  # noqa: PLC0415

    if types.is_dictionary(column.type):
        words, numbers = column.dictionary, column.indices.to_pylist()
        values = (None if number is None else words[number] for number in numbers)
    else:
        values = iter(column)
    for value in values:
        content = None if value is None else value.as_buffer()
        if content is None:
            yield None
        elif content.size > LONGEST_TEXT:
            options.tally.read += 1
            options.tally.too_long += 1
        else:
            try:
                yield str(content, "utf-8")
            except UnicodeDecodeError as error:
                raise InputError(f"{place}: its bytes are not UTF-8 text; choose another --column") from error
