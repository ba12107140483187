"""Removing jobs that ended long ago, with what was kept for them; what other jobs use stays."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, func, select

from freeda_svc.errors import InputError
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.input_images import INPUTS
from freeda_svc.jobs.results import result_folder
from freeda_svc.jobs.states import ENDED_JOB_STATES, OPEN_ITEM_STATES, JobKind, JobState
from freeda_svc.jobs.tables import Job, WorkItem, now
from freeda_svc.settings import Settings
from freeda_svc.whole_files import ASIDE

NEW_FILE_SECONDS = 24 * 3600.0
"""A copied input may belong to a job that is just being accepted, and a file be just being written; both stay."""
ROWS_AT_ONCE = 1000

log = structlog.get_logger(__name__)


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


def prune_jobs(settings: Settings, older_than: timedelta, dry_run: bool = True) -> Pruned:
    """Remove jobs that ended some time ago: their rows, their results, and inputs that no other job uses.

    Prototypes that they added to a bank stay there, with their pictures. What interruptions have left goes, too: inputs
    that no job uses at all, and files that were begun and never put in place. An idempotency key of a removed job can
    be used again.

    Args:
        settings: the installation.
        older_than: how long ago a job must have ended.
        dry_run: only tell what would be removed.

    Raises:
        InputError: the time is negative.
    """
    if older_than < timedelta(0):
        raise InputError("jobs that will end in the future cannot be removed; give zero days or more")
    jobs = _ended_before(settings, now() - older_than)
    chosen = frozenset(job.id for job in jobs)
    folders = [result_folder(settings, job.id, 1).parent for job in jobs]
    if not dry_run:
        for job in jobs:
            with writing(settings) as session:
                session.execute(delete(Job).where(Job.id == job.id, _has_ended()))
    # Rows go first: files without rows are found the next time, rows without files would be broken jobs.
    of_jobs = [file for folder in folders for file in _files(folder)]
    files = {*of_jobs, *_unused_inputs(settings, chosen), *_begun_files(settings)}
    sizes = [size for file in files if (size := _size(file)) is not None]
    if not dry_run:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        for file in files:
            file.unlink(missing_ok=True)
        log.info("jobs pruned", jobs=len(jobs), files=len(sizes), bytes=sum(sizes))
    return Pruned(jobs, len(sizes), sum(sizes))


def _has_ended() -> ColumnElement[bool]:
    is_open = select(WorkItem.id).where(WorkItem.job_id == Job.id, WorkItem.state.in_(OPEN_ITEM_STATES))
    return Job.state.in_(ENDED_JOB_STATES) & ~is_open.exists()


def _ended_before(settings: Settings, moment: datetime) -> tuple[PrunedJob, ...]:
    items = select(func.count()).where(WorkItem.job_id == Job.id).scalar_subquery()
    query = select(Job, items).where(_has_ended(), Job.updated_at <= moment).order_by(Job.updated_at, Job.id)
    with reading(settings) as session:
        return tuple(
            PrunedJob(job.id, JobKind(job.kind), JobState(job.state), job.source, count, job.updated_at)
            for job, count in session.execute(query)
        )


def _unused_inputs(settings: Settings, without: frozenset[str]) -> list[Path]:
    """Copied inputs that no job uses, other than those that are being removed."""
    unused = {f"{INPUTS}/{file.name}" for file in _files(settings.artifacts_folder / INPUTS) if _is_old(file)}
    if not unused:
        return []
    query = select(WorkItem.job_id, WorkItem.input).where(WorkItem.kind.in_((JobKind.SEGMENT, JobKind.EXEMPLARS)))
    with reading(settings) as session:
        for job_id, given in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
            if job_id not in without:
                unused.difference_update(_inputs(given))
    return [settings.artifacts_folder / name for name in unused]


def _begun_files(settings: Settings) -> list[Path]:
    return [file for file in settings.artifacts_folder.rglob(ASIDE) if _is_old(file)]


def _inputs(given: dict[str, Any]) -> Iterator[str]:
    """The files that an item works on, below the artifact root."""
    for part in (given, *given.get("exemplars", ())):
        yield from (part[key] for key in ("image", "mask") if key in part)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def _is_old(file: Path) -> bool:
    try:
        return file.stat().st_mtime < time.time() - NEW_FILE_SECONDS
    except OSError:  # it has just gone
        return False


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
