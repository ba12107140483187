"""Prototypes as rows of a Parquet file, and back."""

import math
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.checks import check_prototypes
from freeda_svc.bank.moving.archive import ROWS_A_PART
from freeda_svc.bank.moving.extras import load_parquet
from freeda_svc.bank.points import APPEARANCE, KEY, PROTOTYPE, make_payload, point_id, read_prototype
from freeda_svc.errors import InputError, one_line
from freeda_svc.input_files import is_below
from freeda_svc.parquet_files import open_parquet
from freeda_svc.prototypes.record import ORIGINS, Prototype

ID = "id"
_TEXTS = ("noun", "caption_id", "caption", "pack", "job", "origin", "outlier", "image", "mask", "attribution")
_LATER_TEXTS = ("encoders", "generator")
_LATER = (APPEARANCE, *_LATER_TEXTS)
"""Columns that archives made before there were any of them lack."""
_VECTORS = (KEY, PROTOTYPE, APPEARANCE)
_PATHS = ("image", "mask", "attribution")
_NUMBERS = ("mask_area", "contrast", "image_text_score")

LONGEST_TEXT = 1 << 16
"""Bytes of any text of a prototype."""

MOST_SPANS = 1000
"""Mentions of a noun in a caption."""

ROWS_AT_ONCE = 1000
_SPANS_A_GROUP = 100 * ROWS_A_PART


def prototype_schema(key_dimension: int, vector_dimension: int) -> Any:  # noqa: ANN401 (a pyarrow.Schema)
    """The columns of a file with prototypes; none of them, nor of their elements, may be null.

    A prototype without an appearance has an empty list. Older archives lack the last columns.
    """
    pa, _ = load_parquet()

    def listed(element: Any, size: int = -1) -> Any:  # noqa: ANN401 (pyarrow types)
        return pa.list_(pa.field("element", element, nullable=False), size)

    columns = {
        ID: pa.string(),
        KEY: listed(pa.float32(), key_dimension),
        PROTOTYPE: listed(pa.float16(), vector_dimension),
        "seed": pa.int64(),
        "spans": listed(listed(pa.int32(), 2)),
        **dict.fromkeys(_TEXTS, pa.string()),
        **dict.fromkeys(_NUMBERS, pa.float64()),
        APPEARANCE: listed(pa.float16()),
        **dict.fromkeys(_LATER_TEXTS, pa.string()),
    }
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


def write_prototypes(
    path: Path, lists: Iterable[Sequence[Prototype]], key_dimension: int, vector_dimension: int
) -> int:
    """Write prototypes, each list as one row group; only one list is in memory.

    Returns:
        How many there were.

    Raises:
        OSError: the file cannot be written.
    """
    _, parquet = load_parquet()
    schema = prototype_schema(key_dimension, vector_dimension)
    # Dictionaries and statistics are for what repeats and is filtered; vectors only grow by them.
    texts = [*_TEXTS, *_LATER_TEXTS]
    plain = [ID, "seed", *texts, *_NUMBERS]
    rows = 0
    with parquet.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=texts, write_statistics=plain
    ) as writer:
        for prototypes in lists:
            writer.write_table(_make_table(prototypes, schema))
            rows += len(prototypes)
    return rows


def read_ids(path: Path) -> list[str]:
    """The ids of a file that `write_prototypes` wrote, in order.

    Raises:
        OSError: it cannot be read.
    """
    _, parquet = load_parquet()
    ids: list[str] = parquet.read_table(path, columns=[ID])[ID].to_pylist()
    return ids


def read_prototypes(
    content: bytes, name: str, *, rows: int, pack: str, key_dimension: int, vector_dimension: int
) -> list[Prototype]:
    """Read a file with prototypes and check every row.

    Args:
        content: of the file.
        name: what to call it in messages.
        rows: how many it should have.
        pack: fingerprint that every row should have, as that of its encoders or of its whole pack.
        key_dimension: Dt expected.
        vector_dimension: Dv expected.

    Raises:
        InputError: it is not a Parquet file with these columns, would take too much memory, or a row cannot be what a
            bank held.
    """
    pa, _ = load_parquet()
    prototypes: list[Prototype] = []
    try:
        for batch in _batches(content, name, rows, key_dimension, vector_dimension):
            keys = _to_rows(batch.column(KEY), key_dimension)
            vectors = _to_rows(batch.column(PROTOTYPE), vector_dimension).astype(np.float32)
            appearances = _read_appearances(batch, name, key_dimension)
            vector_columns = [column for column in _VECTORS if column in batch.schema.names]
            entries = batch.drop_columns(vector_columns).to_pylist()
            for entry, key, vector, appearance in zip(entries, keys, vectors, appearances, strict=True):
                prototype = read_prototype(entry, key, vector, appearance)
                _check_row(prototype, entry[ID], f"{name}, row {len(prototypes)}")
                prototypes.append(prototype)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = one_line(error)
        raise InputError(f"{name} is not the Parquet file it should be ({reason}): export the bank again") from error
    check_prototypes(prototypes, pack, key_dimension, vector_dimension)
    return prototypes


