"""Sending messages: what a message queue must offer, and how many messages the waiting items lack.

A message says that something waits in its queue; the item whose number it carries is begun by it or by another.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from sqlalchemy import or_, select, update

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.states import ItemState, JobKind
from freeda_svc.jobs.tables import Job, WorkItem, now
from freeda_svc.jobs.transitions import changed_rows
from freeda_svc.settings import Settings

MESSAGES_AT_ONCE = 1000
MOST_MISSING = 10_000
"""More messages than this are never sent at once, however many items wait: they keep workers busy for a while."""
FRESH = timedelta(seconds=60)
"""The messages of a job that is younger may still be on their way from the process that submitted it."""

log = structlog.get_logger(__name__)


class Dispatcher(Protocol):
    """Puts messages into the queue that the workers read."""

    def check(self) -> None:
        """See that messages can be kept, now or later.

        Raises:
            UnavailableError: they cannot.
        """

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        """Put one message for each item into the queue of its kind.

        Returns:
            False when nobody keeps messages now: a worker that starts later finds the items in the database.

        Raises:
            UnavailableError: the queue does not answer.
        """


def send_items(dispatcher: Dispatcher, kind: JobKind, item_ids: Sequence[int]) -> bool:
    """Send the messages of accepted items, ``MOST_MISSING`` at most.

    The others, and those that cannot be sent now, are sent later by the reconciler.

    Returns:
        Whether all that were to be sent now were sent.
    """
    item_ids = item_ids[:MOST_MISSING]
    for start in range(0, len(item_ids), MESSAGES_AT_ONCE):
        batch = item_ids[start : start + MESSAGES_AT_ONCE]
        try:
            if not dispatcher.send(kind, batch):
                return False
        except UnavailableError as error:
            rest = len(item_ids) - start
            log.warning("messages not sent, the worker will find the items", kind=kind, items=rest, reason=str(error))
            return False
    return True


def send_job(settings: Settings, dispatcher: Dispatcher, job_id: str, kind: JobKind, item_ids: Sequence[int]) -> bool:
    """Send the messages of a job that was just accepted, and note that this is done."""
    sent = send_items(dispatcher, kind, item_ids)
    if sent:
        with writing(settings) as session:
            changed_rows(session, update(Job).where(Job.id == job_id).values(sent_at=now(), updated_at=Job.updated_at))
    return sent


def items_lacking_messages(settings: Settings, kind: JobKind, *, messages: int, at_start: bool = False) -> list[int]:
    """List waiting items of a kind for which there are too few messages.

    Messages are not told apart: it is enough that there are as many as items wait, or ``MOST_MISSING``.

    Args:
        settings: the installation.
        kind: what is to be done.
        messages: how many wait in the queue.
        at_start: nobody is about to send: items of young jobs count, too.

    Returns:
        Item ids, oldest first; at most ``MOST_MISSING - messages``.
    """
    if messages >= MOST_MISSING:
        return []
    on_their_way = select(Job.id).where(Job.sent_at.is_(None), Job.kind == kind, Job.created_at > now() - FRESH)
    query = select(WorkItem.id).where(WorkItem.state == ItemState.QUEUED, WorkItem.kind == kind)
    with reading(settings) as session:
        if not at_start:
            young = session.scalars(on_their_way).all()
            query = query.where(or_(WorkItem.attempts > 0, WorkItem.job_id.not_in(young))) if young else query
        return list(session.scalars(query.order_by(WorkItem.id).limit(MOST_MISSING - messages).offset(messages)))
