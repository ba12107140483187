"""Removing jobs that ended long ago, with what was kept for them; what other jobs use stays."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, func, select

from freeda_svc.artifacts import StoredFile, open_artifacts
from freeda_svc.errors import InputError
from freeda_svc.jobs.control import find_job
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.input_images import INPUTS
from freeda_svc.jobs.results import results_of_job
from freeda_svc.jobs.states import ENDED_JOB_STATES, OPEN_ITEM_STATES, JobKind, JobState
from freeda_svc.jobs.tables import Job, WorkItem, now
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings

NEW_FILE_SECONDS = 24 * 3600.0
"""A copied input may belong to a job that is just being accepted, and a file be just being written; both stay."""
ROWS_AT_ONCE = 1000

log = logger(__name__)


@dataclass(frozen=True)
class PrunedJob:
    """A job that was removed, or would be."""

    id: str
    kind: JobKind
    state: JobState
    source: str
    items: int
    ended_at: datetime


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        jobs: the oldest first.
        files: how many files of results and inputs.
        bytes: how much room they take.
    """

    jobs: tuple[PrunedJob, ...]
    files: int
    bytes: int


def prune_jobs(settings: Settings, older_than: timedelta, dry_run: bool = True, *, only: Sequence[str] = ()) -> Pruned:
    """Remove jobs that ended some time ago: their rows, their results, and inputs that no other job uses.

    Prototypes that they added to a bank stay there, with their pictures. What interruptions have left goes, too: inputs
    that no job uses at all, and files that were begun and never put in place. An idempotency key of a removed job can
    be used again. A job that goes on meanwhile, because its failed items are tried again, stays with all it has.

    Args:
        settings: the installation.
        older_than: how long ago a job must have ended; without meaning for jobs that are named.
        dry_run: only report what would be removed.
        only: remove these jobs, named by their ids or the beginnings of them, and nothing else.

    Returns:
        What was removed, or would be.

    Raises:
        InputError: the time is negative, or a job that is named has not ended.
        NotFoundError: there is no such job.
        UnavailableError: the database or the place of the artifacts does not answer.
    """
    if older_than < timedelta(0):
        raise InputError("jobs that will end in the future cannot be removed; give zero days or more")
    jobs = _named_jobs(settings, only) if only else _ended_before(settings, now() - older_than)
    inputs = _inputs_of_jobs(settings, jobs)
    artifacts = open_artifacts(settings)
    results = {job.id: list(artifacts.files(results_of_job(job.id))) for job in jobs}
    if not dry_run:
        jobs = tuple(job for job in jobs if remove_rows(settings, job))
    chosen = frozenset(job.id for job in jobs)
    # Rows go first: files without rows are found the next time, rows without files would be broken jobs.
    ended = {name: job.ended_at for job in jobs for name in inputs[job.id]}
    unused = unused_inputs(settings, ended, without=chosen, only_named=bool(only))
    begun = [] if only else list(artifacts.begun(older_than=time.time() - NEW_FILE_SECONDS))
    of_jobs = [file for job in jobs for file in results[job.id]]
    sizes = {file.name: file.size for file in (*of_jobs, *unused, *begun)}
    if not dry_run:
        for job in jobs:
            artifacts.remove_below(results_of_job(job.id))
        for file in begun:
            artifacts.remove(file.name)
        for file in unused:
            if not artifacts.remove_unchanged(file):
                sizes.pop(file.name, None)
        log.info("jobs pruned", jobs=len(jobs), files=len(sizes), bytes=sum(sizes.values()))
    return Pruned(jobs, len(sizes), sum(sizes.values()))


def remove_rows(settings: Settings, job: PrunedJob) -> bool:
    """Remove a job as it was seen; False, and nothing removed, when it has gone on or is gone."""
    is_as_seen = (Job.id == job.id) & (Job.updated_at == job.ended_at) & _has_ended()
    with writing(settings) as session:
        result = session.execute(delete(Job).where(is_as_seen), execution_options={"synchronize_session": False})
        return cast("CursorResult[Any]", result).rowcount == 1


def _has_ended() -> ColumnElement[bool]:
    is_open = select(WorkItem.id).where(WorkItem.job_id == Job.id, WorkItem.state.in_(OPEN_ITEM_STATES))
    return Job.state.in_(ENDED_JOB_STATES) & ~is_open.exists()


def _ended_before(settings: Settings, moment: datetime) -> tuple[PrunedJob, ...]:
    return _jobs(settings, _has_ended() & (Job.updated_at <= moment))


def _named_jobs(settings: Settings, named: Sequence[str]) -> tuple[PrunedJob, ...]:
    ids = list(dict.fromkeys(find_job(settings, job_id) for job_id in named))
    found = _jobs(settings, _has_ended() & Job.id.in_(ids))
    open_jobs = sorted(set(ids) - {job.id for job in found})
    if open_jobs:
        raise InputError(f"job {open_jobs[0]} has not ended: cancel it first, or wait for what is running")
    return found


def _jobs(settings: Settings, condition: ColumnElement[bool]) -> tuple[PrunedJob, ...]:
    items = select(func.count()).where(WorkItem.job_id == Job.id).scalar_subquery()
    query = select(Job, items).where(condition).order_by(Job.updated_at, Job.id)
    with reading(settings) as session:
        return tuple(
            PrunedJob(job.id, JobKind(job.kind), JobState(job.state), job.source, count, job.updated_at)
            for job, count in session.execute(query)
        )


def _inputs_of_jobs(settings: Settings, jobs: Sequence[PrunedJob]) -> dict[str, set[str]]:
    """The files that each job works on, below the artifact root."""
    found: dict[str, set[str]] = {job.id: set() for job in jobs}
    with reading(settings) as session:
        for job in jobs:
            if job.kind is not JobKind.INGEST:
                for given in session.scalars(select(WorkItem.input).where(WorkItem.job_id == job.id)):
                    found[job.id].update(_inputs(given))
    return found


def unused_inputs(
    settings: Settings, ended: Mapping[str, datetime], *, without: frozenset[str], only_named: bool
) -> list[StoredFile]:
    """Copied inputs that no job uses, other than those that are being removed.

    Args:
        settings: the installation.
        ended: inputs of the jobs that are being removed, and when their job had ended: what was written later belongs
            to a job that is just being accepted.
        without: ids of the jobs that are being removed.
        only_named: inputs of other jobs, however old, stay.
    """
    found = {}
    for file in open_artifacts(settings).files(INPUTS):
        is_of_job = file.name in ended and file.written < ended[file.name].timestamp()
        if is_of_job or (not only_named and file.written < time.time() - NEW_FILE_SECONDS):
            found[file.name] = file
    if not found:
        return []
    query = select(WorkItem.job_id, WorkItem.input).where(WorkItem.kind.in_((JobKind.SEGMENT, JobKind.EXEMPLARS)))
    with reading(settings) as session:
        for job_id, given in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
            if job_id not in without:
                for name in _inputs(given):
                    found.pop(name, None)
    return list(found.values())


def _inputs(given: dict[str, Any]) -> Iterator[str]:
    """The files that an item works on, below the artifact root."""
    for part in (given, *given.get("exemplars", ())):
        yield from (part[key] for key in ("image", "mask", "regions") if key in part)
