"""Callbacks: where the end of a job is posted, and every attempt to do so.

Nothing is written when a job ends: who sends looks for callbacks whose job has ended, so no end can be missed. Several
processes may send; a lease keeps one of them at a time at a callback. Times are the database's, so that the clocks of
machines need not agree. An attempt that was cut off is made again: a receiver may hear of one end twice, under the same
message id.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.orm import Session

from freeda_svc.errors import InputError
from freeda_svc.jobs.control import find_job, get_job
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.states import ENDED_JOB_STATES, ItemState
from freeda_svc.jobs.tables import Callback, Delivery, Job, UtcDateTime, WorkItem
from freeda_svc.jobs.transitions import changed_rows
from freeda_svc.settings import Settings

GIVEN_UP_AFTER = timedelta(days=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=3)
PAUSE_GROWTH = 3


class CallbackState(StrEnum):
    """What becomes of a callback."""

    OPEN = "open"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


class DeliveryOutcome(StrEnum):
    """How an attempt ended; ``INTERRUPTED`` is one whose sender was cut off, so nobody knows."""

    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class DueCallback:
    """The end of a job, to be posted by whoever has it until the lease ends.

    Attributes:
        job_id: the job.
        url: where to.
        key_id: of the API key that the job was submitted with; empty without one.
        message_id: the same in every attempt to post this end.
        round: counts the ends of the job.
        tries: this is the how-many-th attempt to post this end.
        delivery_id: of the row that records this attempt.
        content: what is posted, as plain values.
    """

    job_id: str
    url: str
    key_id: str
    message_id: str
    round: int
    tries: int
    delivery_id: int
    content: dict[str, Any]


@dataclass(frozen=True)
class DeliverySummary:
    """One attempt to post the end of a job.

    Attributes:
        number: from 1 within the job.
        message_id: what was to be heard: the same in all attempts to post one end.
        outcome: how it ended.
        status: the HTTP status of the answer; None without one.
        error: why it failed, one line; empty when it did not.
        started_at: when.
        finished_at: when it ended; None while it goes on.
    """

    number: int
    message_id: str
    outcome: DeliveryOutcome
    status: int | None
    error: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class CallbackSummary:
    """What became of a job's callback.

    Attributes:
        url: where to.
        state: whether it is still tried.
        next_try_at: not before this; None when nothing is tried any more, or the job has not ended.
        deliveries: every attempt, the oldest first.
    """

    url: str
    state: CallbackState
    next_try_at: datetime | None
    deliveries: tuple[DeliverySummary, ...]


def keep_callback(settings: Settings, job_id: str, url: str, key_id: str = "") -> None:
    """Have the end of a job posted; right after it was accepted, and again whenever the same request is repeated.

    Args:
        settings: the installation.
        job_id: of the job, in full.
        url: an address that was checked; empty for none.
        key_id: of the API key that it was submitted with; empty without one.

    Raises:
        InputError: the job has another callback.
        NotFoundError: there is no such job any more.
        UnavailableError: the database does not answer.
    """
    if not url:
        return
    with writing(settings) as session:
        get_job(session, job_id)
        kept = session.get(Callback, job_id)
        if kept is None:
            moment = database_now(session)
            session.add(Callback(job_id=job_id, url=url, key_id=key_id, state=CallbackState.OPEN, next_try_at=moment))
        elif kept.url != url:
            raise InputError(
                f"the idempotency key was used with another callback, for job {job_id}: repeat the same request "
                "unchanged, or give a new one a key of its own"
            )


def take_due_callbacks(settings: Settings, most: int, lease: timedelta) -> list[DueCallback]:
    """Take callbacks that are to be posted now, and record that they are being tried.

    Args:
        settings: the installation.
        most: how many at most.
        lease: for how long nobody else takes them.

    Raises:
        UnavailableError: the database does not answer.
    """
    with reading(settings) as session:  # so that looking every second does not lock the database
        if session.execute(_due(database_now(session)).limit(1)).first() is None:
            return []
    with writing(settings) as session:
        moment = database_now(session)
        due = _due(moment).order_by(Callback.next_try_at).limit(most).with_for_update(skip_locked=True, of=Callback)
        return [_take(session, callback, job, moment, lease) for callback, job in session.execute(due).all()]


def end_try(
    settings: Settings,
    due: DueCallback,
    *,
    status: int | None = None,
    error: str = "",
    is_last: bool = False,
    first_pause: timedelta = FIRST_PAUSE,
) -> CallbackState:
    """Record how an attempt ended, and when the next one may begin.

    Args:
        settings: the installation.
        due: what was tried.
        status: of the answer; None without one.
        error: why it failed; empty when it did not.
        is_last: whether to give up in any case.
        first_pause: after the first failure; each later one lasts three times as long, up to three hours.

    Returns:
        The callback's state.

    Raises:
        UnavailableError: the database does not answer; the attempt will be made again when its lease ends.
    """
    with writing(settings) as session:
        moment = database_now(session)
        outcome = DeliveryOutcome.FAILED if error else DeliveryOutcome.DELIVERED
        ended = update(Delivery).where(Delivery.id == due.delivery_id)
        changed_rows(session, ended.values(outcome=outcome, status=status, error=error, finished_at=moment))
        mine = (Callback.job_id == due.job_id, Callback.round == due.round, Callback.tries == due.tries)
        callback = session.scalars(select(Callback).where(*mine)).first()
        if callback is None:  # somebody else has taken it since, or the job has gone on
            return CallbackState.OPEN
        pause = min(first_pause * PAUSE_GROWTH ** min(due.tries - 1, 20), LONGEST_PAUSE)
        callback.lease_until = None
        callback.next_try_at = moment + pause
        if not error:
            callback.state = CallbackState.DELIVERED
        elif is_last or callback.next_try_at > (callback.first_try_at or moment) + GIVEN_UP_AFTER:
            callback.state = CallbackState.GIVEN_UP
        return CallbackState(callback.state)


def callback_of(settings: Settings, job_id: str) -> CallbackSummary | None:
    """Return what became of a job's callback; None when it has none.

    Raises:
        NotFoundError: there is no such job.
        UnavailableError: the database does not answer.
    """
    full_id = find_job(settings, job_id)
    with reading(settings) as session:
        callback = session.get(Callback, full_id)
        if callback is None:
            return None
        is_waiting = callback.state == CallbackState.OPEN and get_job(session, full_id).state in ENDED_JOB_STATES
        rows = session.scalars(select(Delivery).where(Delivery.job_id == full_id).order_by(Delivery.number)).all()
        return CallbackSummary(
            url=callback.url,
            state=CallbackState(callback.state),
            next_try_at=callback.next_try_at if is_waiting else None,
            deliveries=tuple(_summary(row) for row in rows),
        )


def database_now(session: Session) -> datetime:
    """Return the moment by the database's clock."""
    found: datetime = session.scalars(select(func.current_timestamp(type_=UtcDateTime))).one()
    return found


