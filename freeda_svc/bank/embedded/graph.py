"""Approximate search: a graph (HNSW) over the keys in the engine's shard, where it is asked for instead of a scan."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import qdrant_edge as engine

from freeda_svc.bank.embedded.folder import MARKED, YES, asking, no_graph, prototype_parameters
from freeda_svc.bank.manifest import Manifest
from freeda_svc.bank.points import KEY, PROTOTYPE
from freeda_svc.bank.search_modes import Approximate

LINKS, CONSTRUCTION_DEPTH = 16, 100
"""Qdrant's own: links of a key, and how many candidates are looked at to choose them."""


def graph_config(manifest: Manifest, approximate: Approximate) -> engine.EdgeConfig:
    """The configuration of a shard whose keys have a graph, and keys of one byte a value if they are asked for."""
    quantization = engine.ScalarQuantizationConfig(type=engine.ScalarType.Int8) if approximate.quantized else None
    key = engine.EdgeVectorParams(
        size=manifest.key_dimension,
        distance=engine.Distance.Cosine,
        memory=engine.Memory.Cold,
        quantization_config=quantization,
        hnsw_config=engine.HnswIndexConfig(m=LINKS, ef_construct=CONSTRUCTION_DEPTH, full_scan_threshold=10),
    )
    return engine.EdgeConfig(
        vectors={KEY: key, PROTOTYPE: prototype_parameters(manifest, no_graph())},
        # Small banks get a graph, too: what is measured on them holds for large ones.
        optimizers=engine.EdgeOptimizersConfig(indexing_threshold=1),
    )


def walk_graph(
    shard: engine.EdgeShard,
    folder: Path,
    queries: npt.NDArray[np.float32],
    k: int,
    *,
    origins: frozenset[str] | None,
    approximate: Approximate,
) -> list[tuple[list[str], npt.NDArray[np.float32]]]:
    """About the k nearest keys of (C, Dt) unit queries: ids and scores, best first.

    Raises:
        UnavailableError: the engine does not answer.
    """
    conditions = [] if origins is None else [engine.FieldCondition("origin", match=engine.MatchAny(sorted(origins)))]
    hidden = engine.FieldCondition(MARKED, match=engine.MatchValue(YES))
    requests = [
        engine.QueryRequest(
            limit=k,
            query=engine.Query.Nearest(query.tolist(), using=KEY),
            filter=engine.Filter(must=[*conditions], must_not=[hidden]),
            params=engine.SearchParams(
                hnsw_ef=max(k, approximate.depth),
                quantization=engine.QuantizationSearchParams(ignore=not approximate.quantized, rescore=True),
            ),
        )
        for query in queries
    ]
    with asking(folder):
        answers = shard.query_batch(engine.QueryBatchRequest(requests))
    return [
        ([str(point.id) for point in answer], np.array([point.score for point in answer], dtype=np.float32))
        for answer in answers
    ]
