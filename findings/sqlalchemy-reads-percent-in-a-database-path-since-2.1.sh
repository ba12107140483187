#!/usr/bin/env bash
# The same SQLAlchemy address names another SQLite file in 2.1 than in 2.0 when its path holds a percent sign.
#
# Versions: SQLAlchemy 2.0.44 and 2.1.9, Python 3.11.
# Guess before running: what follows sqlite:/// is a path and is taken as it stands (2.0), or it is part of a URL and is decoded,
#   as user and password always were; in any case both releases agree, and what an address is written as is read back.
# Seen: 2.0 takes the path of an address as it stands, 2.1 decodes it: sqlite:////srv/h%41b is the file /srv/h%41b, then /srv/hAb.
#   A URL made of parts is written with its ? unescaped by 2.0 and read back without what follows it, so a folder called run?a
#   has its database beside itself; 2.1 escapes it. Who makes addresses by pasting paths meets both at an upgrade, with no warning:
#   an empty database is made at the new place. A URL object (URL.create) that is never written as text means the same in both.
# Fails when 2.1 takes the path as it stands, or 2.0 reads back what it wrote.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for version in 2.0.44 2.1.9; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --quiet --disable-pip-version-check "sqlalchemy==$version" typing-extensions==4.15.0 2> /dev/null
  "$version/bin/python" - << 'PYTHON'
import sqlalchemy
from sqlalchemy.engine import URL, make_url

made = URL.create("sqlite", database="/srv/run?a")
print(sqlalchemy.__version__, make_url("sqlite:////srv/h%41b").database, make_url(made.render_as_string()).database, made.database)
PYTHON
done | tee seen
printf '%s\n' "2.0.44 /srv/h%41b /srv/run /srv/run?a" "2.1.9 /srv/hAb /srv/run?a /srv/run?a" > expected
cmp seen expected
