"""How an attempt at an item ends without a result, and where its item goes then."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from freeda_svc.jobs.states import AttemptOutcome, EventKind, ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Attempt, Job, WorkItem, now
from freeda_svc.jobs.transitions import move_item, record_event, settle_job

PAUSED = "its worker was lost while it did an image in a pause of this item"

_attempts = cast("Table", Attempt.__table__)
_END = (
    update(_attempts)
    .where(
        _attempts.c.item_id == bindparam("the_item"),
        _attempts.c.number == bindparam("the_number"),
        _attempts.c.outcome == AttemptOutcome.RUNNING,
    )
    .values(outcome=bindparam("new_outcome"), error=bindparam("new_error"), finished_at=bindparam("new_end"))
)

_EVENTS = {
    AttemptOutcome.FAILED: EventKind.FAILED,
    AttemptOutcome.LOST: EventKind.LOST,
    AttemptOutcome.HANDED_BACK: EventKind.HANDED_BACK,
}


def give_up_attempt(
    session: Session, item: WorkItem, outcome: AttemptOutcome, *, reason: str, details: str = "", max_attempts: int
) -> ItemState | None:
    """End the current attempt and move its item on: to the queue, aside as failed, or to cancelled with its job.

    Args:
        session: in a writing transaction.
        item: as it was read in this transaction.
        outcome: how the attempt ended; one that was handed back does not count.
        reason: one line for people.
        details: kept with the attempt; the reason when empty.
        max_attempts: after how many attempts that count the item is set aside.

    Returns:
        The item's new state; None, with nothing changed, when another worker had claimed it by now.
    """
    counts = outcome is not AttemptOutcome.HANDED_BACK
    failures = item.failures + counts
    job_state = session.execute(select(Job.state).where(Job.id == item.job_id)).scalar_one()
    if counts and failures >= max_attempts:
        state = ItemState.FAILED
    elif job_state == JobState.CANCELLED:
        state = ItemState.CANCELLED
    else:
        state = ItemState.QUEUED
    attempts = "" if state is not ItemState.FAILED or failures == 1 else f" ({failures} attempts)"
    error = f"{reason}{attempts}"
    moved = move_item(
        session,
        item.id,
        ItemState.RUNNING,
        state,
        attempt=item.attempts,
        failures=failures,
        error=error,
        result=None,  # what was done so far is begun again
        worker="",
        lease_until=None,
    )
    if not moved:
        return None
    end_attempt(session, item.id, item.attempts, outcome, details or reason)
    record_event(session, item.job_id, _EVENTS[outcome], reason, item_id=item.id, attempt=item.attempts)
    if state is ItemState.FAILED:
        record_event(session, item.job_id, EventKind.SET_ASIDE, error, item_id=item.id)
    if state is ItemState.CANCELLED:
        record_event(session, item.job_id, EventKind.CANCELLED, item_id=item.id)
    settle_job(session, item.job_id)
    return state


def lose_attempts(session: Session, items: Sequence[WorkItem], *, reason: str, max_attempts: int) -> int:
    """End the attempts of a worker that is lost; return how many items that moved on.

    An item in whose pause the worker did an image did not end it, so its attempt does not count.

    Args:
        session: in a writing transaction.
        items: of one worker, as they were read in this transaction.
        reason: one line for people.
        max_attempts: as ``give_up_attempt`` takes it.
    """
    lost = 0
    for item in sorted(items, key=lambda item: item.kind == JobKind.SEGMENT):  # images show that the others paused
        outcome, why = (
            (AttemptOutcome.HANDED_BACK, PAUSED) if _has_paused(session, item) else (AttemptOutcome.LOST, reason)
        )
        lost += give_up_attempt(session, item, outcome, reason=why, max_attempts=max_attempts) is not None
    return lost


def _has_paused(session: Session, item: WorkItem) -> bool:
    images = WorkItem.state == ItemState.RUNNING, WorkItem.worker == item.worker, WorkItem.kind == JobKind.SEGMENT
    return item.kind != JobKind.SEGMENT and session.scalar(select(WorkItem.id).where(*images).limit(1)) is not None


def end_attempt(session: Session, item_id: int, number: int, outcome: AttemptOutcome, error: str = "") -> None:
    """Write down how an attempt ended."""
    given = {"the_item": item_id, "the_number": number, "new_outcome": outcome, "new_error": error, "new_end": now()}
    session.execute(_END, given)
