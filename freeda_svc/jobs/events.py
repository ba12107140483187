"""What happened to jobs: written in the transaction in which it happens, read in order."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from freeda_svc.jobs.control import find_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import EventKind
from freeda_svc.jobs.tables import Event, WorkItem
from freeda_svc.settings import Settings

EVENTS_AT_ONCE = 10_000


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


def job_events(settings: Settings, job_id: str, *, after: int = 0, limit: int = EVENTS_AT_ONCE) -> list[JobEvent]:
    """List what happened to a job, oldest first.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        after: only events with a higher id, for followers. Where several workers write to a PostgreSQL server at once,
            an event may appear a moment after one with a higher id; a client that needs every one asks again from 0.
        limit: how many at most.

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
    with reading(settings) as session:
        return [
            JobEvent(number, item, attempt, EventKind(kind), message, at)
            for number, item, attempt, kind, message, at in session.execute(query)
        ]
