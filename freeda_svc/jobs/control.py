"""What a person does to a job: find it, cancel it, try its failed items again."""

from typing import cast

from sqlalchemy import String, Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from freeda_svc.counts import counted
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.dispatch import Dispatcher, send_items
from freeda_svc.jobs.states import MOVES, EventKind, ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Callback, Job, WorkItem, now
from freeda_svc.jobs.transitions import changed_rows, move_items_of_job, move_job, record_event
from freeda_svc.settings import Settings

ID_LENGTH = 12
# Built once: that takes longer than running them, and requests wait for it.
_job_id = cast("Table", Job.__table__).c.id
_NAMED_IN_FULL = select(_job_id).where(_job_id == bindparam("wanted"))
_NAMED_BY_BEGINNING = select(_job_id).where(_job_id.startswith(bindparam("wanted", type_=String))).limit(2)


def find_job(settings: Settings, job_id: str) -> str:
    """Return the full id of a job named by its id or by the beginning of it.

    Raises:
        NotFoundError: no job begins so, or several do.
    """
    with reading(settings) as session:
        return find_job_in(session, job_id)


def find_job_in(session: Session, job_id: str) -> str:
    """Return the full id of a job named by its id or by the beginning of it.

    Raises:
        NotFoundError: no job begins so, or several do.
    """
    wanted = job_id.strip().lower()
    if not wanted or len(wanted) > ID_LENGTH or set(wanted) - set("0123456789abcdef"):
        raise NotFoundError(f"there is no job {job_id!r}; `freeda jobs list` shows them")
    query = _NAMED_IN_FULL if len(wanted) == ID_LENGTH else _NAMED_BY_BEGINNING
    found = session.execute(query, {"wanted": wanted}).scalars().all()
    if not found:
        raise NotFoundError(f"there is no job {job_id!r}; `freeda jobs list` shows them")
    if len(found) > 1:
        raise NotFoundError(f"several jobs begin with {job_id!r}; give more of the id")
    return str(found[0])


def get_job(session: Session, full_id: str, *, locked: bool = False) -> Job:
    """Return a job that was there a moment ago.

    Args:
        session: a view of the database.
        full_id: its id.
        locked: whether its state stays as it is until the transaction ends; rows of its items are locked before.

    Raises:
        NotFoundError: it was removed since.
    """
    job = session.get(Job, full_id, with_for_update={"key_share": True} if locked else None)
    if job is None:
        raise NotFoundError(f"there is no job {full_id!r} any more; `freeda jobs list` shows them")
    return job


def cancel_job(settings: Settings, job_id: str) -> int:
    """Cancel what has not been begun; running items end first, what is done stays.

    A move that is running is ended by its worker within moments.

    Returns:
        How many items were cancelled, or are ended in a moment.

    Raises:
        NotFoundError: there is no such job.
        InputError: the job has ended already.
    """
    full_id = find_job(settings, job_id)
    with writing(settings) as session:
        items = move_items_of_job(session, full_id, ItemState.QUEUED, ItemState.CANCELLED)
        cancelled = move_job(session, full_id, JobState.QUEUED, JobState.CANCELLED) or move_job(
            session, full_id, JobState.RUNNING, JobState.CANCELLED
        )
        if not cancelled:
            state = get_job(session, full_id).state
            raise InputError(f"job {full_id} is {state} already; only a queued or running job can be cancelled")
        record_event(session, full_id, EventKind.CANCELLED, f"{counted(items, 'item')} not begun")
        running = (WorkItem.job_id == full_id, WorkItem.state == ItemState.RUNNING, WorkItem.kind.in_(MOVES))
        return items + session.execute(select(func.count()).select_from(WorkItem).where(*running)).scalar_one()


def retry_failed_items(settings: Settings, job_id: str, *, dispatcher: Dispatcher) -> int:
    """Put a job's failed items back into the queue, with all their attempts before them.

    Returns:
        How many items will be tried again.

    Raises:
        NotFoundError: there is no such job.
        InputError: the job has no failed items, or was cancelled.
        UnavailableError: the message queue does not answer; nothing was changed.
    """
    full_id = find_job(settings, job_id)
    dispatcher.check()
    with writing(settings) as session:
        failed = select(WorkItem.id).where(WorkItem.job_id == full_id, WorkItem.state == ItemState.FAILED)
        item_ids = session.scalars(failed.order_by(WorkItem.id)).all()
        move_items_of_job(session, full_id, ItemState.FAILED, ItemState.QUEUED, failures=0, error="")
        job = get_job(session, full_id, locked=True)  # its last item may just be ending, which ends the job, too
        if job.state == JobState.CANCELLED:
            raise InputError(f"job {full_id} was cancelled; submit it again instead")
        if not item_ids:
            raise InputError(f"job {full_id} has no failed items")
        ended = (JobState.PARTLY_FAILED, JobState.FAILED)
        if any(move_job(session, full_id, state, JobState.RUNNING) for state in ended):
            _reopen_callback(session, full_id)
        record_event(session, full_id, EventKind.RETRIED, counted(len(item_ids), "item"))
        changed_rows(session, update(Job).where(Job.id == full_id).values(updated_at=now()))
    send_items(dispatcher, JobKind(job.kind), item_ids)
    return len(item_ids)


def _reopen_callback(session: Session, job_id: str) -> None:
    """Have the next end of a job posted, too."""
    changed_rows(
        session,
        update(Callback)
        .where(Callback.job_id == job_id)
        .values(
            state="open",
            round=Callback.round + 1,
            tries=0,
            first_try_at=None,
            next_try_at=func.current_timestamp(),
            lease_until=None,
        ),
    )
