"""How much work there is and how it went lately, counted for monitoring: cheap enough to be asked every few seconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from freeda_svc.jobs.database import reading
from freeda_svc.jobs.queues import oldest_waiting_seconds
from freeda_svc.jobs.states import AttemptOutcome, ItemState, JobKind, JobState
from freeda_svc.jobs.tables import Attempt, Job, WorkItem, now
from freeda_svc.settings import Settings

RECENT_MINUTES = 5
COUNTED_ITEM_STATES = (ItemState.QUEUED, ItemState.RUNNING, ItemState.FAILED)
"""Done and cancelled items are all the others: there may be millions, and none needs attention."""
COUNTED_JOB_STATES = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Census:
    """Numbers about all work of the installation; what is not counted is zero, and stands here as such.

    Attributes:
        items: how many items of each kind are in each of ``COUNTED_ITEM_STATES``.
        jobs: how many jobs are in each of ``COUNTED_JOB_STATES``.
        oldest_seconds: for how long the item of each kind that waits longest has been there; 0 when none waits.
        ended: how many attempts of each kind ended in each way over the last ``RECENT_MINUTES``.
    """

    items: Mapping[tuple[JobKind, ItemState], int]
    jobs: Mapping[JobState, int]
    oldest_seconds: Mapping[JobKind, float]
    ended: Mapping[tuple[JobKind, AttemptOutcome], int]


def take_census(settings: Settings) -> Census:
    """Count the work of the installation.

    Raises:
        UnavailableError: the database does not answer.
    """
    items = (
        select(WorkItem.kind, WorkItem.state, func.count())
        .where(WorkItem.state.in_(COUNTED_ITEM_STATES))
        .group_by(WorkItem.kind, WorkItem.state)
    )
    jobs = select(Job.state, func.count()).where(Job.state.in_(COUNTED_JOB_STATES)).group_by(Job.state)
    ended = (
        select(WorkItem.kind, Attempt.outcome, func.count())
        .join(WorkItem, WorkItem.id == Attempt.item_id)
        .where(Attempt.finished_at > now() - timedelta(minutes=RECENT_MINUTES))
        .group_by(WorkItem.kind, Attempt.outcome)
    )
    outcomes = [outcome for outcome in AttemptOutcome if outcome is not AttemptOutcome.RUNNING]
    with reading(settings) as session:
        items_found = {(kind, state): count for kind, state, count in session.execute(items)}
        jobs_found = dict(session.execute(jobs).all())
        ended_found = {(kind, outcome): count for kind, outcome, count in session.execute(ended)}
        oldest = {kind: oldest_waiting_seconds(session, kind) or 0.0 for kind in JobKind}
    return Census(
        items={(kind, state): items_found.get((kind, state), 0) for kind in JobKind for state in COUNTED_ITEM_STATES},
        jobs={state: jobs_found.get(state, 0) for state in COUNTED_JOB_STATES},
        oldest_seconds=oldest,
        ended={(kind, outcome): ended_found.get((kind, outcome), 0) for kind in JobKind for outcome in outcomes},
    )
