"""A collection on a Qdrant server, which any number of processes and machines use at the same time."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import cast

from qdrant_client import QdrantClient, models

from freeda_svc.bank.engine import EVERYTHING, Hits, Point, Search, Where, point_of
from freeda_svc.bank.manifest import Manifest, check_format, read_record
from freeda_svc.bank.points import APPEARANCE, INDEXES, KEY, LINKS, PROTOTYPE, REPAIR, Index
from freeda_svc.bank.qdrant.connection import Connection, asking
from freeda_svc.errors import InputError

# The longest float32 as JSON has it, with its comma; everything else about a prototype, captions too; a hit.
_BYTES_A_VALUE = 25
_BYTES_AROUND = 4_000
_BYTES_A_HIT = 300
_FACET_ROOM = 10_000

_METADATA = "freeda"
_SCHEMAS: dict[Index, models.PayloadSchemaType | models.IntegerIndexParams] = {
    Index.TEXT: models.PayloadSchemaType.KEYWORD,
    Index.FLAG: models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=True, range=False),
    Index.NUMBER: models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=False, range=True),
}


class ServerEngine:
    """An `Engine` over one collection."""

    shared = True

    def __init__(self, client: QdrantClient, connection: Connection, name: str, manifest: Manifest) -> None:
        """Take over a client.

        Args:
            client: of the server; closed with the engine.
            connection: where the server is, and what it takes in one request.
            name: the collection.
            manifest: of the bank.
        """
        self._client = client
        self._address = connection.address
        self._answer_bytes = connection.answer_bytes
        self._name = name
        values = 2 * manifest.key_dimension + manifest.vector_dimension
        self.points_an_operation = max(1, connection.request_bytes // (_BYTES_AROUND + _BYTES_A_VALUE * values))

    @property
    def place(self) -> str:
        """What messages call the collection."""
        return f"the collection {self._name} at {self._address}"

    def write(self, points: Sequence[Point], *, replaces: Sequence[str] | None = None) -> None:
        """Write points in one operation; see `Engine.write`."""
        made = [
            models.PointStruct(
                id=point.id,
                vector={name: values.tolist() for name, values in point.vectors.items()},
                payload=dict(point.payload),
            )
            for point in points
        ]
        changed = None if replaces is None else models.Filter(must=[models.HasIdCondition(has_id=list(replaces))])
        with self._asking():
            self._client.upsert(self._name, made, wait=True, update_filter=changed)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove points for good; see `Engine.delete`."""
        with self._asking():
            self._client.delete(self._name, models.PointIdsList(points=list(ids)), wait=True)

    def flush(self) -> None:
        """Do nothing: a server answers when it has a change in its log."""

    def retrieve(
        self, ids: Sequence[str], *, payload: bool | Sequence[str] = False, vectors: Sequence[str] = ()
    ) -> list[Point]:
        """Those of some points that are there; see `Engine.retrieve`."""
        with self._asking():
            records = self._client.retrieve(
                self._name, list(ids), with_payload=_listed(payload), with_vectors=list(vectors) or False
            )
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
        with self._asking():
            records, following = self._client.scroll(
                self._name,
                _filter(where),
                limit=limit,
                offset=after,
                with_payload=_listed(payload),
                with_vectors=list(vectors) or False,
            )
        return [_point(record) for record in records], None if following is None else str(following)

    def count(self, where: Where = EVERYTHING) -> int:
        """How many points are meant, exactly."""
        with self._asking():
            return self._client.count(self._name, _filter(where), exact=True).count

    def facet(self, name: str) -> dict[str, int]:
        """The values of an indexed payload field; see `Engine.facet`."""
        # There cannot be more values than points; more points may come meanwhile.
        with self._asking():
            answer = self._client.facet(self._name, name, limit=self.count() + _FACET_ROOM, exact=True)
        return {str(hit.value): hit.count for hit in answer.hits}

    def search(self, search: Search) -> list[Hits]:
        """The points nearest to each query; see `Engine.search`."""
        found: list[Hits] = []
        at_once = max(1, self._answer_bytes // (_BYTES_A_HIT * search.limit))
        for start in range(0, len(search.queries), at_once):
            requests = [
                models.QueryRequest(
                    query=query.tolist(),
                    using=search.vector,
                    filter=_filter(search.where),
                    params=_search_params(search),
                    limit=search.limit,
                    with_payload=False,
                )
                for query in search.queries[start : start + at_once]
            ]
            with self._asking():
                answers = self._client.query_batch_points(self._name, requests)
            found += [Hits.of(answer.points) for answer in answers]
        return found

    def add_vector(self, name: str, dimension: int) -> None:
        """Do nothing: collections on servers have room for every vector from the beginning."""

    def optimize(self, graphs: Mapping[str, bool]) -> None:
        """Have the server build graphs in the background; it packs by itself. Searches are exact until then."""
        if not graphs:
            return
        bytes_too = models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
        )
        with self._asking():
            known = self._client.get_collection(self._name).config.params.vectors
            wanted = {
                name: models.VectorParamsDiff(
                    hnsw_config=models.HnswConfigDiff(m=LINKS), quantization_config=bytes_too if quantized else None
                )
                for name, quantized in graphs.items()
                if isinstance(known, dict) and not _has_graph(known[name], quantized=quantized)
            }
            if wanted:
                self._client.update_collection(self._name, vectors_config=wanted)

    def bytes_on_disk(self) -> int:
        """Return 0: the server does not say."""
        return 0

    def close(self) -> None:
        """Drop the connections; closing again does nothing."""
        self._client.close()

    def _asking(self) -> AbstractContextManager[None]:
        return asking(self._address, f"the collection {self._name}")


