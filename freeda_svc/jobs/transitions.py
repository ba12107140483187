"""Changing states: one UPDATE that names the state it starts from, so of two writers exactly one wins.

What happened is recorded in the same transaction. Rows of items are locked before that of their job, so that two
writers never wait for each other. Statements are built once: that takes longer than running them.
"""

from functools import lru_cache
from typing import Any, cast

from sqlalchemy import CursorResult, Select, Table, Update, bindparam, insert, select, update
from sqlalchemy.orm import Session

from freeda_svc.jobs.states import (
    ITEM_TRANSITIONS,
    JOB_TRANSITIONS,
    OPEN_ITEM_STATES,
    EventKind,
    ItemState,
    JobState,
)
from freeda_svc.jobs.tables import Event, Job, WorkItem

_jobs = cast("Table", Job.__table__)
_items = cast("Table", WorkItem.__table__)
_INSERT_EVENT = insert(cast("Table", Event.__table__))
# Who has written an event shares the key of the job's row: such a lock is not in their way.
_LOCK_JOB = select(_jobs.c.id).where(_jobs.c.id == bindparam("job")).with_for_update(key_share=True)


def record_event(
    session: Session,
    job_id: str,
    kind: EventKind,
    message: str = "",
    *,
    item_id: int | None = None,
    attempt: int | None = None,
) -> None:
    """Write down what happened to a job or to an item of it."""
    event = {"job_id": job_id, "item_id": item_id, "attempt": attempt, "kind": kind, "message": message}
    session.execute(_INSERT_EVENT, event)


def move_job(session: Session, job_id: str, source: JobState, target: JobState) -> bool:
    """Bring a job from one state into another; False when it was not in the first."""
    assert target in JOB_TRANSITIONS[source], f"a job cannot go from {source} to {target}"
    moved = changed_rows(session, update(Job).where(Job.id == job_id, Job.state == source).values(state=target)) == 1
    if moved:
        record_event(session, job_id, EventKind.JOB_STATE, f"{source} to {target}")
    return moved


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
    statement = _item_update(source, target, tuple(values))
    given = {
        "the_item": item_id,
        "the_attempt": attempt,
        **{f"new_{column}": value for column, value in values.items()},
    }
    return cast("CursorResult[Any]", session.execute(statement, given)).rowcount == 1


@lru_cache(maxsize=64)
def _item_update(source: ItemState, target: ItemState, columns: tuple[str, ...]) -> Update:
    assert target in ITEM_TRANSITIONS[source], f"an item cannot go from {source} to {target}"
    return (
        update(_items)
        .where(
            _items.c.id == bindparam("the_item"),
            _items.c.state == source,
            _items.c.attempts == bindparam("the_attempt"),
        )
        .values(state=target, **{column: bindparam(f"new_{column}") for column in columns})
    )


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
    """End a running job when none of its items is open any more.

    While items wait the job's row is not locked, or all workers of a large job would stand in line for it.
    """
    if _has_items(session, job_id, ItemState.QUEUED):
        return
    session.execute(_LOCK_JOB, {"job": job_id})  # so that two last items do not miss each other
    if _has_items(session, job_id, *OPEN_ITEM_STATES):
        return
    if not _has_items(session, job_id, ItemState.FAILED):
        outcome = JobState.DONE
    elif _has_items(session, job_id, ItemState.DONE):
        outcome = JobState.PARTLY_FAILED
    else:
        outcome = JobState.FAILED
    move_job(session, job_id, JobState.RUNNING, outcome)


def settle_forgotten_jobs(session: Session) -> int:
    """End running jobs without open items, which two transactions can leave when each sees the other's item open.

    Returns:
        How many jobs there were.
    """
    is_open = select(WorkItem.id).where(WorkItem.job_id == Job.id, WorkItem.state.in_(OPEN_ITEM_STATES))
    forgotten = session.scalars(select(Job.id).where(Job.state == JobState.RUNNING, ~is_open.exists())).all()
    for job_id in forgotten:
        settle_job(session, job_id)
    return len(forgotten)


def changed_rows(session: Session, statement: Update) -> int:
    """Run an UPDATE past the session's objects; returns how many rows it changed."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def _has_items(session: Session, job_id: str, *states: ItemState) -> bool:
    return session.execute(_items_in(states), {"job": job_id}).first() is not None


@lru_cache(maxsize=16)
def _items_in(states: tuple[ItemState, ...]) -> Select[int]:
    return select(_items.c.id).where(_items.c.job_id == bindparam("job"), _items.c.state.in_(states)).limit(1)
