"""A collection in a folder of this machine, on Qdrant's own engine inside the process (qdrant-edge)."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

import qdrant_edge as engine

from freeda_svc.bank.engine import EVERYTHING, Hits, Point, Search, Vectors, Where, point_of
from freeda_svc.bank.manifest import SHARD_NAME, Manifest
from freeda_svc.bank.points import INDEXES, KEY, PROTOTYPE, REGISTERS, REPAIR, Index
from freeda_svc.bank.qdrant import packing
from freeda_svc.bank.qdrant.failures import asking, loading
from freeda_svc.bank.qdrant.folder import bytes_on_disk, check_room, write_count
from freeda_svc.bank.qdrant.lock import FolderLock
from freeda_svc.bank.qdrant.packing import CONFIG_NAME
from freeda_svc.errors import InputError, UnavailableError

# An entry of the write-ahead log holds one operation; this keeps entries at a few megabytes.
_POINTS_AN_OPERATION = 1000
# A value takes 4 or 2 bytes in the segments, about 5 in the log, and twice that while files are replaced.
BYTES_A_VALUE = 16
# Bounds memory: the hits of so many queries are in memory at once.
_QUERIES_AT_ONCE = 256
# A bank that grew by a million work items has seen more, but not lost as many; takes about a minute.
MOST_OPERATIONS_LOST = 1_000_000
_TRIED = "tried"
_Read = TypeVar("_Read")

# Read from mapped files when they are used: to read them all at opening takes five seconds for a million points.
_SCHEMAS: dict[Index, engine.KeywordIndexParams | engine.IntegerIndexParams] = {
    Index.TEXT: engine.KeywordIndexParams(memory=engine.Memory.Cold),
    Index.FLAG: engine.IntegerIndexParams(lookup=True, range=False, memory=engine.Memory.Cold),
    Index.NUMBER: engine.IntegerIndexParams(lookup=False, range=True, memory=engine.Memory.Cold),
}
_UNFINISHED = "temp_segments"
"""Where the engine builds segments; of a process that is killed meanwhile they stay, as large as the bank itself."""


class EdgeEngine:
    """An `Engine` whose folder this process owns until `close`.

    Calls of several threads run side by side, except while `optimize` has the files to itself.
    """

    shared = False
    points_an_operation = _POINTS_AN_OPERATION

    def __init__(self, folder: Path, lock: FolderLock) -> None:
        """Load the collection.

        Args:
            folder: of the bank.
            lock: on the folder; released when the collection is closed.

        Raises:
            InputError: the collection is gone or damaged.
            UnavailableError: it cannot be read, or the disk is too full to go on from where a process was cut off.
        """
        self._folder = folder
        self._lock = lock
        self._using = 0
        self._changed = threading.Condition()
        self._shard: engine.EdgeShard | None = None
        self._vectors: frozenset[str] = frozenset()
        self._caught_up = False
        self._doubled = False  # points lie in two segments, where packing was cut off before it removed the old ones
        check_room(folder)
        self._load()

    @property
    def place(self) -> str:
        """What messages call the bank."""
        return f"the bank {self._folder}"

    def write(self, points: Sequence[Point], *, replaces: Sequence[str] | None = None) -> None:
        """Write points in one operation; see `Engine.write`."""
        check_room(self._folder, BYTES_A_VALUE * sum(v.size for point in points for v in point.vectors.values()))
        changed = None if replaces is None else engine.Filter(must=[engine.HasIdCondition(set(replaces))])
        made = [engine.Point(point.id, _views(point.vectors), dict(point.payload)) for point in points]
        with self._shard_in_use() as shard:
            self._catch_up(shard)
            shard.update(engine.UpdateOperation.upsert_points(made, condition=changed))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points for good; see `Engine.delete`."""
        check_room(self._folder)
        with self._shard_in_use() as shard:
            self._catch_up(shard)
            shard.update(engine.UpdateOperation.delete_points([*ids]))

    def flush(self) -> None:
        """Sync everything to the disk, and write down for other processes how many prototypes the bank has."""
        self.note_count()  # first: flushing may take long enough to be killed in
        with self._shard_in_use() as shard:
            shard.flush()

    def retrieve(
        self, ids: Sequence[str], *, payload: bool | Sequence[str] = False, vectors: Sequence[str] = ()
    ) -> list[Point]:
        """Those of some points that are there; see `Engine.retrieve`."""
        with self._shard_in_use() as shard:
            records = self._with_vectors(vectors, lambda there: shard.retrieve([*ids], _listed(payload), there))
        return [_point(record) for record in records]

    def scroll(
        self,
        where: Where,
        limit: int,
        *,
        after: str | None = None,
        payload: bool | Sequence[str] = False,
        vectors: Sequence[str] = (),
    ) -> tuple[list[Point], str | None]:
        """Some points in the order of their ids; see `Engine.scroll`."""
        meant, fields = _filter(where), _listed(payload)
        with self._shard_in_use() as shard:
            records, following = self._with_vectors(
                vectors, lambda there: shard.scroll(engine.ScrollRequest(after, limit, meant, fields, there))
            )
        return [_point(record) for record in records], None if following is None else str(following)

    def count(self, where: Where = EVERYTHING) -> int:
        """How many points are meant, exactly."""
        with self._shard_in_use() as shard:
            if where == EVERYTHING and not self._doubled:
                return shard.info().points_count  # at once, while counting goes through all of them
            return shard.count(engine.CountRequest(filter=_filter(where), exact=True))

    def facet(self, name: str) -> dict[str, int]:
        """The values of an indexed payload field; see `Engine.facet`."""
        with self._shard_in_use() as shard:
            limit = max(1, shard.info().points_count)
            hits = shard.facet(engine.FacetRequest(key=name, limit=limit, exact=True)).hits
        return {str(hit.value): hit.count for hit in hits if hit.count}  # of values whose points are gone it says 0

    def search(self, search: Search) -> list[Hits]:
        """The points nearest to each query; see `Engine.search`."""
        found: list[Hits] = []
        for start in range(0, len(search.queries), _QUERIES_AT_ONCE):
            requests = [
                engine.QueryRequest(
                    limit=search.limit,
                    query=engine.Query.Nearest(query.tolist(), using=search.vector),
                    filter=_filter(search.where),
                    params=_search_params(search),
                )
                for query in search.queries[start : start + _QUERIES_AT_ONCE]
            ]
            with self._shard_in_use() as shard:
                answers = shard.query_batch(engine.QueryBatchRequest(requests))
            found += [Hits.of(answer) for answer in answers]
        return found

    def add_vector(self, name: str, dimension: int) -> None:
        """Make room for one more vector a point; see `Engine.add_vector`."""
        if name in self._vectors:
            return
        check_room(self._folder)
        half = engine.VectorStorageDatatype.Float16
        with self._shard_in_use() as shard:
            operation = engine.UpdateOperation.create_dense_vector(name, dimension, engine.Distance.Dot, datatype=half)
            shard.update(operation)
            shard.flush()
        self._vectors |= {name}

    def optimize(self, graphs: Mapping[str, bool]) -> None:
        """Pack the points for searching; see `Engine.optimize`.

        The engine keeps every other thread of a process waiting while it does this, so another process does it.
        """
        check_room(self._folder, 2 * bytes_on_disk(self._folder / SHARD_NAME))
        with self._changed:
            self._changed.wait_for(lambda: self._using == 0)
            self._unload()
            try:
                failure = self._pack(graphs)
            finally:
                self._load()
        if failure:
            raise UnavailableError(f"{self.place} could not be packed: {failure}")

    def note_count(self) -> None:
        """Write down for other processes how many prototypes the bank has."""
        write_count(self._folder, self.count() - len(REGISTERS))

    def bytes_on_disk(self) -> int:
        """Space taken."""
        return bytes_on_disk(self._folder)

    def close(self) -> None:
        """Close the collection and let other processes in; closing again does nothing."""
        with self._changed:
            self._changed.wait_for(lambda: self._using == 0)
            try:
                self._unload()
            finally:
                self._lock.release()

    @contextmanager
    def _shard_in_use(self) -> Iterator[engine.EdgeShard]:
        with self._changed:
            shard = self._shard
            if shard is None:
                raise UnavailableError(f"{self.place} does not answer: it is closed")
            self._using += 1
        try:
            with asking(self.place):
                yield shard
        finally:
            with self._changed:
                self._using -= 1
                self._changed.notify_all()

    def _catch_up(self, shard: engine.EdgeShard) -> None:
        """Before the first change, see that the engine will do it.

        It passes over operations whose number is below that of the last one that changed a point. The numbers come
        from its log, which starts again at zero where it is lost, by a power cut or in a copy without it. Both
        registers have seen the highest number.

        Raises:
            InputError: it does nothing, however often it is asked.
        """
        if self._caught_up:
            return
        payloads = [(record.id, record.payload or {}) for record in shard.retrieve([*REGISTERS], True, False)]
        for number in range(MOST_OPERATIONS_LOST):
            points = [engine.Point(name, {}, {**payload, _TRIED: number}) for name, payload in payloads]
            shard.update(engine.UpdateOperation.upsert_points(points))
            done = shard.retrieve([*REGISTERS], [_TRIED], False)
            if all((record.payload or {}).get(_TRIED) == number for record in done):
                self._caught_up = True
                return
        raise InputError(f"{self.place} is damaged: it takes no changes any more; {REPAIR}")

    def _load(self) -> None:
        shard = self._folder / SHARD_NAME
        if not (shard / CONFIG_NAME).is_file():  # the engine would make an empty one
            raise InputError(f"{self.place} has lost its points ({SHARD_NAME}/{CONFIG_NAME} is not there): {REPAIR}")
        shutil.rmtree(shard / _UNFINISHED, ignore_errors=True)
        with loading(self.place):
            loaded = engine.EdgeShard.load(str(shard))
            self._doubled = loaded.info().points_count != loaded.count(engine.CountRequest(exact=True))
        self._vectors = frozenset(packing.read_config(shard)["vectors"])
        self._shard = loaded

    def _unload(self) -> None:
        shard, self._shard = self._shard, None
        if shard is not None:
            with asking(self.place):
                shard.close()

    def _pack(self, graphs: Mapping[str, bool]) -> str:
        """Have another process pack the files; returns why it could not."""
        command = [sys.executable, "-m", packing.__name__, str(self._folder / SHARD_NAME), json.dumps(dict(graphs))]
        try:
            # It holds the lock, too: should this process be killed, nobody opens the bank before that one has ended.
            locks = [self._lock.fileno()]
            done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=locks)  # noqa: S603
        except OSError as error:
            return str(error)
        lines = done.stderr.strip().splitlines() or [f"the process that does it ended with status {done.returncode}"]
        return lines[-1][:300] if done.returncode else ""

    def _with_vectors(self, wanted: Sequence[str], read: Callable[[list[str]], _Read]) -> _Read:
        """Read points with those vectors that the collection has room for; the engine refuses to read others.

        Points with a vector that there was no room for when the reading began may be among them: it is done again.
        """
        while True:
            names = self._vectors
            found = read([name for name in wanted if name in names])
            if names == self._vectors:
                return found


