"""Packing a bank's shard: run as a process of its own, because the engine stops every other thread meanwhile.

Its arguments are the shard's folder and the graphs as `Engine.optimize` takes them, as JSON.
"""

import ctypes
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import qdrant_edge as engine

from freeda_svc.bank.manifest import read_object
from freeda_svc.bank.points import LINKS, REPAIR
from freeda_svc.errors import InputError, UnavailableError

CONFIG_NAME = "edge_config.json"
CONSTRUCTION_DEPTH = 100
"""Qdrant's own: how many candidates are looked at to choose the links of a point in a graph."""


def read_config(shard: Path) -> dict[str, Any]:
    """What the engine keeps of a shard's configuration.

    Raises:
        InputError: it is no configuration.
        UnavailableError: it cannot be read.
    """
    path = shard / CONFIG_NAME
    try:
        config = read_object(path.read_bytes())
        config["vectors"].items()
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is damaged: {REPAIR}") from error
    return config


def end_with_parent() -> None:
    """Have the system end this process when the one that started it ends, where it can: packing may take minutes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def pack_shard(shard: Path, graphs: Mapping[str, bool]) -> None:
    """Merge segments and build graphs, with nobody else using the shard; see `Engine.optimize`."""
    known = read_config(shard)["vectors"]
    vectors = {name: _with_graph(params, graphs.get(name)) for name, params in known.items()}
    # Small banks get a graph, too, where one is asked for: what is measured on them holds for large ones.
    optimizers = engine.EdgeOptimizersConfig(indexing_threshold=1) if graphs else None
    loaded = engine.EdgeShard.load(str(shard), engine.EdgeConfig(vectors=vectors, optimizers=optimizers))
    loaded.optimize()
    loaded.flush()
    loaded.close()


def _with_graph(params: Mapping[str, Any], quantized: bool | None) -> engine.EdgeVectorParams:
    """The parameters of a vector as they are, but with a graph where one is asked for (None: as it is)."""
    # A vector that was added later has the engine's defaults: in memory, with a graph.
    links = LINKS if quantized is not None else params.get("hnsw_config", {"m": 0})["m"]
    has_bytes = quantized or (quantized is None and params.get("quantization_config") is not None)
    half = params.get("datatype") == "float16"
    return engine.EdgeVectorParams(
        size=params["size"],
        distance=getattr(engine.Distance, params["distance"]),
        datatype=engine.VectorStorageDatatype.Float16 if half else None,
        memory=engine.Memory.Cold,
        quantization_config=engine.ScalarQuantizationConfig(type=engine.ScalarType.Int8) if has_bytes else None,
        hnsw_config=engine.HnswIndexConfig(m=links, ef_construct=CONSTRUCTION_DEPTH, full_scan_threshold=10),
    )


if __name__ == "__main__":
    end_with_parent()
    pack_shard(Path(sys.argv[1]), json.loads(sys.argv[2]))
