"""Sending messages: what a message queue must offer, and how many messages the waiting items lack.

A message says that something waits in its queue; the item whose number it carries is begun by it or by another.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from sqlalchemy import or_, select, update

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.database import noting, reading
from freeda_svc.jobs.states import ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Job, WorkItem, now
from freeda_svc.jobs.transitions import changed_rows
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings

MESSAGES_AT_ONCE = 1000
MOST_MISSING = 10_000
"""More messages than this are never sent at once, however many items wait: they keep workers busy for a while."""
FRESH_SECONDS = 60.0
"""For so long the messages of a job may still be on their way from the process that submitted it."""

log = logger(__name__)


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
            False when the broker is not running: a worker that starts later finds the items in the database.

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


def send_job(
    settings: Settings,
    dispatcher: Dispatcher,
    job_id: str,
    kind: JobKind,
    item_ids: Sequence[int],
    *,
    is_noted: bool = False,
) -> bool:
    """Send the messages of a job that was just accepted, and note that this is done unless it was noted before."""
    sent = send_items(dispatcher, kind, item_ids)
    if sent and not is_noted:
        with noting(settings) as session:  # where it is forgotten, messages are sent again, which does no harm
            changed_rows(session, update(Job).where(Job.id == job_id).values(sent_at=now(), updated_at=Job.updated_at))
    return sent


class UnsentWatch:
    """Watches jobs whose messages may still be on their way, from one process and by its own monotonic clock.

    The database has the time of submission by the clock of the client; clocks of machines differ, and jump.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._seen: dict[str, float] = {}

    def young(self) -> frozenset[str]:
        """The ids of unsent jobs that were not there ``FRESH_SECONDS`` ago, as far as this watch knows.

        Raises:
            UnavailableError: the database does not answer.
        """
        unsent = select(Job.id).where(Job.sent_at.is_(None), Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
        with reading(self._settings) as session:
            found = session.scalars(unsent).all()
        moment = self._clock()
        self._seen = {job: self._seen.get(job, moment) for job in found}
        return frozenset(job for job, since in self._seen.items() if moment - since < FRESH_SECONDS)


def items_lacking_messages(
    settings: Settings, kind: JobKind, *, messages: int, young: Collection[str] = ()
) -> list[int]:
    """List waiting items of a kind for which there are too few messages.

    Messages are not matched with items: it is enough that there are as many as items wait, or ``MOST_MISSING``.

    Args:
        settings: the installation.
        kind: what is to be done.
        messages: how many wait in the queue.
        young: jobs whose messages may still be on their way; none when no client is about to send.

    Returns:
        Item ids, oldest first; at most ``MOST_MISSING - messages``.
    """
    if messages >= MOST_MISSING:
        return []
    query = select(WorkItem.id).where(WorkItem.state == ItemState.QUEUED, WorkItem.kind == kind)
    if young:
        query = query.where(or_(WorkItem.attempts > 0, WorkItem.job_id.not_in(young)))
    with reading(settings) as session:
        return list(session.scalars(query.order_by(WorkItem.id).limit(MOST_MISSING - messages).offset(messages)))
