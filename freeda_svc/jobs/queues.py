"""What waits and what is being worked on, over all jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import OPEN_ITEM_STATES, AttemptOutcome, ItemState, JobKind, Priority
from freeda_svc.jobs.tables import Attempt, WorkItem, now
from freeda_svc.jobs.units import item_name
from freeda_svc.settings import Settings

THROUGHPUT_MINUTES = 5


@dataclass(frozen=True)
class RunningItem:
    """An item in a worker's hands.

    Attributes:
        job_id: its job.
        number: of the item within its job, from 1.
        name: the image's file name, or how many captions or exemplars it holds.
        attempt: which attempt at it this is, from 1.
        worker: who has it.
        begun_at: when it was taken, by the worker's clock, in UTC.
        lease_until: until when the worker may be silent, by the worker's clock, in UTC.
    """

    job_id: str
    number: int
    name: str
    attempt: int
    worker: str
    begun_at: datetime | None
    lease_until: datetime | None


@dataclass(frozen=True)
class QueueState:
    """The items of one kind that are open.

    Attributes:
        kind: what is to be done.
        items: how many are in each open state.
        waiting: how many wait, by priority; only priorities of which some do.
        oldest_seconds: for how long the one that waits longest has been there; None when none waits.
        running: those in workers' hands, the oldest first.
        done_per_minute: how many were done a minute, over the last ``THROUGHPUT_MINUTES``.
    """

    kind: JobKind
    items: Mapping[ItemState, int]
    waiting: Mapping[Priority, int]
    oldest_seconds: float | None
    running: tuple[RunningItem, ...]
    done_per_minute: float


def queue_state(settings: Settings) -> list[QueueState]:
    """Look at what waits and what runs, by kind."""
    with reading(settings) as session:
        return [_state(session, kind) for kind in JobKind]


def _state(session: Session, kind: JobKind) -> QueueState:
    counts = (
        select(WorkItem.state, WorkItem.priority, func.count())
        .where(WorkItem.kind == kind, WorkItem.state.in_(OPEN_ITEM_STATES))
        .group_by(WorkItem.state, WorkItem.priority)
    )
    rows = session.execute(counts).all()
    return QueueState(
        kind=kind,
        items={state: sum(count for found, _, count in rows if found == state) for state in OPEN_ITEM_STATES},
        waiting={Priority(priority): count for state, priority, count in rows if state == ItemState.QUEUED},
        oldest_seconds=oldest_waiting_seconds(session, kind),
        running=_running(session, kind),
        done_per_minute=_done_per_minute(session, kind),
    )


def oldest_waiting_seconds(session: Session, kind: JobKind) -> float | None:
    """For how long the item of a kind that waits longest has been there; None when none waits."""
    ages = []  # of the first of each priority: they are numbered in the order of their submission
    for priority in Priority:
        query = select(WorkItem.created_at).where(
            WorkItem.state == ItemState.QUEUED, WorkItem.kind == kind, WorkItem.priority == priority
        )
        first = session.scalars(query.order_by(WorkItem.id).limit(1)).first()
        if first is not None:
            ages.append(max(0.0, (now() - first).total_seconds()))
    return max(ages, default=None)


def _running(session: Session, kind: JobKind) -> tuple[RunningItem, ...]:
    query = (
        select(WorkItem, Attempt.started_at)
        .outerjoin(Attempt, (Attempt.item_id == WorkItem.id) & (Attempt.number == WorkItem.attempts))
        .where(WorkItem.state == ItemState.RUNNING, WorkItem.kind == kind)
        .order_by(WorkItem.id)
    )
    return tuple(
        RunningItem(
            item.job_id, item.number, item_name(item.input), item.attempts, item.worker, begun, item.lease_until
        )
        for item, begun in session.execute(query)
    )


def _done_per_minute(session: Session, kind: JobKind) -> float:
    since = now() - timedelta(minutes=THROUGHPUT_MINUTES)
    query = (
        select(func.count())
        .select_from(Attempt)
        .join(WorkItem, WorkItem.id == Attempt.item_id)
        .where(Attempt.finished_at > since, Attempt.outcome == AttemptOutcome.DONE, WorkItem.kind == kind)
    )
    return session.execute(query).scalar_one() / THROUGHPUT_MINUTES
