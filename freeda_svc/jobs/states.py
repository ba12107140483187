"""The states of jobs, items and attempts, and which may follow which."""

from enum import IntEnum, StrEnum


class JobKind(StrEnum):
    """What a job does; also the name of the queue its items wait in."""

    INGEST = "ingest"
    EXEMPLARS = "exemplars"
    SEGMENT = "segment"
    EXPORT = "export"
    IMPORT = "import"


MOVES = (JobKind.EXPORT, JobKind.IMPORT)
"""They move a whole bank as one item, which can be ended at any moment and continues where it stopped."""


class Priority(IntEnum):
    """What comes before what: of waiting items those of a higher priority begin first."""

    LOW = -10
    NORMAL = 0
    HIGH = 10


class JobState(StrEnum):
    """Where a job stands; ``PARTLY_FAILED`` ended with items that are done and items that were set aside."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    PARTLY_FAILED = "partly failed"
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


class EventKind(StrEnum):
    """What happened to a job or an item of it.

    ``SET_ASIDE`` is an item that failed or was lost too often, or whose failure nothing could help: it is tried no
    more, and its job goes on without it.
    """

    SUBMITTED = "submitted"
    JOB_STATE = "job state"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    HANDED_BACK = "handed back"
    SET_ASIDE = "set aside"
    CANCELLED = "cancelled"
    RETRIED = "retried"


JOB_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.PARTLY_FAILED, JobState.FAILED, JobState.CANCELLED}),
    JobState.DONE: frozenset(),
    JobState.PARTLY_FAILED: frozenset({JobState.RUNNING}),  # its failed items are tried again
    JobState.FAILED: frozenset({JobState.RUNNING}),
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
ENDED_JOB_STATES = (JobState.DONE, JobState.PARTLY_FAILED, JobState.FAILED, JobState.CANCELLED)
JOB_STATE_NAMES: dict[str, tuple[JobState, ...]] = {
    **{state.replace(" ", "-"): (state,) for state in JobState},
    "open": tuple(state for state in JobState if state not in ENDED_JOB_STATES),
    "ended": ENDED_JOB_STATES,
}
"""What filters call states, and groups of them."""
