#!/bin/sh
# Make up passwords and keys for docker-compose.yml, one a file. What is there already stays.
#
#   deploy/make-secrets.sh [FOLDER]     # deploy/secrets unless given
#
# Only the owner can enter the folder. The files in it can be read by all, because the programs in the containers, each
# under a user of its own, see just the files that they are given.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

write() { # NAME VALUE
    [ -e "$folder/$1" ] && return
    printf '%s\n' "$2" > "$folder/.$1.new"
    chmod 444 "$folder/.$1.new"
    mv "$folder/.$1.new" "$folder/$1"
}

made_up() {
    head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

for name in redis_password postgres_password qdrant_api_key grafana_password; do
    write "$name" "$(made_up)"
done
# Only a running installation can make this one: deploy/README.md, "The HTTP API on a network".
write api_metrics_key none-yet
write broker_url "redis://:$(cat "$folder/redis_password")@redis:6379/0"
write database_url "postgresql+psycopg://freeda:$(cat "$folder/postgres_password")@postgres:5432/freeda"
