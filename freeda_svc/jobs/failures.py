"""What went wrong with the items of a job that were set aside."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select

from freeda_svc.jobs.control import find_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import ItemState
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.jobs.units import item_name
from freeda_svc.settings import Settings


@dataclass(frozen=True)
class ItemError:
    """Why an item was set aside.

    Attributes:
        number: of the item within its job, from 1.
        name: the image's file name, or how many captions or exemplars it holds.
        attempts: how many attempts were begun.
        error: one line.
        details: of the last attempt: the traceback, or the reason.
        worker: who made the last attempt.
        at: when the last attempt ended, in UTC; None where that is not known.
    """

    number: int
    name: str
    attempts: int
    error: str
    details: str
    worker: str
    at: datetime | None


def item_errors(settings: Settings, job_id: str, *, limit: int | None = None) -> list[ItemError]:
    """List a job's items that were set aside, in order.

    Raises:
        NotFoundError: there is no such job.
    """
    full_id = find_job(settings, job_id)
    last = and_(Attempt.item_id == WorkItem.id, Attempt.number == WorkItem.attempts)
    query = (
        select(WorkItem, Attempt)
        .outerjoin(Attempt, last)
        .where(WorkItem.job_id == full_id, WorkItem.state == ItemState.FAILED)
        .order_by(WorkItem.number)
        .limit(limit)
    )
    with reading(settings) as session:
        return [
            ItemError(
                number=item.number,
                name=item_name(item.input),
                attempts=item.attempts,
                error=item.error,
                details=attempt.error if attempt is not None else item.error,
                worker=attempt.worker if attempt is not None else "",
                at=attempt.finished_at if attempt is not None else None,
            )
            for item, attempt in session.execute(query)
        ]