def _due(moment: datetime) -> Select[Callback, Job]:
    return (
        select(Callback, Job)
        .join(Job, Job.id == Callback.job_id)
        .where(
            Callback.state == CallbackState.OPEN,
            Callback.next_try_at <= moment,
            or_(Callback.lease_until.is_(None), Callback.lease_until <= moment),
            Job.state.in_(ENDED_JOB_STATES),
        )
    )


def _take(session: Session, callback: Callback, job: Job, moment: datetime, lease: timedelta) -> DueCallback:
    earlier = update(Delivery).where(Delivery.job_id == job.id, Delivery.outcome == DeliveryOutcome.SENDING)
    cut_off = "the server that sent it was stopped or fell silent"
    changed_rows(session, earlier.values(outcome=DeliveryOutcome.INTERRUPTED, error=cut_off, finished_at=moment))
    last = session.scalars(select(func.max(Delivery.number)).where(Delivery.job_id == job.id)).one()
    callback.tries += 1
    callback.first_try_at = callback.first_try_at or moment
    callback.lease_until = moment + lease
    row = Delivery(
        job_id=job.id,
        number=(last or 0) + 1,
        round=callback.round,
        outcome=DeliveryOutcome.SENDING,
        started_at=moment,
    )
    session.add(row)
    session.flush()
    return DueCallback(
        job_id=job.id,
        url=callback.url,
        key_id=callback.key_id,
        message_id=_message_id(job.id, callback.round),
        round=callback.round,
        tries=callback.tries,
        delivery_id=row.id,
        content=_content(job, _counts(session, job.id)),
    )


def _content(job: Job, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "type": "job.ended",
        "timestamp": job.updated_at.isoformat(),
        "data": {
            "job": job.id,
            "kind": job.kind,
            "state": job.state,
            "items": counts,
            "created_at": job.created_at.isoformat(),
            "location": f"/v1/jobs/{job.id}",
        },
    }


def _counts(session: Session, job_id: str) -> dict[str, int]:
    """How many items of a job are in each state; states without items are there, too."""
    counted = select(WorkItem.state, func.count().label("number")).where(WorkItem.job_id == job_id)
    found = {row.state: row.number for row in session.execute(counted.group_by(WorkItem.state))}
    return {state.value: found.get(state.value, 0) for state in ItemState}


def _message_id(job_id: str, number: int) -> str:
    return f"{job_id}.{number}"


def _summary(row: Delivery) -> DeliverySummary:
    return DeliverySummary(
        number=row.number,
        message_id=_message_id(row.job_id, row.round),
        outcome=DeliveryOutcome(row.outcome),
        status=row.status,
        error=row.error,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
