"""What happened to jobs: written in the transaction in which it happens, read in order.

A PostgreSQL server numbers an event when it is written, and shows it when its transaction ends: one with a lower number
may appear after one with a higher number. A reader that goes on after the highest number would miss it. So events are
returned only once every transaction has ended that was writing events when they were first seen.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, select, text

from freeda_svc.jobs.control import find_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import EventKind
from freeda_svc.jobs.tables import Event, WorkItem
from freeda_svc.settings import Settings

EVENTS_AT_ONCE = 10_000
SETTLE_SECONDS = 0.2
"""So long a reader waits for transactions that write events; they take a few milliseconds."""
LOOK_SECONDS = 0.005
OLDEST_WRITER_SECONDS = 10
"""For a transaction that has been open for longer nobody waits: it removes many jobs, or its process is frozen."""
# Whoever writes a row holds this lock on its table, from before the row has its number until the transaction has ended.
_WRITERS = text(
    """
    SELECT locks.virtualtransaction
    FROM pg_locks AS locks
    JOIN pg_database ON pg_database.oid = locks.database AND pg_database.datname = current_database()
    LEFT JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
    WHERE locks.locktype = 'relation' AND locks.relation = to_regclass('events')
        AND locks.mode = 'RowExclusiveLock' AND locks.granted
        AND coalesce(clock_timestamp() - activity.xact_start < make_interval(secs => :oldest), true)
    """
)


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job.

    Attributes:
        id: counts up within a job; asking for what came after it goes on from here.
        item: number of the item within its job; None for what concerns the job.
        attempt: number of the attempt at the item; None for what concerns no attempt.
        kind: what happened.
        message: for people; empty where the kind says all.
        at: when, in UTC.
    """

    id: int
    item: int | None
    attempt: int | None
    kind: EventKind
    message: str
    at: datetime


def job_events(
    settings: Settings, job_id: str, *, after: int = 0, limit: int = EVENTS_AT_ONCE, has_ended: bool = False
) -> list[JobEvent]:
    """List what happened to a job, oldest first; none appears later before one that was listed.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        after: only events with a higher id, for followers.
        limit: how many at most.
        has_ended: whether nothing of the job was open any more at a look before: its events are complete. Of other
            jobs an event may be left out for a moment while other events are written.

    Raises:
        NotFoundError: there is no such job.
    """
    full_id = find_job(settings, job_id)
    query = (
        select(Event.id, WorkItem.number, Event.attempt, Event.kind, Event.message, Event.at)
        .outerjoin(WorkItem, WorkItem.id == Event.item_id)
        .where(Event.job_id == full_id, Event.id > after)
        .order_by(Event.id)
        .limit(limit)
    )
    rows = _read(settings, query)
    if rows and not has_ended and not settings.embedded_database:
        is_settled = _wait_for_writers(settings)
        rows = _read(settings, query.where(Event.id <= rows[-1].id)) if is_settled else []
    return [
        JobEvent(number, item, attempt, EventKind(kind), message, at)
        for number, item, attempt, kind, message, at in rows
    ]


def _read(settings: Settings, query: Executable) -> list[Row[*tuple[Any, ...]]]:
    with reading(settings) as session:
        return list(session.execute(query))


def _wait_for_writers(settings: Settings) -> bool:
    """Wait until the transactions have ended that write events now; return whether they have."""
    deadline = time.monotonic() + SETTLE_SECONDS
    left = writers = _writers(settings)
    while left:
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_SECONDS)
        left = writers & _writers(settings)
    return True


def _writers(settings: Settings) -> frozenset[str]:
    """Return the names of open transactions that have written events, or are writing one."""
    with reading(settings) as session:
        if session.get_bind().dialect.name != "postgresql":
            return frozenset()
        return frozenset(session.scalars(_WRITERS, {"oldest": OLDEST_WRITER_SECONDS}))
