"""A worker's side: taking an item, keeping it, and saying how it ended.

An attempt is named by the item's running number of attempts: who comes back after losing an item changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.states import AttemptOutcome, ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Attempt, Job, WorkItem, now
from freeda_svc.jobs.transitions import changed_rows, move_item, move_job, settle_job
from freeda_svc.settings import Settings


@dataclass(frozen=True)
class Claim:
    """An item in hand.

    Attributes:
        item_id: the item.
        attempt: number of this attempt at it, from 1.
        number: of the item within its job, from 1.
        job_id: its job.
        kind: what is to be done.
        pack: name or folder of the model pack the job was asked of.
        fingerprint: of that pack.
        parameters: what holds for all items of the job.
        input: what this item works on.
    """

    item_id: int
    attempt: int
    number: int
    job_id: str
    kind: JobKind
    pack: str
    fingerprint: str
    parameters: dict[str, Any]
    input: dict[str, Any]


def claim_item(settings: Settings, item_id: int, worker: str) -> Claim | None:
    """Take an item in hand.

    An item can be taken when it is queued, when its lease has run out, or when this very worker had it before: a
    worker does one item at a time, so it has lost that attempt.

    Args:
        settings: the installation.
        item_id: the item.
        worker: name of the worker, one at a time in the whole installation.

    Returns:
        The claim, or None when the item is not to be done now: done, cancelled, failed, or in another's hands.
    """
    with writing(settings) as session:
        item = session.get(WorkItem, item_id, with_for_update=True)
        if item is None:
            return None
        if item.state == ItemState.RUNNING and _is_free(item, worker):
            # The attempt before was lost: it counts, or an item that kills its worker would be tried for ever.
            _give_up_attempt(
                session, item, AttemptOutcome.LOST, reason="its worker was lost", max_attempts=settings.max_attempts
            )
            session.refresh(item)
        taken = move_item(
            session,
            item_id,
            ItemState.QUEUED,
            ItemState.RUNNING,
            attempt=item.attempts,
            attempts=item.attempts + 1,
            worker=worker,
            lease_until=_lease_end(settings),
        )
        if not taken:
            return None
        session.refresh(item)
        session.add(Attempt(item_id=item_id, number=item.attempts, worker=worker, outcome=AttemptOutcome.RUNNING))
        job = session.get_one(Job, item.job_id)
        move_job(session, job.id, JobState.QUEUED, JobState.RUNNING)
        return Claim(
            item_id=item.id,
            attempt=item.attempts,
            number=item.number,
            job_id=job.id,
            kind=JobKind(job.kind),
            pack=job.pack,
            fingerprint=job.fingerprint,
            parameters=job.parameters,
            input=item.input,
        )


def renew_lease(settings: Settings, claim: Claim) -> bool:
    """Say that the item is still being worked on; False when it is in other hands by now."""
    with writing(settings) as session:
        return _move_claim(session, claim, ItemState.RUNNING, lease_until=_lease_end(settings))


def finish_item(settings: Settings, claim: Claim, result: dict[str, Any]) -> bool:
    """Record the result and end the item; False, and nothing recorded, when it is in other hands by now."""
    with writing(settings) as session:
        finished = _move_claim(session, claim, ItemState.DONE, result=result, error="", worker="", lease_until=None)
        if finished:
            _end_attempt(session, claim.item_id, claim.attempt, AttemptOutcome.DONE, "")
            settle_job(session, claim.job_id)
        return finished


def fail_item(settings: Settings, claim: Claim, reason: str, details: str = "", *, final: bool) -> bool:
    """Record a failed attempt.

    Args:
        settings: the installation.
        claim: the item in hand.
        reason: one line for people.
        details: the traceback; the reason when empty.
        final: trying again would not help; otherwise it is tried ``max_attempts`` times.

    Returns:
        Whether the item will be tried again. False also when it is in other hands by now.
    """
    with writing(settings) as session:
        item = session.get(WorkItem, claim.item_id, with_for_update=True)
        if item is None or item.state != ItemState.RUNNING or item.attempts != claim.attempt:
            return False
        limit = 0 if final else settings.max_attempts
        _give_up_attempt(session, item, AttemptOutcome.FAILED, reason=reason, details=details, max_attempts=limit)
        session.refresh(item)
        return item.state == ItemState.QUEUED


def hand_back_items(settings: Settings, worker: str, *, lost: bool) -> int:
    """Put back what a worker had in hand when it stopped.

    Args:
        settings: the installation.
        worker: the worker that is certainly not working any more.
        lost: it died (the attempts count as failed) rather than being asked to stop (they do not).

    Returns:
        How many items it had in hand.
    """
    outcome = AttemptOutcome.LOST if lost else AttemptOutcome.HANDED_BACK
    reason = "its worker was lost" if lost else "its worker was stopped"
    return _put_back(settings, WorkItem.worker == worker, outcome, reason)


def has_item_in_hand(settings: Settings, worker: str) -> bool:
    """Tell whether a worker has an item that it has not ended."""
    query = select(WorkItem.id).where(WorkItem.state == ItemState.RUNNING, WorkItem.worker == worker).limit(1)
    with reading(settings) as session:
        return session.execute(query).first() is not None


def put_back_expired_items(settings: Settings) -> int:
    """Put back items whose worker has been silent for longer than its lease; returns how many."""
    return _put_back(settings, WorkItem.lease_until < now(), AttemptOutcome.LOST, "its worker fell silent")


def _put_back(settings: Settings, condition: ColumnElement[bool], outcome: AttemptOutcome, reason: str) -> int:
    with writing(settings) as session:
        items = session.scalars(select(WorkItem).where(WorkItem.state == ItemState.RUNNING, condition)).all()
        for item in items:
            _give_up_attempt(session, item, outcome, reason=reason, max_attempts=settings.max_attempts)
        return len(items)


def _give_up_attempt(
    session: Session, item: WorkItem, outcome: AttemptOutcome, *, reason: str, details: str = "", max_attempts: int
) -> None:
    """End the attempt in hand and move its item on: to the queue, to failed, or to cancelled with its job."""
    failures = item.failures + (outcome is not AttemptOutcome.HANDED_BACK)
    job_state = session.execute(select(Job.state).where(Job.id == item.job_id)).scalar_one()
    if failures >= max_attempts and outcome is not AttemptOutcome.HANDED_BACK:
        state = ItemState.FAILED
    elif job_state == JobState.CANCELLED:
        state = ItemState.CANCELLED
    else:
        state = ItemState.QUEUED
    attempts = "" if state is not ItemState.FAILED or failures == 1 else f" ({failures} attempts)"
    moved = move_item(
        session,
        item.id,
        ItemState.RUNNING,
        state,
        attempt=item.attempts,
        failures=failures,
        error=f"{reason}{attempts}",
        worker="",
        lease_until=None,
        sent_at=None,
    )
    if moved:
        _end_attempt(session, item.id, item.attempts, outcome, details or reason)
        settle_job(session, item.job_id)


def _end_attempt(session: Session, item_id: int, number: int, outcome: AttemptOutcome, error: str) -> None:
    attempt = update(Attempt).where(
        Attempt.item_id == item_id, Attempt.number == number, Attempt.outcome == AttemptOutcome.RUNNING
    )
    changed_rows(session, attempt.values(outcome=outcome, error=error, finished_at=now()))


def _move_claim(session: Session, claim: Claim, target: ItemState, **values: Any) -> bool:  # noqa: ANN401 - columns
    return move_item(session, claim.item_id, ItemState.RUNNING, target, attempt=claim.attempt, **values)


def _lease_end(settings: Settings) -> datetime:
    return now() + timedelta(seconds=settings.lease_seconds)


def _is_free(item: WorkItem, worker: str) -> bool:
    return item.worker == worker or item.lease_until is None or item.lease_until < now()
