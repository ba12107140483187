"""Opening the database of jobs, with its schema up to date.

Connections are kept open, and the schema's revision is looked at once in a while: a worker makes several transactions
an item, and opening a database takes longer than most of them.
"""

import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DatabaseError, DisconnectionError, OperationalError
from sqlalchemy.orm import Session

from freeda_svc.addresses import shown_address
from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.private_folders import make_private_file
from freeda_svc.settings import Settings, prepare_home

BUSY_TIMEOUT_SECONDS = 30
CONNECT_SECONDS = 10
REVISION_SECONDS = 10.0
"""How long a revision that was read is believed."""
ENGINES_KEPT = 8
WRITING = "freeda_writing"
_DURABLE, _FLEETING = "FULL", "NORMAL"

_engines: OrderedDict[str, Engine] = OrderedDict()
_engines_lock = threading.Lock()
_checked: dict[str, float] = {}  # by address: when its revision was found to be right


@contextmanager
def reading(settings: Settings) -> Iterator[Session]:
    """Give a session on one consistent view of the database; what it changes is not kept.

    Raises:
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    with one_line(settings), Session(open_database(settings), expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(settings: Settings) -> Iterator[Session]:
    """Give a session in one transaction, committed at the end, rolled back when something is raised.

    On SQLite the transaction takes the write lock when it begins, so it cannot fail half-way because another
    process wrote in between.

    Raises:
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    engine = open_database(settings).execution_options(**{WRITING: _DURABLE})
    with one_line(settings), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def noting(settings: Settings) -> Iterator[Session]:
    """Give a session as `writing` does, for what may be forgotten when the power fails: who works on what.

    On SQLite that saves waiting for the disk. What is kept in a later transaction keeps this one, too.

    Raises:
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    engine = open_database(settings).execution_options(**{WRITING: _FLEETING})
    with one_line(settings), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def open_database(settings: Settings) -> Engine:
    """Return the engine; the embedded database is made and brought up to date first.

    Raises:
        InputError: ``database_url`` is not an address of a database.
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    from freeda_svc.migrations import HEAD, upgrade  # noqa: PLC0415 - migrations read the tables of this package

    engine = database_engine(settings)
    address = _key(settings)
    if time.monotonic() < _checked.get(address, 0.0) + REVISION_SECONDS and _is_there(settings):
        return engine
    if settings.embedded_database:
        prepare_home(settings)
        with suppress(OSError):  # SQLite says why it cannot be opened
            make_private_file(settings.database_file)
    with one_line(settings):
        found = current_revision(engine)
        if found == HEAD:
            _checked[address] = time.monotonic()
            return engine
        if not settings.embedded_database:
            raise UnavailableError(
                f"the database is at revision {found or 'none'}, this version needs {HEAD}: run `freeda db upgrade`"
            )
        upgrade(settings)
    return engine


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


def forget_revision(settings: Settings) -> None:
    """Look at the schema's revision again the next time: it may have been moved."""
    _checked.pop(_key(settings), None)


def _key(settings: Settings) -> str:
    return settings.database_url or str(settings.database_file)


def _forget(address: str) -> None:
    _checked.pop(address, None)
    _engines.pop(address).dispose()


def _is_there(settings: Settings) -> bool:
    return not settings.embedded_database or settings.database_file.exists()


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
    """Open the database anew when its file was removed or replaced since."""
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
    connection.exec_driver_sql(f"PRAGMA synchronous = {_FLEETING if how == _FLEETING else _DURABLE}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def one_line(settings: Settings) -> Iterator[None]:
    """Turn a database that does not answer into an ``UnavailableError`` without its password."""
    try:
        yield
    except DatabaseError as error:
        if type(error) not in {DatabaseError, OperationalError}:  # the others are mistakes of this program
            raise
        place = shown_address(settings.database_url) or str(settings.database_file)
        reason = " ".join(str(error.orig).split())
        raise UnavailableError(f"the database {place} does not answer: {reason}") from error
