"""Thumbnails that prototypes mention, as rows of a Parquet file, and back into a folder of artifacts."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from freeda_svc.bank.moving.archive import ROWS_A_PART
from freeda_svc.bank.moving.tables import faults_named, load_parquet, read_batches
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.input_files import InputRules, is_below, open_input
from freeda_svc.prototypes import Prototype
from freeda_svc.whole_files import write_whole

LARGEST_ARTIFACT = 16 << 20
"""Bytes of a thumbnail."""

LONGEST_PATH = 4096
_BYTES_A_ROW_GROUP = 8 << 20
_ROWS_AT_ONCE = 64
_MOST_ROWS = 3 * ROWS_A_PART
"""Image, mask and attribution of each prototype."""


class Placed(StrEnum):
    """What became of an artifact."""

    WRITTEN = "written"
    """It was not there before."""
    PRESENT = "present"
    """It was there already."""
    KEPT = "kept"
    """Another content was there, and stays."""


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


def write_artifacts(target: Path, root: Path, paths: Iterable[str], report: Callable[[], None]) -> int:
    """Write the artifacts that are there; few of them are in memory at once.

    Args:
        target: the Parquet file.
        root: folder of artifacts.
        paths: below ``root``.
        report: called between row groups; what it raises ends the work.

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
                report()
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
    for batch in _batches(source, rows, ["path"]):
        for path in batch.column("path").to_pylist():
            if path not in mentioned:
                raise InputError(f"{source}: no prototype of the part mentions its artifact {path!r}: export again")
            if not is_below(path):
                raise InputError(f"{source}: the path {path!r} leaves the folder of artifacts; do not use this archive")


def place_artifacts(source: Path, rows: int, root: Path, report: Callable[[], None]) -> Counter[Placed]:
    """Put the artifacts of a checked file into a folder; files that are there stay.

    Args:
        source: the Parquet file.
        rows: how many it has.
        root: the folder.
        report: called between row groups; what it raises ends the work.

    Raises:
        InputError: a path leads out of the folder through a link.
        UnavailableError: they cannot be written.
    """
    placed: Counter[Placed] = Counter()
    for number, batch in enumerate(_batches(source, rows, ["path", "content"])):
        if number:
            report()
        for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
            target = _inside(root, path.as_py())
            try:
                if target.exists():
                    same = target.read_bytes() == content.as_py()
                    placed[Placed.PRESENT if same else Placed.KEPT] += 1
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(target, content.as_py())
                    placed[Placed.WRITTEN] += 1
            except OSError as error:
                raise UnavailableError(f"the artifact {target} cannot be written: {error.strerror or error}") from error
    return placed


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


def _batches(source: Path, rows: int, columns: list[str]) -> Iterator[Any]:
    longest = {"path": LONGEST_PATH, "content": LARGEST_ARTIFACT}
    with faults_named(str(source)), source.open("rb") as file:
        yield from read_batches(
            file,
            str(source),
            artifact_schema(),
            rows=rows,
            at_once=_ROWS_AT_ONCE,
            most_rows=_MOST_ROWS,
            longest=longest,
            only=columns,
        )


def _inside(root: Path, path: str) -> Path:
    place = root / path
    if not is_below(path) or "\0" in path or not place.resolve().is_relative_to(root.resolve()):
        raise InputError(
            f"the artifact {path!r} is not below the folder of artifacts {root}: forget the prototype that "
            "mentions it, or leave artifacts out"
        )
    return place