def create_collection(client: QdrantClient, name: str, manifest: Manifest) -> None:
    """Make the empty collection of a bank.

    Keys are compared by cosine and scanned, so no graph is built over them; the rest is in half precision and on disk.
    There is one shard, because an operation is whole in one shard only.
    """
    no_graph = models.HnswConfigDiff(m=0)
    halves = {PROTOTYPE: manifest.vector_dimension, APPEARANCE: manifest.key_dimension}
    key = models.VectorParams(
        size=manifest.key_dimension,
        distance=models.Distance.COSINE,
        datatype=models.Datatype.FLOAT32,
        hnsw_config=no_graph,
    )
    client.create_collection(
        name,
        vectors_config={
            KEY: key,
            **{
                vector: models.VectorParams(
                    size=size,
                    distance=models.Distance.DOT,
                    datatype=models.Datatype.FLOAT16,
                    hnsw_config=no_graph,
                    on_disk=True,
                )
                for vector, size in halves.items()
            },
        },
        shard_number=1,
        metadata={_METADATA: asdict(manifest)},
    )


def complete_collection(client: QdrantClient, name: str, present: frozenset[str] = frozenset()) -> None:
    """Make the payload indexes as far as they are missing.

    Args:
        client: of the server.
        name: the collection.
        present: fields that have an index already.
    """
    for field, kind in INDEXES.items():
        if field not in present:
            client.create_payload_index(name, field, _SCHEMAS[kind], wait=True)


def manifest_of(address: str, name: str, info: models.CollectionInfo) -> Manifest:
    """The manifest that `create_collection` put into the collection's metadata.

    Args:
        address: the server's, for messages.
        name: the collection.
        info: what the server says of it.

    Raises:
        InputError: it is no bank's collection, of the old kind or of a later version, or damaged.
    """
    where = f"the collection {name} at {address}"
    content = (info.config.metadata or {}).get(_METADATA)
    if not isinstance(content, dict):
        raise InputError(f"{where} is not a bank: give the bank another name, or remove it")
    check_format(where, content.get("format"))
    try:
        manifest = read_record(Manifest, content)
    except ValueError as error:
        raise InputError(f"{where} is broken ({error} in its metadata): {REPAIR}") from error
    wanted = {KEY: manifest.key_dimension, PROTOTYPE: manifest.vector_dimension, APPEARANCE: manifest.key_dimension}
    vectors = info.config.params.vectors
    sizes = {vector: params.size for vector, params in vectors.items()} if isinstance(vectors, dict) else {}
    if not wanted.items() <= sizes.items():
        raise InputError(f"{where} has another layout (its vectors are {sizes}, expected {wanted}): {REPAIR}")
    return manifest


def _has_graph(params: models.VectorParams, *, quantized: bool) -> bool:
    has_links = params.hnsw_config is not None and bool(params.hnsw_config.m)
    return has_links and (not quantized or params.quantization_config is not None)


def _filter(where: Where) -> models.Filter | None:
    conditions: list[models.Condition] = [
        *(models.FieldCondition(key=name, match=models.MatchValue(value=value)) for name, value in where.equal.items()),
        *(
            models.FieldCondition(key=name, match=models.MatchAny(any=sorted(values)))
            for name, values in where.one_of.items()
        ),
        *(models.FieldCondition(key=name, range=models.Range(gt=value)) for name, value in where.above.items()),
        *(models.HasVectorCondition(has_vector=name) for name in where.has),
    ]
    lacking: list[models.Condition] = [models.HasVectorCondition(has_vector=name) for name in where.lacks]
    return models.Filter(must=conditions, must_not=lacking) if conditions or lacking else None


def _search_params(search: Search) -> models.SearchParams:
    mode = search.approximate
    if mode is None:
        return models.SearchParams(exact=True)
    quantization = models.QuantizationSearchParams(ignore=not mode.quantized, rescore=True)
    return models.SearchParams(hnsw_ef=max(search.limit, mode.depth), exact=False, quantization=quantization)


def _listed(payload: bool | Sequence[str]) -> bool | list[str]:
    return payload if isinstance(payload, bool) else list(payload) or False


def _point(record: models.Record) -> Point:
    return point_of(record.id, record.payload, cast("dict[str, list[float]] | None", record.vector))
