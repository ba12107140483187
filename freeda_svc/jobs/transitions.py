"""Changing states: one UPDATE that names the state it starts from, so of two writers exactly one wins."""

from typing import Any, cast

from sqlalchemy import CursorResult, Update, select, update
from sqlalchemy.orm import Session

from freeda_svc.jobs.states import ITEM_TRANSITIONS, JOB_TRANSITIONS, OPEN_ITEM_STATES, ItemState, JobState
from freeda_svc.jobs.tables import Job, WorkItem


def move_job(session: Session, job_id: str, source: JobState, target: JobState) -> bool:
    """Bring a job from one state into another; False when it was not in the first."""
    assert target in JOB_TRANSITIONS[source], f"a job cannot go from {source} to {target}"
    return changed_rows(session, update(Job).where(Job.id == job_id, Job.state == source).values(state=target)) == 1


def move_item(
    session: Session,
    item_id: int,
    source: ItemState,
    target: ItemState,
    *,
    attempt: int,
    **values: Any,  # noqa: ANN401 - columns of the table
) -> bool:
    """Bring an item from one state into another.

    Args:
        session: in a writing transaction.
        item_id: the item.
        source: the state it must be in.
        target: the state it comes into.
        attempt: how many attempts must have been begun: who has lost the item changes nothing.
        values: other columns to set.

    Returns:
        False, with nothing changed, when the item was in another state or attempt.
    """
    assert target in ITEM_TRANSITIONS[source], f"an item cannot go from {source} to {target}"
    statement = update(WorkItem).where(WorkItem.id == item_id, WorkItem.state == source, WorkItem.attempts == attempt)
    return changed_rows(session, statement.values(state=target, **values)) == 1


def move_items_of_job(
    session: Session,
    job_id: str,
    source: ItemState,
    target: ItemState,
    **values: Any,  # noqa: ANN401 - columns of the table
) -> int:
    """Bring all items of a job that are in one state into another; returns how many."""
    assert target in ITEM_TRANSITIONS[source], f"an item cannot go from {source} to {target}"
    statement = update(WorkItem).where(WorkItem.job_id == job_id, WorkItem.state == source)
    return changed_rows(session, statement.values(state=target, **values))


def settle_job(session: Session, job_id: str) -> None:
    """End a running job when none of its items is open any more."""
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update())  # two last items do not miss each other
    is_open = select(WorkItem.id).where(WorkItem.job_id == job_id, WorkItem.state.in_(OPEN_ITEM_STATES)).limit(1)
    if session.execute(is_open).first() is not None:
        return
    failed = select(WorkItem.id).where(WorkItem.job_id == job_id, WorkItem.state == ItemState.FAILED).limit(1)
    outcome = JobState.DONE if session.execute(failed).first() is None else JobState.FAILED
    move_job(session, job_id, JobState.RUNNING, outcome)


def changed_rows(session: Session, statement: Update) -> int:
    """Run an UPDATE past the session's objects; returns how many rows it changed."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount
