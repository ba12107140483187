"""Removing jobs that ended long ago, with their results."""

from fastapi import APIRouter
from pydantic import BaseModel, Field, StrictBool

from freeda_svc.api.access import Administrator
from freeda_svc.api.context import ServerContext
from freeda_svc.api.hidden import source_name
from freeda_svc.api.pages import AGE, Moment
from freeda_svc.api.problems import ProblemError, problems
from freeda_svc.errors import InputError
from freeda_svc.jobs import JobKind, JobState, PrunedJob, parse_age, prune_jobs

DEFAULT_AGE = "30d"
MOST_NAMED = 1000

router = APIRouter(tags=["jobs"])


class ToPrune(BaseModel, extra="forbid"):
    """Which jobs are to be removed."""

    jobs: list[str] = Field(
        [], description="these and no others: their ids, or the beginnings of them", max_length=MOST_NAMED
    )
    older_than: str = Field(
        "",
        description=f"without jobs: those that ended so long ago, as in 12h or 45m; {DEFAULT_AGE} when empty",
        max_length=50,
        json_schema_extra={"pattern": AGE},
    )
    dry_run: StrictBool = Field(False, description="only say what would be removed")


class RemovedJob(BaseModel):
    """A job that was removed, or would be."""

    id: str
    kind: JobKind
    state: JobState
    source: str = Field(description="where its input came from: names of files and folders")
    items: int = Field(description="how many it had")
    ended_at: Moment = Field(description="in UTC")


class PrunedJobs(BaseModel):
    """What was removed, or would be."""

    jobs: list[RemovedJob] = Field(description="the oldest first")
    files: int = Field(description="files of results, and copied images that no other job uses")
    bytes: int = Field(description="how much room they take")
    removed: bool = Field(description="whether anything was removed")


@router.post("/v1/prune", summary="Remove jobs with their results", responses=problems(404, 409, 422, 503))
def prune(context: ServerContext, _access: Administrator, body: ToPrune) -> PrunedJobs:
    """Remove jobs that ended long ago, or those that are named, with their results; `dry_run` lists them before.

    What jobs added to a bank stays there. A job that is named and has not ended answers 409.
    """
    if body.jobs and body.older_than:
        raise InputError("older_than goes without jobs that are named")
    age = parse_age(body.older_than or DEFAULT_AGE)
    try:
        found = prune_jobs(context.settings, age, dry_run=body.dry_run, only=body.jobs)
    except InputError as error:
        raise ProblemError(409, str(error)) from error
    return PrunedJobs(
        jobs=[_shown(job) for job in found.jobs],
        files=found.files,
        bytes=found.bytes,
        removed=bool(found.jobs or found.files) and not body.dry_run,
    )


def _shown(job: PrunedJob) -> RemovedJob:
    return RemovedJob(
        id=job.id,
        kind=job.kind,
        state=job.state,
        source=source_name(job.source),
        items=job.items,
        ended_at=job.ended_at,
    )
