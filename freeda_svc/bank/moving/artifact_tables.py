"""Thumbnails that prototypes mention, as rows of a Parquet file, and back into a folder of artifacts."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from freeda_svc.bank.moving.archive import ROWS_A_PART
from freeda_svc.bank.moving.extras import load_parquet
from freeda_svc.errors import InputError, UnavailableError, one_line
from freeda_svc.input_files import InputRules, is_below, open_input
from freeda_svc.parquet_files import open_parquet
from freeda_svc.prototypes.record import Prototype
from freeda_svc.whole_files import write_whole

LARGEST_ARTIFACT = 16 << 20
"""Bytes of a thumbnail."""

LONGEST_PATH = 4096
_BYTES_A_ROW_GROUP = 8 << 20
_ROWS_AT_ONCE = 64
_MOST_ROWS = 3 * ROWS_A_PART
"""Image, mask and attribution of each prototype."""


@dataclass(frozen=True)
class Placed:
    """What became of the artifacts of a file.

    Attributes:
        written: files that were not there before.
        kept: files that were there with another content, and stay.
    """

    written: int
    kept: int


def artifact_schema() -> Any:  # noqa: ANN401 (a pyarrow.Schema)
    """The columns of a file with artifacts."""
    pa, _ = load_parquet()
    return pa.schema([pa.field("path", pa.string(), nullable=False), pa.field("content", pa.binary(), nullable=False)])


def mentioned_artifacts(prototypes: Iterable[Prototype]) -> dict[str, None]:
    """The paths of artifacts that prototypes mention, each once, in order."""
    return {
        path: None
        for prototype in prototypes
        for path in (prototype.image, prototype.mask, prototype.attribution)
        if path
    }


def write_artifacts(target: Path, root: Path, paths: Iterable[str], tell: Callable[[], None]) -> int:
    """Write the artifacts that are there; few of them are in memory at once.

    Args:
        target: the Parquet file.
        root: folder of artifacts.
        paths: below ``root``.
        tell: is called between some and the next ones; what it raises ends the work.

    Returns:
        How many were there.

    Raises:
        InputError: a path leaves the folder of artifacts.
        UnavailableError: an artifact cannot be read.
        OSError: the file cannot be written.
    """
    pa, parquet = load_parquet()
    schema = artifact_schema()
    rows = 0
    # Pictures are compressed already.
    with parquet.ParquetWriter(
        target, schema, compression="none", use_dictionary=False, write_statistics=["path"]
    ) as writer:
        for number, group in enumerate(_groups(root, paths)):
            if number:
                tell()
            writer.write_table(
                pa.table([[path for path, _ in group], [content for _, content in group]], schema=schema)
            )
            rows += len(group)
    return rows


def check_artifacts(source: Path, rows: int, mentioned: Collection[str]) -> None:
    """See that a file holds artifacts of its part and nothing else.

    Args:
        source: the Parquet file, its checksum checked.
        rows: how many it should have.
        mentioned: paths that the prototypes of the part mention.

    Raises:
        InputError: another schema or number of rows, or a path that leaves the folder or that nothing mentions.
    """
    found = 0
    for batch in _batches(source, ["path"]):
        _check_lengths(batch.column("path"), LONGEST_PATH, source)
        for path in batch.column("path").to_pylist():
            found += 1
            if path not in mentioned:
                raise InputError(f"{source}: no prototype of the part mentions its artifact {path!r}: export again")
            if not is_below(path):
                raise InputError(f"{source}: the path {path!r} leaves the folder of artifacts; do not use this archive")
    if found != rows:
        raise InputError(f"{source} has {found} rows, expected {rows}: export the bank again")


def place_artifacts(source: Path, root: Path, tell: Callable[[], None]) -> Placed:
    """Put the artifacts of a checked file into a folder; files that are there stay.

    Args:
        source: the Parquet file.
        root: the folder.
        tell: is called between some and the next ones; what it raises ends the work.

    Raises:
        InputError: a path leads out of the folder through a link.
        UnavailableError: they cannot be written.
    """
    written = kept = 0
    for number, batch in enumerate(_batches(source, ["path", "content"])):
        if number:
            tell()
        _check_lengths(batch.column("path"), LONGEST_PATH, source)
        _check_lengths(batch.column("content"), LARGEST_ARTIFACT, source)
        for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
            target = _inside(root, path.as_py())
            try:
                if target.exists():
                    kept += target.read_bytes() != content.as_py()
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(target, content.as_py())
                    written += 1
            except OSError as error:
                raise UnavailableError(f"the artifact {target} cannot be written: {error.strerror or error}") from error
    return Placed(written, kept)


def _groups(root: Path, paths: Iterable[str]) -> Iterator[list[tuple[str, bytes]]]:
    group: list[tuple[str, bytes]] = []
    size = 0
    for path in paths:
        source = _inside(root, path)
        try:
            if not source.is_file():
                continue
            with open_input(source, InputRules((root,)), "thumbnail") as file:
                content = file.read()
        except OSError as error:
            raise UnavailableError(f"the artifact {source} cannot be read: {error.strerror or error}") from error
        group.append((path, content))
        size += len(content)
        if size >= _BYTES_A_ROW_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _batches(source: Path, columns: list[str]) -> Iterator[Any]:
    pa, parquet = load_parquet()
    try:
        with source.open("rb") as file:
            table = open_parquet(file, str(source), columns=columns, most_rows=_MOST_ROWS, most_values={})
            schema = parquet.ParquetFile(file, metadata=table.metadata).schema_arrow
            if not schema.equals(artifact_schema()):
                raise InputError(f"{source} has the columns {schema.names}, expected path and content")
            for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
                batch.validate(full=True)
                yield batch
    except (pa.ArrowException, OSError) as error:
        reason = one_line(error)
        raise InputError(f"{source} is not the Parquet file it should be ({reason}): export again") from error


def _check_lengths(column: Any, longest: int, source: Path) -> None:  # noqa: ANN401 (a pyarrow.DictionaryArray)
    compute = import_module("pyarrow.compute")
    found = compute.max(compute.binary_length(column.dictionary)).as_py() or 0
    if found > longest:
        raise InputError(f"{source}: a path or content of {found:,} bytes, expected at most {longest:,}")


def _inside(root: Path, path: str) -> Path:
    place = root / path
    if not is_below(path) or "\0" in path or not place.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"the artifact {path!r} is not below the folder of artifacts {root}: forget the prototype that "
            "mentions it, or leave artifacts out"
        )
    return place
