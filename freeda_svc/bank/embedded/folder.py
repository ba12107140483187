"""The folder of an embedded bank.

It holds `manifest.json`, `lock`, the engine's `shard` with all points, the ledger that says which of them count, and
files made from the points for reading: keys, coarse keys, prototypes and cones.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qdrant_edge as engine

from freeda_svc.bank.embedded.lock import LOCK_NAME
from freeda_svc.bank.manifest import (
    MANIFEST_NAME,
    PARTIAL_MANIFEST_NAME,
    Manifest,
    sync_folder,
    write_manifest,
)
from freeda_svc.bank.points import KEY, PROTOTYPE
from freeda_svc.errors import InputError, UnavailableError

SHARD_NAME = "shard"
PARTIAL_SHARD_NAME = "shard.partial"

MARKED = "marked"
"""Payload field of the engine's points, `YES` where retrieval leaves a point out; the engine finds no booleans."""
YES, NO = "yes", "no"

_INDEXED_FIELDS = {
    "noun": engine.PayloadSchemaType.Keyword,
    "job": engine.PayloadSchemaType.Keyword,
    "origin": engine.PayloadSchemaType.Keyword,
    MARKED: engine.PayloadSchemaType.Keyword,
}


@contextmanager
def asking(folder: Path) -> Iterator[None]:
    """Turn the engine's failures, which are plain exceptions, into one line that names the bank."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UnavailableError(f"the bank {folder} does not answer: {reason}") from error


def prepare_folder(folder: Path) -> None:
    """Make the folder, unless it holds something that is not a bank's.

    Raises:
        InputError: it is a file, or holds files of something else.
        UnavailableError: it cannot be made or read.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder} is a file, expected the folder of a bank: give another path")
        folder.mkdir(parents=True, exist_ok=True)
        present = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise UnavailableError(
            f"the bank folder {folder} cannot be made or read ({error.strerror}): give a folder you may write to"
        ) from error
    # A shard without its manifest is a damaged bank, not a beginning: it must not be written over.
    if MANIFEST_NAME not in present and not present <= {LOCK_NAME, PARTIAL_SHARD_NAME, PARTIAL_MANIFEST_NAME}:
        raise InputError(
            f"{folder} is not a bank (it holds files but no {MANIFEST_NAME}): give an empty or a new folder"
        )


def create_bank(folder: Path, manifest: Manifest) -> None:
    """Make an empty bank so that a process that dies at any moment leaves either none or a whole one.

    The folder's lock is held. The shard is finished under another name before the manifest is written; `load_shard`
    does a rename that is still due.

    Raises:
        UnavailableError: the engine or the system cannot write.
    """
    partial = folder / PARTIAL_SHARD_NAME
    shutil.rmtree(partial, ignore_errors=True)
    vectors = {
        KEY: engine.EdgeVectorParams(
            size=manifest.key_dimension,
            distance=engine.Distance.Cosine,
            memory=engine.Memory.Cold,
            hnsw_config=no_graph(),
        ),
        PROTOTYPE: prototype_parameters(manifest, no_graph()),
    }
    with asking(folder):
        shard = engine.EdgeShard.create(str(partial), engine.EdgeConfig(vectors=vectors))
        for field, kind in _INDEXED_FIELDS.items():
            shard.update(engine.UpdateOperation.create_field_index(field, kind))
        shard.flush()
        shard.close()
    write_manifest(folder, manifest)


def no_graph() -> engine.HnswIndexConfig:
    """No approximate index: keys are scanned exactly unless asked otherwise, prototypes are never searched."""
    return engine.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10)


def prototype_parameters(manifest: Manifest, graph: engine.HnswIndexConfig) -> engine.EdgeVectorParams:
    """How prototypes are kept: raw, in half precision, on disk."""
    return engine.EdgeVectorParams(
        size=manifest.vector_dimension,
        distance=engine.Distance.Dot,
        datatype=engine.VectorStorageDatatype.Float16,
        memory=engine.Memory.Cold,
        hnsw_config=graph,
    )


def load_shard(folder: Path, config: engine.EdgeConfig | None = None) -> engine.EdgeShard:
    """Load the shard of a bank whose lock is held.

    Args:
        folder: of the bank.
        config: what is to be different from how it was made; nothing when None.

    Raises:
        InputError: the bank has no shard.
        UnavailableError: the engine cannot read it, or a rename that was due cannot be done.
    """
    shard, partial = folder / SHARD_NAME, folder / PARTIAL_SHARD_NAME
    try:
        if not shard.is_dir() and partial.is_dir():
            partial.replace(shard)
            sync_folder(folder)
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be written ({error.strerror})") from error
    if not shard.is_dir():
        raise InputError(
            f"the bank {folder} has lost its points (no folder {SHARD_NAME}): restore it, or remove it and ingest again"
        )
    with asking(folder):
        return engine.EdgeShard.load(str(shard), config)


def bytes_on_disk(folder: Path) -> int:
    """Space taken, not apparent size: the engine's files are sparse."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
