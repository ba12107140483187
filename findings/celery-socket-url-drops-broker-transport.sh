#!/usr/bin/env bash
# Celery drops broker_transport without a word when the broker's address is a Redis socket.
#
# Versions: Celery 5.7.0, kombu 5.7.0, redis-py 8.1.0, Python 3.11.
# Guess before running: broker_transport names the transport class whatever the address says, or an address that says otherwise is
#   an error: with redis:// and with rediss:// the setting wins.
# Seen: kombu's spelling of a socket, redis+socket:///path, is split at the plus before the setting is looked at, and what stands
#   before it is the transport. A subclass that was to be used is not, and nothing says so. redis-py spells the same socket
#   unix:///path, which kombu hands to the class of the setting, but only if that class says can_parse_url.
# Fails when the setting wins for redis+socket://, or no longer for the others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 redis==8.1.0 packaging==26.3

cat > mine.py <<'PYTHON'
from celery import Celery
from kombu.transport import redis


class Transport(redis.Transport):
    can_parse_url = True


if __name__ == "__main__":
    for address in ("redis://host/0", "rediss://host/0", "unix:///run/redis.sock", "redis+socket:///run/redis.sock"):
        app = Celery()
        app.conf.update(broker_url=address, broker_transport="mine:Transport")
        print(address.partition(":")[0], app.connection().get_transport_cls().__module__)
PYTHON
venv/bin/python mine.py | tee seen
printf '%s\n' "redis mine" "rediss mine" "unix mine" "redis+socket kombu.transport.redis" > expected
cmp seen expected
