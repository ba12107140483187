"""Prototypes as rows of a Parquet file, and back."""

import math
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.bank.checks import check_prototypes
from freeda_svc.bank.manifest import Encoding
from freeda_svc.bank.moving.archive import ROWS_A_PART
from freeda_svc.bank.moving.tables import faults_named, load_parquet, read_batches
from freeda_svc.bank.points import APPEARANCE, KEY, PROTOTYPE, make_payload, point_id, read_prototype
from freeda_svc.counts import counted
from freeda_svc.errors import InputError
from freeda_svc.input_files import is_below
from freeda_svc.prototypes import ORIGINS, Prototype

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
MOST_SPANS_A_GROUP = 100 * ROWS_A_PART


def prototype_schema(encoding: Encoding) -> Any:  # noqa: ANN401 (a pyarrow.Schema)
    """The columns of a file with prototypes; none of them, nor of their elements, may be null.

    A prototype without an appearance has an empty list. Older archives lack the last columns.
    """
    pa, _ = load_parquet()

    def listed(element: Any, size: int = -1) -> Any:  # noqa: ANN401 (pyarrow types)
        return pa.list_(pa.field("element", element, nullable=False), size)

    columns = {
        ID: pa.string(),
        KEY: listed(pa.float32(), encoding.key_dimension),
        PROTOTYPE: listed(pa.float16(), encoding.vector_dimension),
        "seed": pa.int64(),
        "spans": listed(listed(pa.int32(), 2)),
        **dict.fromkeys(_TEXTS, pa.string()),
        **dict.fromkeys(_NUMBERS, pa.float64()),
        APPEARANCE: listed(pa.float16()),
        **dict.fromkeys(_LATER_TEXTS, pa.string()),
    }
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


def write_prototypes(path: Path, lists: Iterable[Sequence[Prototype]], encoding: Encoding) -> int:
    """Write prototypes, each list as one row group; only one list is in memory.

    Returns:
        How many there were.

    Raises:
        OSError: the file cannot be written.
    """
    _, parquet = load_parquet()
    schema = prototype_schema(encoding)
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


def read_prototypes(content: bytes, name: str, *, rows: int, encoding: Encoding) -> list[Prototype]:
    """Read a file with prototypes and check every row.

    Args:
        content: of the file.
        name: what to call it in messages.
        rows: how many it should have.
        encoding: that every row should have; its ``pack`` as that of the row's encoders or of its whole pack.

    Raises:
        InputError: it is not a Parquet file with these columns, would take too much memory, or a row cannot come
            from a bank.
    """
    prototypes: list[Prototype] = []
    key_dimension, vector_dimension = encoding.key_dimension, encoding.vector_dimension
    with faults_named(name):
        for batch in _batches(content, name, rows, encoding):
            keys = _to_rows(batch.column(KEY), key_dimension)
            vectors = _to_rows(batch.column(PROTOTYPE), vector_dimension).astype(np.float32)
            appearances = _read_appearances(batch, name, key_dimension)
            vector_columns = [column for column in _VECTORS if column in batch.schema.names]
            entries = batch.drop_columns(vector_columns).to_pylist()
            for entry, key, vector, appearance in zip(entries, keys, vectors, appearances, strict=True):
                prototype = read_prototype(entry, key, vector, appearance)
                _check_row(prototype, entry[ID], f"{name}, row {len(prototypes)}")
                prototypes.append(prototype)
    check_prototypes(prototypes, encoding.pack, key_dimension, vector_dimension)
    return prototypes


def _batches(content: bytes, name: str, rows: int, encoding: Encoding) -> Iterator[Any]:
    keys = ROWS_A_PART * encoding.key_dimension
    most_values = {
        KEY: keys,
        PROTOTYPE: ROWS_A_PART * encoding.vector_dimension,
        APPEARANCE: keys,
        "spans": 2 * MOST_SPANS_A_GROUP,
    }
    for batch in read_batches(
        BytesIO(content),
        name,
        prototype_schema(encoding),
        rows=rows,
        at_once=ROWS_AT_ONCE,
        most_rows=ROWS_A_PART,
        longest=dict.fromkeys((ID, *_TEXTS, *_LATER_TEXTS), LONGEST_TEXT),
        most_values=most_values,
        optional=_LATER,
    ):
        most = max(batch.column("spans").value_lengths().to_pylist(), default=0)
        if most > MOST_SPANS:
            raise InputError(f"{name}: a prototype with {counted(most, 'span')}, expected at most {MOST_SPANS:,}")
        yield batch


def _make_table(prototypes: Sequence[Prototype], schema: Any) -> Any:  # noqa: ANN401 (pyarrow types)
    pa, _ = load_parquet()
    payloads = [make_payload(prototype) for prototype in prototypes]
    keys = np.concatenate([prototype.key for prototype in prototypes])
    vectors = np.concatenate([prototype.vector for prototype in prototypes]).astype(np.float16)
    columns = {
        ID: [point_id(prototype) for prototype in prototypes],
        KEY: pa.FixedSizeListArray.from_arrays(pa.array(keys), type=schema.field(KEY).type),
        PROTOTYPE: pa.FixedSizeListArray.from_arrays(pa.array(vectors), type=schema.field(PROTOTYPE).type),
        APPEARANCE: _appearance_column(prototypes, schema.field(APPEARANCE).type),
    }
    for name in schema.names:
        if name not in columns:
            columns[name] = [payload[name] for payload in payloads]
    return pa.table(columns, schema=schema)


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
        raise InputError(f"{name}: an appearance of {counted(wrong[0], 'value')}, expected {dimension:,} or none")
    rows = iter(_to_rows(column, dimension).astype(np.float32))
    return [next(rows) if length else None for length in lengths]


def _to_rows(column: Any, dimension: int) -> npt.NDArray[Any]:  # noqa: ANN401 (a pyarrow.Array)
    values = column.flatten().to_numpy(zero_copy_only=False)
    rows: npt.NDArray[Any] = values.reshape(-1, dimension)
    return rows


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
