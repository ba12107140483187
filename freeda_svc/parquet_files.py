"""Parquet files from outside, measured by their footers before anything of them is expanded.

A Parquet file of kilobytes can hold billions of equal rows, or texts of gigabytes. What it will take is written in its
footer: rows, values and sizes before compression. Columns of texts are opened as dictionaries, so a text that is
repeated is in memory once, and can be measured before it becomes a Python object.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from typing import IO, Any

from freeda_svc.errors import InputError, UnavailableError, one_line

LONGEST_FOOTER = 32 << 20
"""Bytes; what is read of it takes about ten times as much memory."""

EXPANDED_FREELY = 64 << 20
"""Bytes that a column of a row group may take in any case."""

MOST_EXPANSION = 50
"""Times that a larger one may grow; texts compress to a tenth or so."""

_END = 8
_MARK = b"PAR1"


def load_parquet(wanted: str) -> tuple[Any, Any]:
    """Import pyarrow and its Parquet module, which the extra ``parquet`` brings; slow, so not before it is needed.

    Args:
        wanted: what needs it, for the message.

    Raises:
        UnavailableError: it is not installed, or its installation is broken.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        reason = one_line(error)
        raise UnavailableError(f"{wanted} needs pyarrow ({reason}); pip install 'freeda-svc[parquet]'") from error


def open_parquet(
    file: IO[bytes], called: str, *, columns: Collection[str], most_rows: int, most_values: Mapping[str, int]
) -> Any:  # noqa: ANN401 (a pyarrow.parquet.ParquetFile)
    """Open a Parquet file whose columns can be read in batches without taking much memory.

    Args:
        file: can be read in any order.
        called: what to call it in messages.
        columns: those that will be read; texts and bytes in them come as dictionaries.
        most_rows: that the file may have.
        most_values: that a row group may have in a column of lists, by the column's name.

    Returns:
        A ``pyarrow.parquet.ParquetFile``.

    Raises:
        InputError: it is larger than it may be, or a size in its footer cannot be.
        pyarrow.ArrowException, OSError: it is no Parquet file.
    """
    parquet = import_module("pyarrow.parquet")
    _check_footer_size(file, called)
    metadata = parquet.ParquetFile(file).metadata
    if not 0 <= metadata.num_rows <= most_rows:
        raise InputError(f"{called} has {metadata.num_rows:,} rows, more than {most_rows:,}; split it")
    leaves = [(place, metadata.schema.column(place)) for place in range(metadata.num_columns)]
    leaves = [(place, leaf) for place, leaf in leaves if leaf.path.split(".")[0] in columns]
    for group in _groups(metadata):
        for place, leaf in leaves:
            _check_chunk(group.column(place), called, leaf.path.split(".")[0], most_values)
    texts = [leaf.path for _, leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    return parquet.ParquetFile(file, metadata=metadata, read_dictionary=texts)


def _check_footer_size(file: IO[bytes], called: str) -> None:
    size = file.seek(0, os.SEEK_END)
    if size >= _END:
        file.seek(-_END, os.SEEK_END)
        end = file.read(_END)
        footer = int.from_bytes(end[:4], "little")
        if end[4:] == _MARK and footer > LONGEST_FOOTER:
            raise InputError(
                f"{called}: its footer takes {footer >> 20:,} MiB, more than {LONGEST_FOOTER >> 20}; write it with "
                "larger row groups or fewer columns"
            )
    file.seek(0)


def _groups(metadata: Any) -> Iterator[Any]:  # noqa: ANN401 (pyarrow's metadata)
    return (metadata.row_group(number) for number in range(metadata.num_row_groups))


def _check_chunk(chunk: Any, called: str, column: str, most_values: Mapping[str, int]) -> None:  # noqa: ANN401
    values, expanded = chunk.num_values, chunk.total_uncompressed_size
    most = most_values.get(column)
    if min(values, expanded) < 0 or (most is not None and values > most):
        raise InputError(
            f"{called}: a row group has {values:,} values in its column '{column}', expected at most {most:,}; write "
            "smaller row groups"
            if most is not None
            else f"{called}: its footer is damaged; it says that a column takes {expanded} bytes"
        )
    if expanded > max(EXPANDED_FREELY, MOST_EXPANSION * chunk.total_compressed_size):
        raise InputError(
            f"{called}: a row group of its column '{column}' would grow from {chunk.total_compressed_size:,} to "
            f"{expanded:,} bytes, more than {MOST_EXPANSION} times; write smaller row groups if it is meant so"
        )
