"""A worker's side: taking an item, keeping it, and saying how it ended.

A message only says that something waits; which item is begun is decided here, from the database (decision 13). An
attempt is named by the item's running number of attempts: who comes back after losing an item changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Select, Table, bindparam, func, insert, select
from sqlalchemy.orm import Session

from freeda_svc.jobs.attempts import end_attempt, give_up_attempt, lose_attempts
from freeda_svc.jobs.database import noting, reading, writing
from freeda_svc.jobs.states import AttemptOutcome, EventKind, ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Attempt, Job, WorkItem, now
from freeda_svc.jobs.transitions import move_item, move_job, record_event, settle_job
from freeda_svc.jobs.units import SO_FAR
from freeda_svc.settings import Settings

LOST = "its worker was lost"
CANCELLED = "its job was cancelled"

_jobs = cast("Table", Job.__table__)
_items = cast("Table", WorkItem.__table__)
_INSERT_ATTEMPT = insert(cast("Table", Attempt.__table__))
_RUNNING = select(_items.c.id).where(_items.c.state == ItemState.RUNNING, _items.c.worker == bindparam("the_worker"))
_WAITING = (
    select(
        _items.c.id,
        _items.c.attempts,
        _items.c.number,
        _items.c.input,
        _jobs.c.id,
        _jobs.c.pack,
        _jobs.c.fingerprint,
        _jobs.c.parameters,
        _jobs.c.state,
    )
    .join(_jobs, _jobs.c.id == _items.c.job_id)
    .where(
        _items.c.state == ItemState.QUEUED,
        _items.c.kind == bindparam("the_kind"),
        _items.c.priority == bindparam("the_priority"),
    )
    .order_by(_items.c.id)
    .limit(bindparam("the_most"))
    .with_for_update(of=_items, skip_locked=True)  # what another worker is just taking
)
_WAITING_UNBEGUN = _WAITING.where(_items.c.attempts == 0)
_ANY_UNBEGUN = (
    select(_items.c.id)
    .where(
        _items.c.state == ItemState.QUEUED,
        _items.c.kind == bindparam("the_kind"),
        _items.c.priority >= bindparam("the_priority"),
        _items.c.attempts == 0,
    )
    .limit(1)
)


class JobCancelledError(Exception):
    """The current item is not wanted any more."""


@dataclass(frozen=True)
class Claim:
    """An item that a worker has claimed.

    Attributes:
        item_id: the item.
        attempt: number of this attempt at it, from 1.
        number: of the item within its job, from 1.
        job_id: its job.
        kind: what is to be done.
        pack: name or folder of the model pack the job was asked of.
        fingerprint: of that pack.
        parameters: what holds for all items of the job.
        input: what this item works on.
        priority: a ``Priority``.
    """

    item_id: int
    attempt: int
    number: int
    job_id: str
    kind: JobKind
    pack: str
    fingerprint: str
    parameters: dict[str, Any]
    input: dict[str, Any]
    priority: int = 0


def claim_next(settings: Settings, worker: str, kinds: Sequence[JobKind] = tuple(JobKind)) -> Claim | None:
    """Claim the item that is to be begun next.

    Between items a worker has none, so one that it was running is lost: that attempt counts, or an item that kills
    its worker would be tried for ever.

    Args:
        settings: the installation.
        worker: name of the worker, one at a time in the whole installation.
        kinds: what the worker does. The highest priority comes first, then the order of ``kinds``, then age.

    Returns:
        The claim, or None when nothing waits.
    """
    claims = claim_together(settings, worker, kinds)
    return claims[0] if claims else None


def claim_together(
    settings: Settings,
    worker: str,
    kinds: Sequence[JobKind] = tuple(JobKind),
    *,
    most: Callable[[Claim], int] = lambda _first: 1,
    fit: Callable[[Claim, Claim], bool] = lambda _first, _other: True,
    pausing: Claim | None = None,
) -> list[Claim]:
    """Claim the item that is to be begun next, and those behind it that are done together with it.

    One that was begun before is done alone: it may be what ended its worker. So none is claimed in a pause of another.

    Args:
        settings: the installation.
        worker: as ``claim_next`` takes it.
        kinds: as ``claim_next`` takes them.
        most: how many at most, together with the first one; called in the transaction, as ``fit`` is. 0 leaves the
            first one where it is.
        fit: whether an item of the same kind can be done together with the first one.
        pausing: the item of this worker in whose pause others are claimed, of its priority or a higher one; it stays
            the worker's. None between items.

    Returns:
        The claims in the order in which they would be claimed one by one; none when nothing waits.
    """
    with noting(settings) as session:
        while (found := _next_waiting(session, settings, worker, kinds, pausing)) is not None:
            claim = found.claim
            if found.job_state == JobState.CANCELLED:  # it was put back in the instant in which its job was cancelled
                move_item(session, claim.item_id, ItemState.QUEUED, ItemState.CANCELLED, attempt=claim.attempt - 1)
                continue
            together = most(claim) if claim.attempt == 1 else 1
            if together < 1:
                return []
            _begin(session, settings, claim, worker)
            begun = [found]
            if together > 1:
                for other in _waiting(session, claim.kind, claim.priority, together - 1):
                    if other.claim.attempt > 1 or other.job_state == JobState.CANCELLED or not fit(claim, other.claim):
                        break
                    _begin(session, settings, other.claim, worker)
                    begun.append(other)
            for job_id in sorted({one.claim.job_id for one in begun if one.job_state == JobState.QUEUED}):
                move_job(session, job_id, JobState.QUEUED, JobState.RUNNING)
            return [one.claim for one in begun]
    return []


def may_be_claimed(settings: Settings, kind: JobKind, pausing: Claim) -> bool:
    """Return whether an item of a kind waits that can be claimed in a pause of another; a look that changes nothing."""
    with reading(settings) as session:
        wanted = {"the_kind": kind, "the_priority": pausing.priority}
        return session.execute(_ANY_UNBEGUN, wanted).first() is not None


def renew_lease(settings: Settings, claim: Claim) -> bool:
    """Say that the item is still being worked on; False when another worker has claimed it by now."""
    with noting(settings) as session:
        return _move_claim(session, claim, ItemState.RUNNING, **_lease(settings))


def note_progress(settings: Settings, claim: Claim, done: int) -> bool:
    """Say how many captions, exemplars or prototypes of the current item are done.

    Returns:
        False when another worker has claimed it.
    """
    with noting(settings) as session:
        return _move_claim(session, claim, ItemState.RUNNING, result={SO_FAR: done}, **_lease(settings))


def finish_item(settings: Settings, claim: Claim, result: dict[str, Any]) -> bool:
    """Record the result and end the item; False, and nothing recorded, when another worker has claimed it by now."""
    return finish_items(settings, [(claim, result)])[0]


def finish_items(settings: Settings, results: Sequence[tuple[Claim, dict[str, Any]]]) -> list[bool]:
    """Record the results of several items at once; see ``finish_item``."""
    with writing(settings) as session:
        finished = [_finish(session, claim, result) for claim, result in results]
        jobs = {claim.job_id for (claim, _), is_finished in zip(results, finished, strict=True) if is_finished}
        for job_id in sorted(jobs):  # in one order, so that two workers do not wait for each other
            settle_job(session, job_id)
        return finished


def fail_item(settings: Settings, claim: Claim, reason: str, details: str = "", *, final: bool) -> bool:
    """Record a failed attempt.

    Args:
        settings: the installation.
        claim: the current item.
        reason: one line for people.
        details: the traceback; the reason when empty.
        final: trying again would not help; otherwise it is tried ``max_attempts`` times.

    Returns:
        Whether the item will be tried again. False also when another worker has claimed it by now.
    """
    limit = 0 if final else settings.max_attempts
    failed = AttemptOutcome.FAILED
    state = _give_up_claim(settings, claim, failed, reason=reason, details=details, max_attempts=limit)
    return state is ItemState.QUEUED


def hand_back_item(settings: Settings, claim: Claim, reason: str) -> bool:
    """Put an item back that cannot be done now for a reason that is not its own; the attempt does not count.

    Returns:
        Whether the item will be tried again. False also when another worker has claimed it by now.
    """
    handed_back = AttemptOutcome.HANDED_BACK
    state = _give_up_claim(settings, claim, handed_back, reason=reason, max_attempts=settings.max_attempts)
    return state is ItemState.QUEUED


def hand_back_items(settings: Settings, worker: str, *, lost: bool) -> int:
    """Put back what a worker was running when it stopped.

    Args:
        settings: the installation.
        worker: the worker that is certainly not working any more.
        lost: it died (the attempts count as failed) rather than being asked to stop (they do not).

    Returns:
        How many items it was running.
    """
    outcome = AttemptOutcome.LOST if lost else AttemptOutcome.HANDED_BACK
    reason = LOST if lost else "its worker was stopped"
    with writing(settings) as session:
        return _give_up_running(session, settings, worker, outcome, reason)


def is_cancelled(settings: Settings, claim: Claim) -> bool:
    """Return whether the job of the current item was cancelled, or is gone."""
    with reading(settings) as session:
        state = session.execute(select(_jobs.c.state).where(_jobs.c.id == claim.job_id)).scalar()
    return state in {JobState.CANCELLED, None}


def times_handed_back(settings: Settings, claim: Claim, reason: str) -> int:
    """Count the attempts at the current item that were handed back for a reason which begins so."""
    query = select(func.count()).where(
        Attempt.item_id == claim.item_id,
        Attempt.outcome == AttemptOutcome.HANDED_BACK,
        Attempt.error.startswith(reason, autoescape=True),
    )
    with reading(settings) as session:
        return session.execute(query).scalar_one()


def has_running_item(settings: Settings, worker: str) -> bool:
    """Return whether a worker has an item that it has not ended."""
    with reading(settings) as session:
        return session.execute(_RUNNING, {"the_worker": worker}).first() is not None


def _give_up_running(session: Session, settings: Settings, worker: str, outcome: AttemptOutcome, reason: str) -> int:
    mine = select(WorkItem).where(WorkItem.state == ItemState.RUNNING, WorkItem.worker == worker)
    items = session.scalars(mine.order_by(WorkItem.id).with_for_update()).all()
    if outcome is AttemptOutcome.LOST:
        lose_attempts(session, items, reason=reason, max_attempts=settings.max_attempts)
        return len(items)
    for item in items:
        give_up_attempt(session, item, outcome, reason=reason, max_attempts=settings.max_attempts)
    return len(items)


@dataclass(frozen=True)
class _Waiting:
    """An item that waits, as it will be claimed, and what is known of its job."""

    claim: Claim
    job_state: str


def _next_waiting(
    session: Session, settings: Settings, worker: str, kinds: Sequence[JobKind], pausing: Claim | None
) -> _Waiting | None:
    """The item to begin next; between items, what the worker was running is put back."""
    look = _look(tuple(kinds))
    running, *priorities = session.execute(look, {"the_worker": worker}).one()
    if running is not None and pausing is None:
        _give_up_running(session, settings, worker, AttemptOutcome.LOST, LOST)
        _, *priorities = session.execute(look, {"the_worker": worker}).one()
    waiting = [(priority, kind) for priority, kind in zip(priorities, kinds, strict=True) if priority is not None]
    for priority, kind in sorted(waiting, key=lambda level: -level[0]):  # stable: kinds stay in order
        if pausing is None or priority >= pausing.priority:
            for found in _waiting(session, kind, priority, 1, unbegun=pausing is not None):
                return found
    return None


@lru_cache(maxsize=16)
def _look(kinds: tuple[JobKind, ...]) -> "Select[Any]":
    """What the worker is running, and the highest priority of what waits of each kind: in one round trip."""
    running = _RUNNING.limit(1).scalar_subquery()
    highest = select(func.max(_items.c.priority)).where(_items.c.state == ItemState.QUEUED)
    return select(running, *(highest.where(_items.c.kind == kind).scalar_subquery() for kind in kinds))


def _waiting(session: Session, kind: JobKind, priority: int, most: int, *, unbegun: bool = False) -> list[_Waiting]:
    query = _WAITING_UNBEGUN if unbegun else _WAITING
    found = session.execute(query, {"the_kind": kind, "the_priority": priority, "the_most": most})
    return [
        _Waiting(
            Claim(item_id, attempts + 1, number, job_id, kind, pack, fingerprint, parameters, given, priority), state
        )
        for item_id, attempts, number, given, job_id, pack, fingerprint, parameters, state in found
    ]


def _begin(session: Session, settings: Settings, claim: Claim, worker: str) -> None:
    moved = move_item(
        session,
        claim.item_id,
        ItemState.QUEUED,
        ItemState.RUNNING,
        attempt=claim.attempt - 1,
        attempts=claim.attempt,
        worker=worker,
        **_lease(settings),
    )
    assert moved, "the row was locked, or the whole database"
    attempt = {"item_id": claim.item_id, "number": claim.attempt, "worker": worker, "outcome": AttemptOutcome.RUNNING}
    session.execute(_INSERT_ATTEMPT, attempt)
    record_event(session, claim.job_id, EventKind.BEGUN, worker, item_id=claim.item_id, attempt=claim.attempt)


def _finish(session: Session, claim: Claim, result: dict[str, Any]) -> bool:
    finished = _move_claim(session, claim, ItemState.DONE, result=result, error="", worker="", lease_until=None)
    if finished:
        end_attempt(session, claim.item_id, claim.attempt, AttemptOutcome.DONE)
        record_event(session, claim.job_id, EventKind.DONE, item_id=claim.item_id, attempt=claim.attempt)
    return finished


def _give_up_claim(
    settings: Settings,
    claim: Claim,
    outcome: AttemptOutcome,
    *,
    reason: str,
    details: str = "",
    max_attempts: int,
) -> ItemState | None:
    with writing(settings) as session:
        item = session.get(WorkItem, claim.item_id, with_for_update=True)
        if item is None or item.state != ItemState.RUNNING or item.attempts != claim.attempt:
            return None
        return give_up_attempt(session, item, outcome, reason=reason, details=details, max_attempts=max_attempts)


def _move_claim(session: Session, claim: Claim, target: ItemState, **values: Any) -> bool:  # noqa: ANN401 - columns
    return move_item(session, claim.item_id, ItemState.RUNNING, target, attempt=claim.attempt, **values)


def _lease(settings: Settings) -> dict[str, Any]:
    """When the lease was renewed and until when it holds; others read from these two only how long it is."""
    moment = now()
    return {"updated_at": moment, "lease_until": moment + timedelta(seconds=settings.lease_seconds)}
