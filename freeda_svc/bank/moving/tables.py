"""Parquet files of an archive, whose columns and sizes are checked before their rows are read."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

from freeda_svc import parquet_files
from freeda_svc.counts import counted
from freeda_svc.errors import InputError, one_line


def load_parquet() -> tuple[Any, Any]:
    """Import pyarrow and its Parquet module, which the extra ``parquet`` brings; slow, so not before it is needed.

    Raises:
        UnavailableError: it is not installed, or its installation is broken.
    """
    return parquet_files.load_parquet("an archive of a bank")


@contextmanager
def faults_named(name: str) -> Iterator[None]:
    """Turn what reading a damaged file raises into one line.

    Args:
        name: what to call the file.
    """
    pa, _ = load_parquet()
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = one_line(error)
        raise InputError(f"{name} is not the Parquet file it should be ({reason}): export the bank again") from error


def read_batches(
    file: IO[bytes],
    name: str,
    schema: Any,  # noqa: ANN401 (a pyarrow.Schema)
    *,
    rows: int,
    at_once: int,
    most_rows: int,
    longest: Mapping[str, int],
    most_values: Mapping[str, int] | None = None,
    optional: Collection[str] = (),
    only: Collection[str] | None = None,
) -> Iterator[Any]:
    """Read a file in batches, texts and bytes as dictionaries; nothing is expanded before its size is known.

    Args:
        file: can be read in any order.
        name: what to call it in messages.
        schema: the columns it should have.
        rows: how many it should have.
        at_once: rows of a batch.
        most_rows: that any such file may have.
        longest: most bytes of a value, by column of texts or bytes.
        most_values: most values of a row group, by column of lists.
        optional: columns that it may lack.
        only: columns to read; None reads all.

    Yields:
        A ``pyarrow.RecordBatch``, valid.

    Raises:
        InputError: it has other columns or another number of rows, or a value is too large.
        pyarrow.ArrowException, OSError: it is damaged.
    """
    _, parquet = load_parquet()
    columns = list(schema.names if only is None else only)
    table = parquet_files.open_parquet(
        file, name, columns=columns, most_rows=most_rows, most_values=dict(most_values or {})
    )
    # with texts as dictionaries the schema is another one
    found = parquet.ParquetFile(file, metadata=table.metadata).schema_arrow
    _check_schema(found, schema, name, optional)
    if table.metadata.num_rows != rows:
        raise InputError(
            f"{name} has {counted(table.metadata.num_rows, 'row')}, expected {rows:,}: export the bank again"
        )
    columns = [column for column in columns if column in found.names]
    compute = import_module("pyarrow.compute")
    for batch in table.iter_batches(batch_size=at_once, columns=columns):
        batch.validate(full=True)
        for column in (column for column in columns if column in longest):
            size = compute.max(compute.binary_length(batch.column(column).dictionary)).as_py() or 0
            if size > longest[column]:
                raise InputError(
                    f"{name}: a value of {counted(size, 'byte')} in its column {column}, "
                    f"expected at most {longest[column]:,}"
                )
        yield batch


def _check_schema(found: Any, expected: Any, name: str, optional: Collection[str]) -> None:  # noqa: ANN401
    for column in set(optional) - set(found.names):
        expected = expected.remove(expected.get_field_index(column))
    if found.equals(expected):
        return
    if found.names != expected.names:
        raise InputError(f"{name} has the columns {', '.join(found.names)}, expected {', '.join(expected.names)}")
    wrong = next(field for field, other in zip(found, expected, strict=True) if not field.equals(other))
    raise InputError(
        f"{name}: its column {wrong.name} holds {_kind(wrong)}, expected {_kind(expected.field(wrong.name))}: "
        "export the bank again"
    )


def _kind(field: Any) -> str:  # noqa: ANN401 (a pyarrow.Field)
    return f"{field.type}{' or null' if field.nullable else ''}"
