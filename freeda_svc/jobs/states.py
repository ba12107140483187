"""The states of jobs, items and attempts, and which may follow which."""

from enum import StrEnum


class JobKind(StrEnum):
    """What a job does; also the name of the queue its items wait in."""

    INGEST = "ingest"
    EXEMPLARS = "exemplars"
    SEGMENT = "segment"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemState(StrEnum):
    """Where an item stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class AttemptOutcome(StrEnum):
    """How an attempt at an item ended.

    ``LOST`` is an attempt whose worker fell silent, ``HANDED_BACK`` one whose worker was asked to stop.
    """

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    HANDED_BACK = "handed back"


JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED}),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset({JobState.RUNNING}),  # its failed items are tried again
    JobState.CANCELLED: frozenset(),
}

ITEM_TRANSITIONS: dict[ItemState, frozenset[ItemState]] = {
    ItemState.QUEUED: frozenset({ItemState.RUNNING, ItemState.CANCELLED}),
    ItemState.RUNNING: frozenset(  # running to running renews the lease
        {ItemState.RUNNING, ItemState.DONE, ItemState.FAILED, ItemState.QUEUED, ItemState.CANCELLED}
    ),
    ItemState.DONE: frozenset(),
    ItemState.FAILED: frozenset({ItemState.QUEUED}),
    ItemState.CANCELLED: frozenset(),
}

OPEN_ITEM_STATES = (ItemState.QUEUED, ItemState.RUNNING)
