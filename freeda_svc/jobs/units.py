"""What people count of a job (captions, exemplars, images, prototypes, not its items), and what an item is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from freeda_svc.jobs.states import MOVES, OPEN_ITEM_STATES, ItemState, JobKind
from freeda_svc.jobs.tables import Job, WorkItem

LOST_ITEM_STATES = (ItemState.FAILED, ItemState.CANCELLED)
SO_FAR = "so far"
"""In the result of a running item: how many of its captions, exemplars or prototypes are done."""
_NAMES = {
    JobKind.INGEST: "captions",
    JobKind.EXEMPLARS: "exemplars",
    JobKind.SEGMENT: "images",
    **dict.fromkeys(MOVES, "prototypes"),
}


@dataclass(frozen=True)
class Units:
    """How far a job is.

    Attributes:
        name: ``captions``, ``exemplars``, ``images`` or ``prototypes``.
        total: how many the job has.
        ended: how many are done, failed or cancelled; also in running items, as far as their workers have said so.
        done: those of them that are neither failed nor cancelled.
    """

    name: str
    total: int
    ended: int
    done: int


def count_units(session: Session, job: Job, *, items: int, ended_items: int, lost_items: int) -> Units:
    """Count what a job holds, without reading all of its items.

    All items of a job hold as much as its first one; only the last may hold less.

    Args:
        session: a view of the database.
        job: the job.
        items: how many items it has.
        ended_items: how many of them have ended.
        lost_items: how many of those failed or were cancelled.
    """
    name = _NAMES[JobKind(job.kind)]
    total = int(job.parameters.get(name, 0))
    if name == "images" or not total:  # of jobs that were accepted before that was noted, too
        return Units(name if name == "images" else "items", items, ended_items, ended_items - lost_items)
    if ended_items == items and not lost_items:
        return Units(name, total, total, total)
    of_job = select(WorkItem.input).where(WorkItem.job_id == job.id)
    first = session.scalar(of_job.where(WorkItem.number == 1))
    size = len((first or {}).get(name, ())) or 1
    short = items * size - total  # what the last item holds less
    last = session.scalar(select(WorkItem.state).where(WorkItem.job_id == job.id, WorkItem.number == items))
    ended = ended_items * size - (0 if last in OPEN_ITEM_STATES else short)
    lost = lost_items * size - (short if last in LOST_ITEM_STATES else 0)
    running = select(WorkItem.result).where(WorkItem.job_id == job.id, WorkItem.state == ItemState.RUNNING)
    ended += sum(int((result or {}).get(SO_FAR, 0)) for result in session.scalars(running))
    ended = min(max(ended, 0), total)
    return Units(name, total, ended, max(ended - lost, 0))


def item_name(given: Mapping[str, Any]) -> str:
    """Return the image's file name, what is moved, or how many captions or exemplars an item holds.

    >>> item_name({"captions": ["a cat", "a dog"]})
    '2 captions'
    """
    if "name" in given:
        return str(given["name"])
    kind = "exemplars" if "exemplars" in given else "captions"
    return f"{len(given.get(kind, ()))} {kind}"