def create_shard(folder: Path, manifest: Manifest) -> None:
    """Make the empty collection of a bank in its folder.

    Keys are compared by cosine and scanned, so no graph is built over them; prototypes are kept raw, in half precision.

    Raises:
        UnavailableError: the engine or the system cannot write.
    """
    no_graph = engine.HnswIndexConfig(m=0, ef_construct=4, full_scan_threshold=10)
    vectors = {
        KEY: engine.EdgeVectorParams(
            size=manifest.key_dimension,
            distance=engine.Distance.Cosine,
            memory=engine.Memory.Cold,
            hnsw_config=no_graph,
        ),
        PROTOTYPE: engine.EdgeVectorParams(
            size=manifest.vector_dimension,
            distance=engine.Distance.Dot,
            datatype=engine.VectorStorageDatatype.Float16,
            memory=engine.Memory.Cold,
            hnsw_config=no_graph,
        ),
    }
    with asking(f"the bank {folder}"):
        shard = engine.EdgeShard.create(str(folder / SHARD_NAME), engine.EdgeConfig(vectors=vectors))
        for field, kind in INDEXES.items():
            shard.update(engine.UpdateOperation.create_field_index(field, _SCHEMAS[kind]))
        registers = [engine.Point(name, {}, {}) for name in REGISTERS]
        shard.update(engine.UpdateOperation.upsert_points(registers))
        shard.flush()
        shard.close()


