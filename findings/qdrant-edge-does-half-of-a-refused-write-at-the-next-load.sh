#!/usr/bin/env bash
# qdrant-edge refuses a write that names a vector the shard does not have, and does half of it when the shard is loaded next.
#
# Versions: qdrant-edge-py 0.9.0, Python 3.11.
# Guess before running: an upsert that raises has changed nothing, then or later; whoever catches the exception, corrects the name
#   and goes on has the point as it was.
# Seen: right after the exception the point has its vector and payload. The refused operation lies in the log all the same; load()
#   carries it out as far as it goes and reports nothing: the point has the refused payload and no vector any more, though both had
#   been flushed before. A write that is refused for the length of a vector does no such harm.
# Fails when the point survives loading, or the write is not refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check qdrant-edge-py==0.9.0

cat > refused.py <<'PYTHON'
from pathlib import Path

from qdrant_edge import Distance, EdgeConfig, EdgeShard, EdgeVectorParams, Point, UpdateOperation

for wrong in ({"colour": [3.0, 4.0, 5.0]}, {"color": [3.0, 4.0]}):
    folder = Path("-".join(wrong))
    folder.mkdir()
    config = EdgeConfig(vectors={"colour": EdgeVectorParams(size=2, distance=Distance.Dot)})
    shard = EdgeShard.create(str(folder), config)
    shard.update(UpdateOperation.upsert_points([Point(1, {"colour": [1.0, 2.0]}, {"name": "sky"})]))
    shard.flush()
    try:
        shard.update(UpdateOperation.upsert_points([Point(1, wrong, {"name": "sea"})]))
    except Exception as error:
        print(str(error).partition(":")[0])
    [point] = shard.retrieve([1], True, True)
    print("then:", point.payload, point.vector)
    shard.close()
    shard = EdgeShard.load(str(folder))
    [point] = shard.retrieve([1], True, True)
    print("loaded:", point.payload, point.vector)
    shard.close()
PYTHON
venv/bin/python refused.py | tee seen.txt
cat > expected.txt <<'TEXT'
Vector dimension error
then: {'name': 'sky'} {'colour': [1.0, 2.0]}
loaded: {'name': 'sky'} {'colour': [1.0, 2.0]}
Not existing vector name error
then: {'name': 'sky'} {'colour': [1.0, 2.0]}
loaded: {'name': 'sea'} {}
TEXT
diff expected.txt seen.txt
