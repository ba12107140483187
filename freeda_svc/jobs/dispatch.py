"""Sending the messages of items: what a message queue must offer, and which items are owed a message."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from sqlalchemy import ColumnElement, and_, or_, select, update

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.states import ItemState, JobKind
from freeda_svc.jobs.tables import Job, WorkItem, now
from freeda_svc.jobs.transitions import changed_rows
from freeda_svc.settings import Settings

MESSAGES_AT_ONCE = 500
FRESH = timedelta(seconds=60)
"""An item younger than this may still be on its way from the process that submitted it."""

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


def send_items(settings: Settings, dispatcher: Dispatcher, kind: JobKind, item_ids: Sequence[int]) -> int:
    """Send the messages of accepted items and note that they were sent.

    Items whose message cannot be sent now stay as they are; the reconciler sends it later.

    Returns:
        How many messages were sent.
    """
    sent = 0
    for start in range(0, len(item_ids), MESSAGES_AT_ONCE):
        batch = item_ids[start : start + MESSAGES_AT_ONCE]
        try:
            if not dispatcher.send(kind, batch):
                return sent
        except UnavailableError as error:
            log.warning(
                "messages not sent, the worker will find the items", kind=kind, items=len(batch), reason=str(error)
            )
            return sent
        with writing(settings) as session:
            changed_rows(session, update(WorkItem).where(WorkItem.id.in_(batch)).values(sent_at=now()))
        sent += len(batch)
    return sent


def items_owed_a_message(
    settings: Settings, kind: JobKind, *, queue_is_empty: bool, at_start: bool = False
) -> list[int]:
    """List queued items of a kind whose message is missing.

    Args:
        settings: the installation.
        kind: what is to be done.
        queue_is_empty: the queue holds no message at all, so those sent a while ago were lost.
        at_start: nobody is about to send: young items count, too.

    Returns:
        Item ids, oldest first.
    """
    moment = now()
    owed: list[ColumnElement[bool]] = [_unsent(moment, at_start=at_start)]
    if queue_is_empty:
        owed.append(WorkItem.sent_at < moment - timedelta(seconds=settings.reconcile_seconds))
    query = (
        select(WorkItem.id)
        .join(Job, Job.id == WorkItem.job_id)
        .where(Job.kind == kind, WorkItem.state == ItemState.QUEUED, or_(*owed))
        .order_by(WorkItem.id)
    )
    with reading(settings) as session:
        return list(session.scalars(query))


def _unsent(moment: datetime, *, at_start: bool) -> ColumnElement[bool]:
    if at_start:
        return WorkItem.sent_at.is_(None)
    return and_(WorkItem.sent_at.is_(None), or_(WorkItem.attempts > 0, WorkItem.created_at < moment - FRESH))
