"""The engine's shard: every point with its two vectors and its payload, the copy all else can be made from."""

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import qdrant_edge as engine

from freeda_svc.bank.embedded.folder import MARKED, NO, YES, asking, check_room, load_shard
from freeda_svc.bank.points import KEY, PROTOTYPE, make_payload, read_prototype
from freeda_svc.bank.store import Payload
from freeda_svc.errors import UnavailableError
from freeda_svc.prototypes.record import Prototype

# An entry of the write-ahead log holds one operation; this keeps entries at a few megabytes.
_POINTS_AN_OPERATION = 1000
# A value takes 4 or 2 bytes in the segments, about 5 in the log, and twice that while files are replaced.
_BYTES_A_VALUE = 16
_CLOSING_SECONDS = 60
_LOST_REASON = "marked, the ledger with the reason was lost"


class Shard:
    """The shard of a bank whose lock is held; loaded when it is first needed, for search does without it."""

    def __init__(self, folder: Path, config: engine.EdgeConfig | None = None, *, cut_off: bool = True) -> None:
        """Take a bank's folder.

        Args:
            folder: of the bank.
            config: what is to be different from how the shard was made; nothing when None.
            cut_off: whether a change may have been cut off; loading then does again what is in the engine's log, which
                needs room on the disk.
        """
        self._folder = folder
        self._config = config
        self._cut_off = cut_off
        self._loaded: engine.EdgeShard | None = None
        self._loading = threading.Lock()
        self._closed = False

    @property
    def points(self) -> engine.EdgeShard:
        """The engine's own shard.

        Raises:
            InputError: there is none.
            UnavailableError: it cannot be read, was closed, or the disk is too full to go on from where it was cut off.
        """
        with self._loading:
            if self._closed:  # loading it again would take it from the process that has the lock by now
                raise UnavailableError(f"the bank {self._folder} does not answer: it is closed")
            if self._loaded is None:
                if self._cut_off:
                    check_room(self._folder)
                self._loaded = load_shard(self._folder, self._config)
                if self._config is not None:
                    with asking(self._folder):
                        self._loaded.optimize()
            return self._loaded

    def insert(
        self,
        points: Sequence[tuple[str, Prototype]],
        keys: npt.NDArray[np.float32],
    ) -> None:
        """Write points with (N, Dt) keys of unit length; they are on the disk when this returns.

        Raises:
            UnavailableError: they cannot be written, or not all of them.
        """
        for start in range(0, len(points), _POINTS_AN_OPERATION):
            part = points[start : start + _POINTS_AN_OPERATION]
            check_room(self._folder, sum(len(p.key) + len(p.vector) for _, p in part) * _BYTES_A_VALUE)
            made = [
                engine.Point(
                    identifier,
                    {KEY: key.tolist(), PROTOTYPE: prototype.vector.tolist()},
                    {**make_payload(prototype), "outlier": "", MARKED: YES if prototype.outlier else NO},
                )
                for (identifier, prototype), key in zip(part, keys[start : start + len(part)], strict=True)
            ]
            self._update(engine.UpdateOperation.upsert_points(made))
        self.flush()

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points, those that are there; done for good when this returns.

        Raises:
            UnavailableError: it cannot be written.
        """
        for start in range(0, len(ids), _POINTS_AN_OPERATION):
            check_room(self._folder)
            self._update(engine.UpdateOperation.delete_points(list(ids[start : start + _POINTS_AN_OPERATION])))
        self.flush()

    def mark(self, ids: Sequence[str], *, marked: bool) -> None:
        """Note at points whether retrieval leaves them out; done for good when this returns.

        Raises:
            UnavailableError: it cannot be written.
        """
        for start in range(0, len(ids), _POINTS_AN_OPERATION):
            check_room(self._folder)
            part: list[int | uuid.UUID | str] = [*ids[start : start + _POINTS_AN_OPERATION]]
            self._update(engine.UpdateOperation.set_payload(part, {MARKED: YES if marked else NO}))
        self.flush()

    def payloads(self, ids: Sequence[str]) -> dict[str, Payload]:
        """The payloads of those points that are there.

        Raises:
            UnavailableError: the engine does not answer.
        """
        with asking(self._folder):
            records = self.points.retrieve(list(ids), True, False)
        return {
            str(record.id): {name: value for name, value in (record.payload or {}).items() if name != MARKED}
            for record in records
        }

    def prototypes(self, ids: Sequence[str]) -> dict[str, Prototype]:
        """The points of some ids that are there, as far as the engine holds them."""
        with asking(self._folder):
            return {str(record.id): _prototype(record) for record in self.points.retrieve(list(ids), True, True)}

    def scroll(self, at_once: int = 1000) -> Iterator[list[tuple[str, Prototype]]]:
        """All points with their ids, in the order of the ids."""
        offset = None
        while True:
            with asking(self._folder):
                records, offset = self.points.scroll(
                    engine.ScrollRequest(offset=offset, limit=at_once, with_payload=True, with_vector=True)
                )
            if records:
                yield [(str(record.id), _prototype(record)) for record in records]
            if offset is None:
                return

    def flush(self) -> None:
        """Have everything on the disk.

        Raises:
            UnavailableError: it cannot be written.
        """
        with asking(self._folder):
            self.points.flush()

    def close(self) -> None:
        """Close the shard if it was loaded; closing again does nothing.

        Raises:
            UnavailableError: the engine does not answer, or has not answered other threads for a long time.
        """
        with self._loading:
            self._closed = True
            loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        deadline = time.monotonic() + _CLOSING_SECONDS
        with asking(self._folder):
            while True:
                try:
                    loaded.close()
                except RuntimeError:  # how the engine says that a thread is reading from it
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.001)
                else:
                    return

    def _update(self, operation: engine.UpdateOperation) -> None:
        with asking(self._folder):
            self.points.update(operation)


def _prototype(record: engine.Record) -> Prototype:
    vectors = cast("dict[str, list[float]]", record.vector)
    payload = dict(record.payload or {})
    payload["outlier"] = _LOST_REASON if payload.get(MARKED) == YES else ""
    return read_prototype(
        payload, np.array(vectors[KEY], dtype=np.float32), np.array(vectors[PROTOTYPE], dtype=np.float32)
    )
