"""Opening the database of jobs, with its schema up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings, prepare_home

BUSY_TIMEOUT_SECONDS = 30
WRITING = "freeda_writing"


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
    engine = open_database(settings).execution_options(**{WRITING: True})
    with one_line(settings), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def open_database(settings: Settings) -> Engine:
    """Return the engine; the embedded database is made and brought up to date first.

    Raises:
        InputError: ``database_url`` is not an address of a database.
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    from migrations import HEAD, upgrade  # noqa: PLC0415 - migrations read the tables of this package

    if settings.embedded_database:
        prepare_home(settings)
    engine = database_engine(settings)
    with one_line(settings):
        found = current_revision(engine)
        if found == HEAD:
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
    try:
        return _engine(settings.resolved_database_url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(f"database_url is not usable: {error}") from error


@lru_cache(maxsize=32)
def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    # Connections to a file are cheap, and none kept open means none left behind.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's interface
    connection.isolation_level = None  # transactions begin where _begin_sqlite says
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # what was accepted survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


@contextmanager
def one_line(settings: Settings) -> Iterator[None]:
    """Turn a database that does not answer into an ``UnavailableError`` without its password."""
    try:
        yield
    except DatabaseError as error:
        if type(error) not in {DatabaseError, OperationalError}:  # the others are mistakes of this program
            raise
        place = make_url(settings.resolved_database_url).render_as_string(hide_password=True)
        reason = " ".join(str(error.orig).split())
        raise UnavailableError(f"the database {place} does not answer: {reason}") from error
