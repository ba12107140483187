"""The collection of one version of a bank: its vectors, payload indexes, manifest and register."""

import uuid
from dataclasses import asdict, fields

from qdrant_client import QdrantClient, models

from freeda_svc.bank.manifest import Manifest
from freeda_svc.bank.points import KEY, PROTOTYPE
from freeda_svc.bank.search_modes import Approximate
from freeda_svc.errors import InputError

FORMAT = 1
"""Version of what is described here; a collection of a later one is refused."""

VISIBLE = "visible"
MARKED = "marked"
ADDED = "added"
"""Payload fields of the store itself: whether the point's batch is complete, whether it is marked as an outlier, and
when its batch became visible, in microseconds since 1970."""

REGISTER = str(uuid.UUID("0b6f6d57-55ff-4f5e-8a56-3a5a3c5b8d0e"))
ADDITIONS = "additions"
REMOVALS = "removals"
"""The register is a point without vectors that is never visible; its payload holds the bank's version."""

_METADATA = "freeda"
_SCHEMAS: dict[str, models.PayloadSchemaType | models.IntegerIndexParams] = {
    "noun": models.PayloadSchemaType.KEYWORD,
    "caption_id": models.PayloadSchemaType.KEYWORD,
    "job": models.PayloadSchemaType.KEYWORD,
    "origin": models.PayloadSchemaType.KEYWORD,
    VISIBLE: models.PayloadSchemaType.BOOL,
    MARKED: models.PayloadSchemaType.BOOL,
    ADDED: models.IntegerIndexParams(type=models.IntegerIndexType.INTEGER, lookup=False, range=True),
}
# A graph of the width that the engine takes by default, should a graph be asked for.
_GRAPH_LINKS = 16


def create_collection(client: QdrantClient, name: str, manifest: Manifest) -> None:
    """Make the empty collection of a bank.

    Keys are compared by cosine and scanned, so no graph is built over them; prototypes are raw, in half precision, on
    disk and never searched.
    """
    no_graph = models.HnswConfigDiff(m=0)
    client.create_collection(
        name,
        vectors_config={
            KEY: models.VectorParams(
                size=manifest.key_dimension,
                distance=models.Distance.COSINE,
                datatype=models.Datatype.FLOAT32,
                hnsw_config=no_graph,
            ),
            PROTOTYPE: models.VectorParams(
                size=manifest.vector_dimension,
                distance=models.Distance.DOT,
                datatype=models.Datatype.FLOAT16,
                hnsw_config=no_graph,
                on_disk=True,
            ),
        },
        metadata={_METADATA: asdict(manifest) | {"format": FORMAT}},
    )


def complete_collection(client: QdrantClient, name: str, present: frozenset[str] = frozenset()) -> None:
    """Make the payload indexes and the register, as far as they are missing.

    Args:
        client: of the server.
        name: the collection.
        present: fields that have an index already.
    """
    for field, schema in _SCHEMAS.items():
        if field not in present:
            client.create_payload_index(name, field, schema, wait=True)
    client.upsert(
        name,
        [models.PointStruct(id=REGISTER, vector={}, payload={ADDITIONS: 0, REMOVALS: ""})],
        wait=True,
        # The register is never visible, so one that is there stays as it is.
        update_filter=models.Filter(must=[field_is(VISIBLE, True)]),
    )


def field_is(field: str, value: str | bool) -> models.FieldCondition:
    """The condition that a payload field has a value."""
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def prepare_approximate(client: QdrantClient, name: str, info: models.CollectionInfo, mode: Approximate) -> None:
    """Have the server build, in the background, what an approximate search needs and the collection lacks.

    It stays when the bank is opened for exact search again, where it is not used.
    """
    vectors = info.config.params.vectors
    key = vectors[KEY] if isinstance(vectors, dict) else None
    has_graph = key is not None and key.hnsw_config is not None and bool(key.hnsw_config.m)
    has_bytes = key is not None and key.quantization_config is not None
    if has_graph and (has_bytes or not mode.quantized):
        return
    client.update_collection(
        name,
        vectors_config={
            KEY: models.VectorParamsDiff(
                hnsw_config=models.HnswConfigDiff(m=_GRAPH_LINKS),
                quantization_config=models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
                )
                if mode.quantized
                else None,
            )
        },
    )


def read_manifest(address: str, name: str, info: models.CollectionInfo) -> Manifest:
    """The manifest that `create_collection` put into the collection's metadata.

    Args:
        address: the server's, for messages.
        name: the collection.
        info: what the server says of it.

    Raises:
        InputError: it is no bank's collection, of a later version, or damaged.
    """
    content = (info.config.metadata or {}).get(_METADATA)
    if not isinstance(content, dict):
        raise InputError(f"the collection {name} at {address} is not a bank: give the bank another name, or remove it")
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise InputError(
            f"the collection {name} at {address} is a bank of format {version}, but this version reads up to {FORMAT}: "
            "use a newer freeda"
        )
    for field in fields(Manifest):
        if type(content.get(field.name)) is not field.type:
            raise InputError(
                f"the collection {name} at {address} is broken ({field.name!r} in its metadata is "
                f"{content.get(field.name)!r}): restore a snapshot of it, or make a new bank"
            )
    return Manifest(**{field.name: content[field.name] for field in fields(Manifest)})
