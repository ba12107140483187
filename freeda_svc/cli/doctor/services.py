"""Do database, broker and clocks answer as they should?"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import redis
from sqlalchemy import text

from freeda_svc.addresses import shown_address
from freeda_svc.artifacts import open_artifacts
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.database_connections import current_revision, database_engine, database_errors
from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.results import RESULTS
from freeda_svc.migrations import HEAD
from freeda_svc.settings import Settings
from freeda_svc.workers import broker_process, check_broker, running_broker_url, worker_is_running

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER_SECONDS = 5.0
CHECK_SECONDS = 30.0
"""So long a database is read for damage; one that takes longer is not checked to its end."""
_STEPS = 100_000
_KEEP = "stop the worker, and copy jobs.sqlite with its -wal and -shm files to a safe place before anything else"
_DAMAGED = f"{_KEEP}; then `freeda restore` a backup, or read what can be read with SQLite's .recover"
LARGEST_DIFFERENCE_SECONDS = 2.0
"""Leases and times are compared between machines; synchronized clocks differ by far less."""


def look_at_database(settings: Settings) -> Iterator[Finding]:
    """Does it answer, with the schema of this version?"""
    if settings.embedded_database and not settings.database_file.is_file():
        yield from _look_at_missing_database(settings)
        return
    try:
        with database_errors(settings):
            found = current_revision(database_engine(settings))
    except UnavailableError as error:
        if not settings.embedded_database:
            raise
        yield wrong("database", str(error), _DAMAGED if _is_damage(str(error)) else _KEEP)
        return
    damage = _damage(settings.database_file) if settings.embedded_database else ""
    if damage:
        yield wrong("database", f"{settings.database_file} is damaged: {damage}", _DAMAGED)
        return
    where = str(settings.database_file) if settings.embedded_database else database_engine(settings).name
    if found == HEAD:
        yield ok("database", f"{where}, revision {found}")
    elif found is not None and found > HEAD:
        yield wrong(
            "database",
            f"{where} is at revision {found}, this version knows {HEAD}",
            "use the version of freeda that made it, or a later one",
        )
    elif settings.embedded_database:
        yield note("database", f"{where} is at revision {found or 'none'}", "the next command that uses it upgrades it")
    else:
        yield wrong(
            "database", f"{where} is at revision {found or 'none'}, needed is {HEAD}", "run `freeda db upgrade`"
        )


def look_at_artifacts(settings: Settings) -> Iterator[Finding]:
    """Can artifacts be stored, fetched and removed, where they are in a bucket? A folder is looked at with the home."""
    artifacts = open_artifacts(settings)
    if settings.artifacts_on_s3:
        artifacts.try_out()
        yield ok("artifacts", f"{artifacts.place}, where a small object was stored, fetched and removed")
    else:
        there = "" if artifacts.folder.is_dir() else " is not there yet; the first command makes it"
        yield ok("artifacts", f"{artifacts.place}{there}")


def _look_at_missing_database(settings: Settings) -> Iterator[Finding]:
    results = settings.artifacts_folder / RESULTS
    if results.is_dir() and any(results.iterdir()):
        yield wrong(
            "database",
            f"{settings.database_file} is gone, but {results} holds results of jobs",
            "put it back before anything else makes a new one: from where it was moved to, or with `freeda restore`",
        )
    else:
        yield ok("database", f"{settings.database_file} is not there yet; the first job makes it")


def _is_damage(reason: str) -> bool:
    return "malformed" in reason or "not a database" in reason


def _damage(file: Path) -> str:
    """What SQLite finds broken in a database, in one line; empty when nothing."""
    deadline = time.monotonic() + CHECK_SECONDS
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            found = [str(text) for (text,) in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        return "" if time.monotonic() > deadline or not _is_damage(str(error)) else str(error)
    return "" if found == ["ok"] else " ".join("; ".join(found).split())


def look_at_broker(settings: Settings) -> Iterator[Finding]:
    """Does it answer, and keep what it is given?"""
    if settings.embedded_broker:
        yield from _look_at_embedded_broker(settings)
        return
    check_broker(settings.broker_url)
    place = shown_address(settings.broker_url)
    with redis.Redis.from_url(settings.broker_url, socket_timeout=ANSWER_SECONDS) as client:
        about = cast("dict[str, Any]", client.info())
        yield ok("broker", f"{place}, version {about.get('valkey_version') or about.get('redis_version')}")
        try:
            kept = cast("dict[str, str]", client.config_get("*"))
        except redis.RedisError:  # managed servers forbid it
            return
    if kept.get("appendonly") == "no":
        yield note(
            "broker",
            "it forgets its messages when it stops (appendonly is no)",
            "set appendonly yes; until then the reconciler sends lost messages again",
        )
    if kept.get("maxmemory", "0") != "0" and kept.get("maxmemory-policy") != "noeviction":
        yield wrong(
            "broker",
            f"it drops messages when its memory is full (maxmemory-policy {kept.get('maxmemory-policy')})",
            "set maxmemory-policy noeviction",
        )


def _look_at_embedded_broker(settings: Settings) -> Iterator[Finding]:
    is_running, is_served = running_broker_url(settings) is not None, worker_is_running(settings)
    process = broker_process(settings)
    if is_running:
        yield ok("broker", "the embedded one runs")
    elif process is not None and not is_served:
        advice = "wait if the machine is busy; otherwise end that process, `freeda up` starts another one"
        yield wrong("broker", f"the embedded one (process {process}) does not answer", advice)
    elif is_served:
        yield wrong(
            "broker", "the embedded one does not answer its worker", "wait: the worker starts it again by itself"
        )
    else:
        yield ok("broker", "the embedded one does not run; `freeda up` starts it")
    if is_running and not is_served:
        yield note("broker", "it has outlived its worker", "run `freeda up`, which takes it over")


def look_at_clock(settings: Settings) -> Iterator[Finding]:
    """Do this machine's clock and those of database and broker agree?"""
    clocks: dict[str, Callable[[Settings], datetime]] = {}
    if not settings.embedded_database:
        clocks["database"] = _time_of_database
    if not settings.embedded_broker:
        clocks["broker"] = time_of_broker
    if not clocks:
        yield ok("clock", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC; nothing else to compare with")
    for name, read in clocks.items():
        before = datetime.now(UTC)
        try:
            there = read(settings)
        except UnavailableError:
            yield note("clock", f"the {name}'s cannot be compared", f"see what is said about the {name}")
            continue
        here = before + (datetime.now(UTC) - before) / 2
        difference = (there - here).total_seconds()
        if abs(difference) > LARGEST_DIFFERENCE_SECONDS:
            how = "ahead" if difference > 0 else "behind"
            advice = "synchronize the clocks of both machines, such as with chrony"
            yield wrong("clock", f"the {name}'s is {abs(difference):.1f} s {how} of this machine's", advice)
        else:
            yield ok("clock", f"the {name}'s agrees with this machine's")


def _time_of_database(settings: Settings) -> datetime:
    with database_errors(settings), database_engine(settings).connect() as connection:
        found = connection.execute(text("SELECT CURRENT_TIMESTAMP")).scalar_one()
    moment = datetime.fromisoformat(found) if isinstance(found, str) else cast("datetime", found)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def time_of_broker(settings: Settings) -> datetime:
    """Ask the broker what time it is."""
    check_broker(settings.broker_url)
    with redis.Redis.from_url(settings.broker_url, socket_timeout=ANSWER_SECONDS) as client:
        seconds, microseconds = cast("tuple[int, int]", client.time())
    return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
