"""Connections to the database of jobs: its address, one engine a process, and how SQLite's transactions begin.

Engines keep their connections open: a worker makes several transactions an item, and opening a database takes longer
than most of them. Whether the schema is the one that is needed is the business of `freeda_svc.jobs.database`.
"""

import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, DisconnectionError, OperationalError

from freeda_svc.addresses import shown_address
from freeda_svc.errors import InputError, UnavailableError, one_line
from freeda_svc.settings import Settings

BUSY_TIMEOUT_SECONDS = 30
CONNECT_SECONDS = 10
ENGINES_KEPT = 8
REVISION_SECONDS = 10.0
"""How long a revision that was read is believed."""
WRITING = "freeda_writing"
"""An engine's option: its transactions write. What they keep is on disk at the end (DURABLE), or soon after."""
DURABLE, RELAXED = "FULL", "NORMAL"

_engines: OrderedDict[str, Engine] = OrderedDict()
_engines_lock = threading.Lock()
_revisions: dict[str, tuple[str, float]] = {}  # by address: the schema's revision, and when it was read


def current_revision(engine: Engine) -> str | None:
    """Return the schema's revision; None when the database is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def database_engine(settings: Settings) -> Engine:
    """Return the engine without looking at the schema; one a process and address.

    Raises:
        InputError: ``database_url`` is not an address of a database.
    """
    address = _key(settings)
    try:
        with _engines_lock:
            if address not in _engines:
                _engines[address] = _make_engine(database_address(settings))
            _engines.move_to_end(address)
            if len(_engines) > ENGINES_KEPT:
                _forget(next(iter(_engines)))
            return _engines[address]
    except ModuleNotFoundError as error:
        raise InputError(f"database_url needs {error.name}: pip install 'freeda-svc[server]'") from error


def database_address(settings: Settings) -> URL:
    """Return the database's address; the embedded one's is made from its path, which may hold any character."""
    if settings.embedded_database:
        return URL.create("sqlite", database=str(settings.database_file))
    scheme, _, path = settings.database_url.partition(":///")
    if scheme == "sqlite":  # the library decodes the path since its release 2.1 only
        return URL.create("sqlite", database=unquote(path))
    return make_url(settings.database_url)


def close_databases() -> None:
    """Close the connections that this process keeps open."""
    with _engines_lock:
        for address in list(_engines):
            _forget(address)


def remembered_revision(settings: Settings) -> str | None:
    """Return the schema's revision as it was read a moment ago; None when it is to be read again."""
    revision, read_at = _revisions.get(_key(settings), (None, 0.0))
    return revision if time.monotonic() < read_at + REVISION_SECONDS else None


def remember_revision(settings: Settings, revision: str) -> None:
    """Keep a revision that was just read."""
    _revisions[_key(settings)] = revision, time.monotonic()


def forget_revision(settings: Settings) -> None:
    """Have the schema's revision read again the next time: it may have been changed."""
    _revisions.pop(_key(settings), None)


def _key(settings: Settings) -> str:
    return settings.database_url or str(settings.database_file)


def _forget(address: str) -> None:
    _revisions.pop(address, None)
    _engines.pop(address).dispose()


def _make_engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        given = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
        return create_engine(url, pool_pre_ping=True, connect_args=given)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "checkout", _check_file)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _check_file(connection: sqlite3.Connection, record: Any, _proxy: Any) -> None:  # noqa: ANN401 - as below
    """Open the database again when its file was removed or replaced since."""
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    found = _file_id(file)
    if file and record.info.setdefault("file", found) != found:
        raise DisconnectionError


def _file_id(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - at every transaction, so quickly
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's interface
    connection.isolation_level = None  # transactions begin where _begin_sqlite says
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was accepted survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    how = connection.get_execution_options().get(WRITING)
    if how is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {RELAXED if how == RELAXED else DURABLE}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def database_errors(settings: Settings) -> Iterator[None]:
    """Turn a database that does not answer into an ``UnavailableError`` without its password."""
    try:
        yield
    except DatabaseError as error:
        if type(error) not in {DatabaseError, OperationalError}:  # the others are mistakes of this program
            raise
        place = shown_address(settings.database_url) or str(settings.database_file)
        reason = one_line(error.orig)
        raise UnavailableError(f"the database {place} does not answer: {reason}") from error
