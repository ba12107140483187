#!/usr/bin/env bash
# qdrant-edge keeps Python's lock for as long as a search takes: no other thread of the process runs meanwhile.
#
# Versions: qdrant-edge-py 0.9.0, Python 3.11.
# Guess before running: an engine in Rust lets go of the lock while it computes, as numpy, faiss and torch do, so that a thread that
#   searches leaves the others alone, and two threads that search at once use two cores.
# Seen: while one thread searches, a thread that only sleeps a millisecond at a time does not get to run before the search has ended.
#   A service with a heartbeat, or an event loop, stands still for as long as its longest search.
# Fails when the sleeping thread runs in the middle of a search.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check qdrant-edge-py==0.9.0 numpy==2.4.6

cat > show.py <<'PYTHON'
import threading
import time
from pathlib import Path

import numpy
import qdrant_edge as engine

COUNT, LENGTH, QUERIES = 40_000, 256, 60
numbers = numpy.random.default_rng(0)
config = engine.EdgeConfig(vectors={"key": engine.EdgeVectorParams(size=LENGTH, distance=engine.Distance.Dot)})
Path("shard").mkdir()
shard = engine.EdgeShard.create("shard", config)
for first in range(0, COUNT, 1000):
    vectors = numbers.normal(size=(1000, LENGTH)).astype(numpy.float32)
    points = [engine.Point(first + place, {"key": vector.tolist()}, {}) for place, vector in enumerate(vectors)]
    shard.update(engine.UpdateOperation.upsert_points(points))
queries = [
    engine.QueryRequest(limit=10, query=engine.Query.Nearest(vector.tolist(), using="key"))
    for vector in numbers.normal(size=(QUERIES, LENGTH))
]
batch = engine.QueryBatchRequest(queries)
taken, ticks = [], []


def search():
    began = time.perf_counter()
    shard.query_batch(batch)
    taken.append((began, time.perf_counter()))


thread = threading.Thread(target=search)
thread.start()
while thread.is_alive():
    ticks.append(time.perf_counter())
    time.sleep(0.001)
(began, ended), = taken
middle = [tick for tick in ticks if began + 0.1 * (ended - began) < tick < ended - 0.1 * (ended - began)]
print("ticks in the middle of a search", len(middle), "long" if ended - began > 0.05 else "short")
PYTHON
venv/bin/python show.py | tee seen
grep -qx "ticks in the middle of a search 0 long" seen