def _views(vectors: Vectors) -> "engine.Vector":
    """Vectors for the engine, which goes through any sequence of numbers; views spare it lists of Python's floats."""
    return cast("engine.Vector", {name: values.data for name, values in vectors.items()})


def _filter(where: Where) -> engine.Filter | None:
    conditions: list[engine.FieldCondition | engine.HasVectorCondition] = [
        *(engine.FieldCondition(name, match=engine.MatchValue(value)) for name, value in where.equal.items()),
        *(engine.FieldCondition(name, match=engine.MatchAny(sorted(values))) for name, values in where.one_of.items()),
        *(engine.FieldCondition(name, range=engine.RangeFloat(gt=value)) for name, value in where.above.items()),
        *map(engine.HasVectorCondition, where.has),
    ]
    lacking = [*map(engine.HasVectorCondition, where.lacks)]
    return engine.Filter(must=[*conditions], must_not=[*lacking]) if conditions or lacking else None


def _search_params(search: Search) -> engine.SearchParams:
    mode = search.approximate
    if mode is None:
        return engine.SearchParams(exact=True)
    quantization = engine.QuantizationSearchParams(ignore=not mode.quantized, rescore=True)
    return engine.SearchParams(hnsw_ef=max(search.limit, mode.depth), quantization=quantization)


def _listed(payload: bool | Sequence[str]) -> bool | list[str]:
    return payload if isinstance(payload, bool) else list(payload)


def _point(record: engine.Record) -> Point:
    return point_of(record.id, record.payload, cast("dict[str, list[float]] | None", record.vector))
