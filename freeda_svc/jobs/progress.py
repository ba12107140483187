"""What a person sees of jobs: lists, counts, time left, what failed and what came out."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Select, Table, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from freeda_svc.errors import InputError
from freeda_svc.jobs.control import find_job, get_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import ENDED_JOB_STATES, OPEN_ITEM_STATES, EventKind, ItemState, JobKind, JobState, Priority
from freeda_svc.jobs.tables import Attempt, Event, Job, WorkItem, now
from freeda_svc.jobs.units import Units, count_units, item_name
from freeda_svc.settings import Settings

RECENT_ATTEMPTS = 50
LOOKS_A_PAUSE = 9
"""A client that follows a job pauses so many times as long as a query takes, which is slow for 100,000 items."""
LONGEST_PAUSE_SECONDS = 5.0
FEW_ITEMS = 10
"""Looking at so few costs next to nothing: who follows them looks as soon as it is woken."""
LONGEST_AGE = timedelta(days=36_500)
_items = cast("Table", WorkItem.__table__)
_ANY_OPEN = (
    select(_items.c.id).where(_items.c.job_id == bindparam("the_job"), _items.c.state.in_(OPEN_ITEM_STATES)).limit(1)
)
_AGE_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass(frozen=True)
class Progress:
    """How far a job is: counts of its items, and an estimate.

    Attributes:
        total: all items.
        queued: waiting.
        running: in a worker's hands.
        done: ended well.
        failed: given up.
        cancelled: not begun before the job was cancelled.
        seconds_left: from how long recent items took and how many are worked on at once; None when nothing is left
            or nothing is known yet.
        units: the same in captions, exemplars or images.
    """

    total: int
    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    seconds_left: float | None
    units: Units

    @property
    def ended(self) -> int:
        """Items that will not change any more by themselves."""
        return self.done + self.failed + self.cancelled

    @property
    def has_ended(self) -> bool:
        """Whether all items have."""
        return self.ended == self.total


@dataclass(frozen=True)
class JobSummary:
    """A job and how far it is."""

    id: str
    kind: JobKind
    state: JobState
    source: str
    pack: str
    parameters: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    progress: Progress
    priority: Priority = Priority.NORMAL
    idempotency_key: str | None = None


@dataclass(frozen=True)
class ItemSummary:
    """An item of a job; ``name`` is the image's file name, or how many captions or exemplars it holds."""

    number: int
    name: str
    state: ItemState
    attempts: int
    error: str
    result: dict[str, Any] | None


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are meant: those for which everything that is given holds; all where nothing is.

    Attributes:
        states: some of these.
        kinds: some of these.
        source: what the source contains, letter case aside.
        since: how long ago they were submitted at most.
    """

    states: frozenset[JobState] = frozenset()
    kinds: frozenset[JobKind] = frozenset()
    source: str = ""
    since: timedelta | None = None

    def narrow(self, query: Select[Job]) -> Select[Job]:
        """Return the query for the jobs that are meant."""
        if self.states:
            query = query.where(Job.state.in_(self.states))
        if self.kinds:
            query = query.where(Job.kind.in_(self.kinds))
        if self.source:
            query = query.where(Job.source.icontains(self.source, autoescape=True))
        if self.since is not None:
            query = query.where(Job.created_at >= now() - self.since)
        return query


def parse_age(text: str) -> timedelta:
    """Read a time span such as 30d, 12h or 45m.

    Raises:
        InputError: it is none, or too long.
    """
    number, unit = text[:-1], _AGE_UNITS.get(text[-1:])
    if unit is None or not (number.isascii() and number.isdecimal()):
        raise InputError(f"{text!r} is no time span; write a number with d, h, m or s, such as 30d.")
    try:
        age = timedelta(**{unit: int(number)})
    except (OverflowError, ValueError):  # so many digits, too
        age = timedelta.max
    if age > LONGEST_AGE:
        raise InputError(f"{text!r} is too long a time span.")
    return age


def list_jobs(
    settings: Settings,
    *,
    limit: int = 20,
    wanted: JobFilter = JobFilter(),
    after: tuple[datetime, str] | None = None,
) -> list[JobSummary]:
    """List the newest jobs first.

    Args:
        settings: the installation.
        limit: how many at most.
        wanted: which.
        after: go on after a job, by its ``created_at`` and ``id``; it need not be there any more.
    """
    with reading(settings) as session:
        query = wanted.narrow(select(Job))
        if after is not None:
            moment, job_id = after
            query = query.where(or_(Job.created_at < moment, and_(Job.created_at == moment, Job.id > job_id)))
        jobs = session.scalars(query.order_by(Job.created_at.desc(), Job.id).limit(limit)).all()
        return [_summary(session, job) for job in jobs]


def job_summary(settings: Settings, job_id: str) -> JobSummary:
    """Look at one job, named by its id or the beginning of it.

    Raises:
        NotFoundError: there is no such job.
    """
    full_id = find_job(settings, job_id)
    with reading(settings) as session:
        job = get_job(session, full_id)
        summary = _summary(session, job)
        if summary.progress.has_ended and summary.state not in ENDED_JOB_STATES:
            session.refresh(job)  # PostgreSQL may have given it as it was before its last item ended
            summary = _summary(session, job)
        return summary


def job_values(job: JobSummary) -> dict[str, Any]:
    """Return a job as JSON shows it: its values by their names, and its priority in words."""
    return {**asdict(job), "priority": job.priority.name.lower()}


def follow_job(
    settings: Settings, job_id: str, *, every_seconds: float = 0.5, wait: Callable[[float], object] = time.sleep
) -> Iterator[JobSummary]:
    """Look at a job again and again; the last look is the one at which nothing of it is open any more.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        every_seconds: the pause between two looks; a few seconds where a look takes long.
        wait: waits for so many seconds at most; it may return as soon as the job has changed.

    Raises:
        NotFoundError: there is no such job.
    """
    return follow_looks(lambda: job_summary(settings, job_id), every_seconds=every_seconds, wait=wait)


def follow_looks(
    look: Callable[[], JobSummary], *, every_seconds: float, wait: Callable[[float], object]
) -> Iterator[JobSummary]:
    """Look at a job in whatever way again and again, as ``follow_job`` does.

    Args:
        look: returns the job as it is.
        every_seconds: see ``follow_job``.
        wait: see ``follow_job``.
    """
    while True:
        began = time.monotonic()
        summary = look()
        took = time.monotonic() - began
        yield summary
        if summary.progress.has_ended:
            return
        few = summary.progress.total <= FEW_ITEMS
        rest = 0.0 if few else min(LOOKS_A_PAUSE * took, LONGEST_PAUSE_SECONDS)
        time.sleep(rest)
        wait(max(0.0, every_seconds - rest))


def job_state(settings: Settings, job_id: str) -> JobState:
    """Return the state of a job; ``job_id`` is complete.

    Raises:
        NotFoundError: there is no such job.
    """
    with reading(settings) as session:
        return JobState(get_job(session, job_id).state)


def has_open_items(settings: Settings, job_id: str) -> bool:
    """Tell whether anything of a job waits or is worked on; ``job_id`` is complete."""
    with reading(settings) as session:
        return session.execute(_ANY_OPEN, {"the_job": job_id}).first() is not None


def job_items(
    settings: Settings, job_id: str, *states: ItemState, limit: int | None = None, after: int = 0
) -> list[ItemSummary]:
    """List a job's items in order; only those in one of the states, when some are given.

    Args:
        settings: the installation.
        job_id: the job's id, or the beginning of it.
        states: of the items.
        limit: how many at most; all when None.
        after: only items with a higher number.

    Raises:
        NotFoundError: there is no such job.
    """
    full_id = find_job(settings, job_id)
    of_job = WorkItem.job_id == full_id, WorkItem.number > after
    query = select(WorkItem).where(*of_job).order_by(WorkItem.number).limit(limit)
    if states:
        query = query.where(WorkItem.state.in_(states))
    with reading(settings) as session:
        return [
            ItemSummary(
                item.number, item_name(item.input), ItemState(item.state), item.attempts, item.error, item.result
            )
            for item in session.scalars(query)
        ]


def _summary(session: Session, job: Job) -> JobSummary:
    query = select(WorkItem.state, func.count()).where(WorkItem.job_id == job.id).group_by(WorkItem.state)
    counts = {ItemState(state): count for state, count in session.execute(query)}
    left = counts.get(ItemState.QUEUED, 0) + counts.get(ItemState.RUNNING, 0)
    lost = counts.get(ItemState.FAILED, 0) + counts.get(ItemState.CANCELLED, 0)
    total = sum(counts.values())
    progress = Progress(
        total=total,
        queued=counts.get(ItemState.QUEUED, 0),
        running=counts.get(ItemState.RUNNING, 0),
        done=counts.get(ItemState.DONE, 0),
        failed=counts.get(ItemState.FAILED, 0),
        cancelled=counts.get(ItemState.CANCELLED, 0),
        seconds_left=_seconds_left(session, job.id, left, at_once=max(1, counts.get(ItemState.RUNNING, 0))),
        units=count_units(session, job, items=total, ended_items=total - left, lost_items=lost),
    )
    return JobSummary(
        id=job.id,
        kind=JobKind(job.kind),
        state=JobState(job.state),
        source=job.source,
        pack=job.pack,
        parameters=job.parameters,
        created_at=job.created_at,
        updated_at=job.updated_at,
        progress=progress,
        priority=Priority(job.priority),
        idempotency_key=job.idempotency_key,
    )


def _seconds_left(session: Session, job_id: str, left: int, *, at_once: int) -> float | None:
    if not left:
        return None
    # Events are found in order by an index; a job of 100,000 items has as many attempts, in no useful order.
    done = (
        select(Event.item_id, Event.attempt)
        .where(Event.job_id == job_id, Event.kind == EventKind.DONE)
        .order_by(Event.id.desc())
        .limit(RECENT_ATTEMPTS)
        .subquery()
    )
    recent = select(Attempt.started_at, Attempt.finished_at).join(
        done, (Attempt.item_id == done.c.item_id) & (Attempt.number == done.c.attempt)
    )
    # A clock that was set back meanwhile makes a duration negative.
    durations = [max(0.0, (end - start).total_seconds()) for start, end in session.execute(recent) if end is not None]
    return left * sum(durations) / len(durations) / at_once if durations else None