def _batches(content: bytes, name: str, rows: int, key_dimension: int, vector_dimension: int) -> Iterator[Any]:
    """Give some rows at a time, texts as dictionaries, none of them or of the lists of spans too long."""
    _, parquet = load_parquet()
    source = BytesIO(content)
    schema = prototype_schema(key_dimension, vector_dimension)
    values = {
        KEY: ROWS_A_PART * key_dimension,
        PROTOTYPE: ROWS_A_PART * vector_dimension,
        APPEARANCE: ROWS_A_PART * key_dimension,
        "spans": 2 * _SPANS_A_GROUP,
    }
    table = open_parquet(source, name, columns=schema.names, most_rows=ROWS_A_PART, most_values=values)
    # with texts as dictionaries the schema is another one
    _check_schema(parquet.ParquetFile(source, metadata=table.metadata).schema_arrow, schema, name)
    if table.metadata.num_rows != rows:
        raise InputError(f"{name} has {table.metadata.num_rows} rows, expected {rows}: export the bank again")
    for batch in table.iter_batches(batch_size=ROWS_AT_ONCE):
        batch.validate(full=True)
        _check_lengths(batch, name)
        yield batch


def _check_lengths(batch: Any, name: str) -> None:  # noqa: ANN401 (a pyarrow.RecordBatch)
    compute = import_module("pyarrow.compute")
    for column in (ID, *_TEXTS, *(later for later in _LATER_TEXTS if later in batch.schema.names)):
        longest = compute.max(compute.binary_length(batch.column(column).dictionary)).as_py() or 0
        if longest > LONGEST_TEXT:
            raise InputError(
                f"{name}: a text of {longest:,} bytes in its column {column}, expected at most {LONGEST_TEXT:,}"
            )
    most = compute.max(compute.list_value_length(batch.column("spans"))).as_py() or 0
    if most > MOST_SPANS:
        raise InputError(f"{name}: a prototype with {most:,} spans, expected at most {MOST_SPANS:,}")


def _make_table(prototypes: Sequence[Prototype], schema: Any) -> Any:  # noqa: ANN401 (pyarrow types)
    pa, _ = load_parquet()
    payloads = [make_payload(prototype) for prototype in prototypes]
    columns: dict[str, Any] = {
        ID: [point_id(prototype) for prototype in prototypes],
        KEY: _to_column(np.stack([prototype.key for prototype in prototypes]), schema.field(KEY).type),
        PROTOTYPE: _to_column(
            np.stack([prototype.vector for prototype in prototypes]).astype(np.float16), schema.field(PROTOTYPE).type
        ),
    }
    columns[APPEARANCE] = _appearance_column(prototypes, schema.field(APPEARANCE).type)
    for field in schema:
        if field.name not in columns:
            columns[field.name] = pa.array([payload[field.name] for payload in payloads], type=field.type)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _to_column(rows: npt.NDArray[Any], kind: Any) -> Any:  # noqa: ANN401 (pyarrow types)
    pa, _ = load_parquet()
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), type=kind)


def _appearance_column(prototypes: Sequence[Prototype], kind: Any) -> Any:  # noqa: ANN401 (pyarrow types)
    pa, _ = load_parquet()
    found = [one.appearance for one in prototypes]
    ends = np.cumsum([0, *(0 if appearance is None else len(appearance) for appearance in found)], dtype=np.int32)
    values = np.concatenate([np.empty(0, np.float16), *(one.astype(np.float16) for one in found if one is not None)])
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values), type=kind)


def _read_appearances(
    batch: Any,  # noqa: ANN401 (a pyarrow.RecordBatch)
    name: str,
    dimension: int,
) -> list[npt.NDArray[np.float32] | None]:
    if APPEARANCE not in batch.schema.names:
        return [None] * len(batch)
    column = batch.column(APPEARANCE)
    lengths = column.value_lengths().to_pylist()
    if wrong := sorted(set(lengths) - {0, dimension}):
        raise InputError(f"{name}: an appearance of {wrong[0]:,} values, expected {dimension:,} or none")
    rows = iter(_to_rows(column, dimension).astype(np.float32))
    return [next(rows) if length else None for length in lengths]


def _to_rows(column: Any, dimension: int) -> npt.NDArray[Any]:  # noqa: ANN401 (a pyarrow.Array)
    values = column.flatten().to_numpy(zero_copy_only=False)
    rows: npt.NDArray[Any] = values.reshape(-1, dimension)
    return rows


def _check_schema(found: Any, expected: Any, name: str) -> None:  # noqa: ANN401 (pyarrow types)
    for column in _LATER:
        if column not in found.names:
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


def _check_row(prototype: Prototype, identifier: str, name: str) -> None:
    if point_id(prototype) != identifier:
        raise InputError(f"{name}: the id {identifier} does not follow from caption_id, noun, seed and pack")
    if prototype.origin not in ORIGINS:
        raise InputError(f"{name}: the origin {prototype.origin!r} is none of {', '.join(ORIGINS)}")
    if not all(math.isfinite(getattr(prototype, number)) for number in _NUMBERS):
        raise InputError(f"{name}: one of {', '.join(_NUMBERS)} is not finite")
    if not all(0 <= start <= end <= len(prototype.caption) for start, end in prototype.spans):
        raise InputError(f"{name}: a span of {list(prototype.spans)} is not inside the caption")
    for column in _PATHS:
        path = getattr(prototype, column)
        if path and (not is_below(path) or "\0" in path):
            raise InputError(
                f"{name}: its {column} {path!r:.200} is no path below the folder of artifacts; do not use this archive"
            )
