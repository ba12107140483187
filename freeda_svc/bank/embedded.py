"""A prototype store inside the process, on Qdrant's own engine (qdrant-edge), in one folder."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np
import numpy.typing as npt
import qdrant_edge as engine

from freeda_svc.bank.checks import check_prototypes, check_queries, unit_rows
from freeda_svc.bank.folder import (
    KEY,
    PROTOTYPE,
    asking,
    bytes_on_disk,
    create_bank,
    load_shard,
    prepare_folder,
)
from freeda_svc.bank.lock import FolderLock
from freeda_svc.bank.manifest import Manifest, check_manifest, has_manifest, new_manifest, read_manifest
from freeda_svc.bank.store import BankStats, Neighbours, make_payload, point_id

if TYPE_CHECKING:
    from freeda_svc.prototypes.record import Prototype

# An entry of the write-ahead log holds one operation; this keeps entries at a few megabytes.
_POINTS_AN_OPERATION = 1000


class EmbeddedStore:
    """A `PrototypeStore` in a folder that one process at a time owns.

    The folder holds `manifest.json`, `lock` and the engine's `shard`. Keys are stored as float32 unit vectors and
    searched by a full scan; prototypes are stored raw as float16 on disk and never searched.
    """

    def __init__(self, folder: Path, manifest: Manifest, shard: engine.EdgeShard, lock: FolderLock) -> None:
        """Take over an opened shard; use `open` or `open_existing` instead."""
        self._folder = folder
        self._manifest = manifest
        self._shard = shard
        self._lock = lock
        self._writing = threading.Lock()
        self._closed = False

    @classmethod
    def open(cls, folder: Path | str, pack: str, key_dimension: int, vector_dimension: int) -> Self:
        """Open a bank; make it when the folder does not exist or is empty.

        Args:
            folder: the bank's own folder.
            pack: fingerprint of the pack that makes its prototypes.
            key_dimension: Dt.
            vector_dimension: Dv.

        Raises:
            InputError: the folder is something else, a bank of another pack or dimension, or broken.
            BusyError: another process has the bank open.
            UnavailableError: the folder cannot be read or written.
        """
        folder = Path(folder)
        wanted = new_manifest(pack, key_dimension, vector_dimension)
        prepare_folder(folder)
        lock = FolderLock(folder)
        try:
            if not has_manifest(folder):
                create_bank(folder, wanted)
            manifest = read_manifest(folder)
            check_manifest(folder, manifest, pack, key_dimension, vector_dimension)
            return cls(folder, manifest, load_shard(folder), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open_existing(cls, folder: Path | str) -> Self:
        """Open a bank of whatever pack and dimensions its manifest says.

        Raises:
            NotFoundError: there is no such folder.
            InputError: the folder is not a bank, or broken.
            BusyError: another process has the bank open.
            UnavailableError: the folder cannot be read or written.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        lock = FolderLock(folder)
        try:
            return cls(folder, manifest, load_shard(folder), lock)
        except BaseException:
            lock.release()
            raise

    @property
    def pack(self) -> str:
        """Fingerprint of the pack all prototypes were made with."""
        return self._manifest.pack

    @property
    def key_dimension(self) -> int:
        """Dt, the number of values in a key."""
        return self._manifest.key_dimension

    @property
    def vector_dimension(self) -> int:
        """Dv, the number of values in a prototype."""
        return self._manifest.vector_dimension

    def add(self, prototypes: Sequence["Prototype"]) -> int:
        """Store prototypes and flush; see `PrototypeStore.add`.

        A process killed meanwhile may leave a part of the batch behind; adding the batch again completes it.
        """
        if not prototypes:
            return 0
        check_prototypes(prototypes, self.pack, self.key_dimension, self.vector_dimension)
        by_id: dict[str, Prototype] = {}
        for prototype in prototypes:
            by_id.setdefault(point_id(prototype), prototype)
        with self._writing:
            with asking(self._folder):
                known = {str(record.id) for record in self._shard.retrieve(list(by_id), False, False)}
            fresh = [(identifier, prototype) for identifier, prototype in by_id.items() if identifier not in known]
            for start in range(0, len(fresh), _POINTS_AN_OPERATION):
                points = _make_points(fresh[start : start + _POINTS_AN_OPERATION])
                with asking(self._folder):
                    self._shard.update(
                        engine.UpdateOperation.upsert_points(points, update_mode=engine.UpdateMode.InsertOnly)
                    )
            # Also when nothing is new: what is known may come from an add whose flush failed.
            with asking(self._folder):
                self._shard.flush()
        return len(fresh)

    def nearest(self, queries: npt.NDArray[np.float32], k: int) -> list[Neighbours]:
        """The k nearest keys of each query, in one pass over the bank; see `PrototypeStore.nearest`."""
        check_queries(queries, k, self.key_dimension)
        requests = [
            engine.QueryRequest(
                limit=k,
                query=engine.Query.Nearest(row.tolist(), using=KEY),
                params=engine.SearchParams(exact=True),
                with_payload=True,
                with_vector=[PROTOTYPE],
            )
            for row in unit_rows(queries)
        ]
        with asking(self._folder):
            answers = self._shard.query_batch(engine.QueryBatchRequest(requests))
        return [self._to_neighbours(answer) for answer in answers]

    def search(self, query: npt.NDArray[np.float32], limit: int) -> Neighbours:
        """`nearest` for one query of shape (Dt,)."""
        return self.nearest(query[np.newaxis], limit)[0]

    def count(self) -> int:
        """Number of prototypes."""
        with asking(self._folder):
            return self._shard.count(engine.CountRequest(exact=True))

    def nouns(self) -> dict[str, int]:
        """All nouns in alphabetical order, with the number of prototypes of each."""
        return dict(sorted(self._values_of("noun").items()))

    def stats(self) -> BankStats:
        """Numbers about the whole bank; goes through all of its points."""
        return BankStats(
            prototypes=self.count(),
            nouns=len(self._values_of("noun")),
            captions=len(self._values_of("caption_id")),
            jobs=len(self._values_of("job").keys() - {""}),
            pack=self.pack,
            key_dimension=self.key_dimension,
            vector_dimension=self.vector_dimension,
            bytes_on_disk=bytes_on_disk(self._folder),
        )

    def close(self) -> None:
        """Close the shard and let other processes in; closing again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            with asking(self._folder):
                self._shard.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _values_of(self, field: str) -> dict[str, int]:
        # The engine's own limit is 10 values; there cannot be more values than points.
        limit = max(1, self.count())
        with asking(self._folder):
            answer = self._shard.facet(engine.FacetRequest(field, limit=limit, exact=True))
        return {str(hit.value): hit.count for hit in answer.hits}

    def _to_neighbours(self, points: list[engine.ScoredPoint]) -> Neighbours:
        vectors = np.empty((len(points), self.vector_dimension), dtype=np.float32)
        for row, point in zip(vectors, points, strict=True):
            row[:] = cast("dict[str, list[float]]", point.vector)[PROTOTYPE]
        return Neighbours(
            ids=tuple(str(point.id) for point in points),
            scores=np.array([point.score for point in points], dtype=np.float32),
            vectors=vectors,
            payloads=tuple(point.payload or {} for point in points),
        )


def _make_points(prototypes: list[tuple[str, "Prototype"]]) -> list[engine.Point]:
    # Normalised here: the engine takes very short keys for zero and would store them as they are.
    keys = unit_rows(np.stack([prototype.key for _, prototype in prototypes]))
    return [
        engine.Point(identifier, {KEY: key.tolist(), PROTOTYPE: prototype.vector.tolist()}, make_payload(prototype))
        for (identifier, prototype), key in zip(prototypes, keys, strict=True)
    ]
