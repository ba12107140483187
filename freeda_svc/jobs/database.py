"""The database of jobs with its schema up to date, and transactions in it.

The schema's revision is looked at once in a while: a worker makes several transactions an item.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from freeda_svc.database_connections import (
    DURABLE,
    RELAXED,
    WRITING,
    close_databases,
    current_revision,
    database_engine,
    database_errors,
    remember_revision,
    remembered_revision,
)
from freeda_svc.errors import UnavailableError
from freeda_svc.migrations import HEAD, upgrade
from freeda_svc.private_folders import make_private_file
from freeda_svc.settings import Settings, prepare_home

__all__ = ["reading", "writing", "noting", "open_database", "close_databases"]


@contextmanager
def reading(settings: Settings) -> Iterator[Session]:
    """Give a session on one consistent view of the database; what it changes is not kept.

    Raises:
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    with database_errors(settings), Session(open_database(settings), expire_on_commit=False) as session:
        yield session


@contextmanager
def writing(settings: Settings) -> Iterator[Session]:
    """Give a session in one transaction, committed at the end, rolled back when something is raised.

    On SQLite the transaction takes the write lock when it begins, so it cannot fail half-way because another
    process wrote in between.

    Raises:
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    engine = open_database(settings).execution_options(**{WRITING: DURABLE})
    with database_errors(settings), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def noting(settings: Settings) -> Iterator[Session]:
    """Give a session as `writing` does, for what may be forgotten when the power fails: who works on what.

    On SQLite that saves waiting for the disk. What is kept in a later transaction keeps this one, too.

    Raises:
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    engine = open_database(settings).execution_options(**{WRITING: RELAXED})
    with database_errors(settings), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def open_database(settings: Settings) -> Engine:
    """Return the engine; the embedded database is made and brought up to date first.

    Raises:
        InputError: ``database_url`` is not an address of a database.
        UnavailableError: the database does not answer, or its schema is not this version's.
    """
    engine = database_engine(settings)
    if remembered_revision(settings) == HEAD and _is_there(settings):
        return engine
    if settings.embedded_database:
        prepare_home(settings)
        with suppress(OSError):  # SQLite says why it cannot be opened
            make_private_file(settings.database_file)
    with database_errors(settings):
        found = current_revision(engine)
        if found == HEAD:
            remember_revision(settings, found)
            return engine
        if not settings.embedded_database:
            raise UnavailableError(
                f"the database is at revision {found or 'none'}, this version needs {HEAD}: run `freeda db upgrade`"
            )
        upgrade(settings)
    return engine


def _is_there(settings: Settings) -> bool:
    return not settings.embedded_database or settings.database_file.exists()
