"""The folder of an embedded bank.

It holds `manifest.json`, `lock`, the engine's `shard` with all points, the ledger that says which of them count, and
files made from the points for reading: keys, coarse keys, prototypes and cones.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.private_folders import make_private_folder

SHARD_NAME = "shard"
PARTIAL_SHARD_NAME = "shard.partial"

MARKED = "marked"
"""Payload field of the engine's points, `YES` where retrieval leaves a point out; the engine finds no booleans."""
YES, NO = "yes", "no"

_ROOM = 64 * 2**20

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
    except FreedaError:
        raise
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
        new = [place for place in (folder, *folder.parents) if not place.exists()]
        make_private_folder(folder)
        for place in new:
            sync_folder(place.parent)
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


def check_room(folder: Path, size: int = 0) -> None:
    """Refuse to go on when the disk is nearly full.

    The engine writes through mapped files with holes: where the disk has no room for a page, the system ends the
    process instead of reporting an error.

    Args:
        folder: of the bank.
        size: bytes that are about to be written, besides some room that is always wanted.

    Raises:
        UnavailableError: there is too little room.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise UnavailableError(f"the bank folder {folder} cannot be read ({error.strerror})") from error
    if free < _ROOM + size:
        wanted = (_ROOM + size) // 2**20
        raise UnavailableError(
            f"the disk with the bank {folder} is full: {free // 2**20} MiB are free, expected {wanted}; make room"
        )


def create_bank(folder: Path, manifest: Manifest) -> None:
    """Make an empty bank so that a process that dies at any moment leaves either none or a whole one.

    The folder's lock is held. The shard is finished under another name before the manifest is written; `load_shard`
    does a rename that is still due.

    Raises:
        UnavailableError: the engine or the system cannot write.
    """
    check_room(folder)
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


def put_shard_in_place(folder: Path) -> None:
    """Do a rename that is still due, and see that the bank, whose lock is held, has its shard.

    Raises:
        InputError: the bank has no shard.
        UnavailableError: a rename that was due cannot be done.
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


def load_shard(folder: Path, config: engine.EdgeConfig | None = None) -> engine.EdgeShard:
    """Load the shard of a bank whose lock is held.

    Args:
        folder: of the bank.
        config: what is to be different from how it was made; nothing when None.

    Raises:
        InputError: the bank has no shard.
        UnavailableError: the engine cannot read it, or a rename that was due cannot be done.
    """
    put_shard_in_place(folder)
    with asking(folder):
        return engine.EdgeShard.load(str(folder / SHARD_NAME), config)


def bytes_on_disk(folder: Path) -> int:
    """Space taken, not apparent size: the engine's files are sparse."""
    taken = 0
    for place, _, names in os.walk(folder):  # which passes over what vanishes meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                taken += os.stat(os.path.join(place, name)).st_blocks * 512  # noqa: PTH116, PTH118 - many files
    return taken
