"""Captions in a column of a Parquet file: texts, UTF-8 as bytes, or lists of either."""

from collections.abc import Generator, Iterator
from importlib.util import find_spec
from io import BufferedReader
from typing import Any

from freeda_svc.captions.sources import seekable
from freeda_svc.captions.wanted import Wanted
from freeda_svc.errors import InputError, UnavailableError

ROWS_AT_ONCE = 1024


def read_parquet(stream: BufferedReader, wanted: Wanted) -> Generator[str | None, None, None]:
    """Give each caption of the column, None where there is none.

    Raises:
        InputError: it is no Parquet file, has no such column, or one of something else than text.
        UnavailableError: the extra that reads Parquet is not installed.
    """
    if find_spec("pyarrow") is None:
        raise UnavailableError(f"{wanted.called}: reading Parquet needs pyarrow; pip install 'freeda-svc[parquet]'")
    import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import
    from pyarrow import parquet  # noqa: PLC0415

    with seekable(stream) as file:
        try:
            table = parquet.ParquetFile(file)
            chosen = wanted.choose(table.schema_arrow.names, wanted.called, "column")
            place = f"{wanted.called}, column '{chosen}'"
            _check_type(table.schema_arrow.field(chosen).type, place)
            for batch in table.iter_batches(batch_size=ROWS_AT_ONCE, columns=[chosen]):
                yield from _texts(batch.column(0), place)
        except (pa.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{wanted.called}: not a valid Parquet file, perhaps cut off ({reason})") from error


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


def _texts(column: Any, place: str) -> Iterator[str | None]:  # noqa: ANN401  (a pyarrow.Array)
    for value in column:
        if not _is_list(column.type):
            yield _text(value, place)
        elif value.values is None or not len(value.values):
            yield None
        else:
            for each in value.values:
                yield _text(each, place)


def _text(value: Any, place: str) -> str | None:  # noqa: ANN401  (a pyarrow.Scalar)
    found = value.as_py()
    if not isinstance(found, bytes):
        return None if found is None else str(found)
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: its bytes are not UTF-8 text; choose another --column") from error
