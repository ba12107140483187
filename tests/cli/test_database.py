"""The database of jobs from the command line."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from freeda_svc.migrations import HEAD
from freeda_svc.settings import load_settings

Freeda = Callable[..., Any]


def test_a_database_is_made_and_checked(freeda: Freeda, home: Path) -> None:
    missing = freeda("db", "check")
    assert (missing.code, missing.out, missing.err.count("\n")) == (1, "", 1)
    assert not home.exists()
    assert freeda("db", "upgrade").out == f"the database is at revision {HEAD}\n"
    assert freeda("db", "upgrade", "--json").json == {"revision": HEAD}
    assert freeda("db", "check", "--json").json == {"revision": HEAD}


@pytest.mark.parametrize("command", ["db upgrade", "db check", "jobs list", "queue", "top"])
def test_a_database_of_a_later_version_is_reported_in_one_line(freeda: Freeda, home: Path, command: str) -> None:
    freeda("db", "upgrade")
    connection = sqlite3.connect(load_settings().database_file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    ran = freeda(*command.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "9999" in ran.err


@pytest.mark.parametrize("command", ["db upgrade", "db check", "jobs list", "queue", "top", "jobs prune"])
def test_a_file_that_is_no_database_is_reported_in_one_line(freeda: Freeda, home: Path, command: str) -> None:
    home.mkdir(mode=0o700)
    load_settings().database_file.write_bytes(b"something else entirely" * 99)
    ran = freeda(*command.split())
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "file is not a database" in ran.err
