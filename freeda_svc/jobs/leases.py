"""Finding items whose worker fell silent, without comparing clocks.

A lease is renewed by writing a new time into the item. That time is the worker's own, and clocks of machines differ
and jump; so the watch does not ask whether it has passed, but whether it has changed: an item that was seen with
the same lease for as long as the lease lasts, by the watcher's own monotonic clock, is silent. The length of a lease
is the difference of two times that the worker wrote at once, so it needs no common clock either.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.attempts import lose_attempts
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.states import ItemState, JobKind
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings

SILENT = "its worker fell silent"
FROZEN_LOOKS = 5
FROZEN_SECONDS = 30.0
"""A watcher that looks later than both allow was frozen itself, and has to watch again."""


@dataclass(frozen=True)
class RunningLease:
    """A lease in the database."""

    item_id: int
    attempt: int
    until: datetime
    seconds: float


class LeaseWatch:
    """Watches the items that are in workers' hands, from one process.

    A watcher that was stopped and continued does not know what it missed: it begins again, so that a machine that wakes
    up does not take its own items for abandoned.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._seen: dict[RunningLease, float] = {}
        self._looked = clock()

    def put_back_silent_items(self) -> int:
        """Put back items whose lease has not changed for as long as it lasts; returns how many.

        Raises:
            UnavailableError: the database does not answer. No lease can be renewed meanwhile, so all begin again.
        """
        moment = self._clock()
        if moment - self._looked > max(FROZEN_LOOKS * self._settings.reconcile_seconds, FROZEN_SECONDS):
            self._seen.clear()
        self._looked = moment
        try:
            leases = running_leases(self._settings)
        except UnavailableError:
            self._seen.clear()
            raise
        self._seen = {lease: self._seen.get(lease, moment) for lease in leases}
        silent = [lease for lease, since in self._seen.items() if moment - since >= lease.seconds]
        return sum(_put_back(self._settings, lease) for lease in silent)


def running_leases(settings: Settings) -> list[RunningLease]:
    """Read the leases of all items that are running; those of images last, which show that another item paused."""
    query = select(WorkItem.id, WorkItem.attempts, WorkItem.lease_until, WorkItem.updated_at)
    order = WorkItem.kind == JobKind.SEGMENT, WorkItem.id
    with reading(settings) as session:
        rows = session.execute(query.where(WorkItem.state == ItemState.RUNNING).order_by(*order)).all()
    return [
        RunningLease(item_id, attempt, until, (until - renewed).total_seconds())
        for item_id, attempt, until, renewed in rows
        if until is not None
    ]


def _put_back(settings: Settings, lease: RunningLease) -> bool:
    with writing(settings) as session:
        item = session.get(WorkItem, lease.item_id, with_for_update=True)
        if item is None or item.state != ItemState.RUNNING:
            return False
        if item.attempts != lease.attempt or item.lease_until != lease.until:  # it was renewed meanwhile
            return False
        return lose_attempts(session, [item], reason=SILENT, max_attempts=settings.max_attempts) == 1
