"""All open jobs at a glance, and what went wrong lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import EventKind, ItemState, JobState
from freeda_svc.jobs.tables import Event, Job, WorkItem
from freeda_svc.settings import Settings

LATEST_EVENTS = 10_000
"""So many events are looked through for trouble: what lies further back is not lately."""
_TROUBLE = (EventKind.FAILED, EventKind.LOST, EventKind.SET_ASIDE)


@dataclass(frozen=True)
class Trouble:
    """Something that went wrong.

    Attributes:
        job_id: the job.
        item: number of the item within its job; None for what concerns the job.
        kind: ``failed``, ``lost`` or ``set aside``.
        message: for people.
        at: when, in UTC.
    """

    job_id: str
    item: int | None
    kind: EventKind
    message: str
    at: datetime


@dataclass(frozen=True)
class Overview:
    """All open jobs together.

    Attributes:
        jobs: ids of the open jobs, the newest first.
        items: how many of their items are in each state.
        troubles: what went wrong lately, with open jobs or others, the latest first.
    """

    jobs: tuple[str, ...]
    items: Mapping[ItemState, int]
    troubles: tuple[Trouble, ...]


def overview(settings: Settings, *, troubles: int = 5) -> Overview:
    """Look at all open jobs together.

    Args:
        settings: the installation.
        troubles: how many of the latest are listed.

    Raises:
        UnavailableError: the database does not answer.
    """
    is_open = Job.state.in_((JobState.QUEUED, JobState.RUNNING))
    counts = select(WorkItem.state, func.count()).join(Job).where(is_open).group_by(WorkItem.state)
    with reading(settings) as session:
        return Overview(
            jobs=tuple(session.scalars(select(Job.id).where(is_open).order_by(Job.created_at.desc(), Job.id))),
            items={ItemState(state): count for state, count in session.execute(counts)},
            troubles=_troubles(session, troubles),
        )


def _troubles(session: Session, limit: int) -> tuple[Trouble, ...]:
    latest = session.scalar(select(func.max(Event.id))) or 0
    query = (
        select(Event.job_id, WorkItem.number, Event.kind, Event.message, Event.at)
        .outerjoin(WorkItem, WorkItem.id == Event.item_id)
        .where(Event.id > latest - LATEST_EVENTS, Event.kind.in_(_TROUBLE))
        .order_by(Event.id.desc())
        .limit(limit)
    )
    return tuple(
        Trouble(job_id, item, EventKind(kind), message, at)
        for job_id, item, kind, message, at in session.execute(query)
    )
