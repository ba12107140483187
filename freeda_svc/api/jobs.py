"""Jobs: what was submitted, how far it is and what failed; cancelling, and trying again."""

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from freeda_svc.api.access import Reader, Submitter
from freeda_svc.api.bank_nouns import kept_nouns
from freeda_svc.api.context import ServerContext
from freeda_svc.api.hidden import client_text, source_name, without_server
from freeda_svc.api.pages import AGE, CURSOR, Moment, NumberCursor, Page, number_after
from freeda_svc.api.problems import ProblemError, problems
from freeda_svc.errors import InputError
from freeda_svc.jobs import (
    JOB_STATE_NAMES,
    ItemState,
    JobFilter,
    JobKind,
    JobState,
    JobSummary,
    cancel_job,
    find_job,
    item_errors,
    job_items,
    job_summary,
    job_values,
    list_jobs,
    parse_age,
    result_totals,
    retry_failed_items,
)
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher

MOST_JOBS, MOST_ITEMS = 200, 1000
ERRORS_SHOWN = 50

router = APIRouter(tags=["jobs"])

_CURSOR = re.compile(r"([0-9]{1,16})-([0-9a-f]{12})")
JobCursor = Annotated[str, Query(**CURSOR, json_schema_extra={"pattern": f"^({_CURSOR.pattern})?$"})]
JobId = Annotated[str, Path(description="the job's id, or the beginning of it", examples=["3f2a90c41e77"])]
NO_JOB = problems(404, 422, 503)


class UnitCounts(BaseModel):
    """How far a job is, in what people count."""

    name: str = Field(description="captions, exemplars, images or prototypes")
    total: int = Field(description="how many the job has")
    ended: int = Field(description="how many are done, failed or cancelled")
    done: int = Field(description="how many of them are done")


class JobProgress(BaseModel):
    """Counts of a job's items."""

    total: int
    queued: int
    running: int
    done: int
    failed: int
    cancelled: int
    seconds_left: float | None = Field(description="estimated; null while nothing is known")
    units: UnitCounts


class Job(BaseModel):
    """A job."""

    id: str = Field(description="twelve hexadecimal digits")
    kind: JobKind
    state: JobState
    source: str = Field(description="where its input came from: names of files and folders")
    pack: str = Field(description="the model pack it was submitted for")
    parameters: dict[str, Any] = Field(description="what holds for all items: bank, categories, parameters")
    created_at: Moment = Field(description="in UTC")
    updated_at: Moment = Field(description="in UTC")
    progress: JobProgress
    priority: str = Field(description="low, normal or high")
    idempotency_key: str | None = Field(description="the client's own name for the request")


class FailedItem(BaseModel):
    """Why an item failed."""

    number: int = Field(description="of the item within its job, from 1")
    name: str = Field(description="the image's file name, or how many captions or exemplars the item holds")
    attempts: int = Field(description="how often it was tried")
    error: str = Field(description="one line")
    at: Moment | None = Field(description="when the last attempt ended, in UTC")


class JobDetails(Job):
    """A job with its outcome."""

    totals: dict[str, int] = Field(description="sums of what its items reported, such as prototypes; empty for images")
    errors: list[FailedItem] = Field(description=f"why items failed; the first {ERRORS_SHOWN}")


class Item(BaseModel):
    """An item of a job: one image, or a few captions or exemplars."""

    number: int = Field(description="within its job, from 1")
    name: str = Field(description="the image's file name, or how many captions or exemplars the item holds")
    state: ItemState
    attempts: int = Field(description="how often it was tried")
    error: str = Field(description="why it failed last; empty when it did not")
    result: dict[str, Any] | None = Field(description="what came out; null until it is done")


class Cancelled(BaseModel):
    """What cancelling did."""

    job: str
    cancelled: int = Field(description="items that will not be done")


class Retried(BaseModel):
    """What trying again did."""

    job: str
    queued: int = Field(description="items that are queued again")


@router.get("/v1/jobs", summary="List jobs, the newest first", responses=problems(422, 503))
def list_all_jobs(
    context: ServerContext,
    _access: Reader,
    *,
    state: Annotated[
        list[str],
        Query(
            description="only jobs in some of these states",
            json_schema_extra={"items": {"type": "string", "enum": [*JOB_STATE_NAMES]}},
        ),
    ] = [],  # noqa: B006 - FastAPI copies defaults
    kind: Annotated[list[JobKind], Query(description="only jobs of some of these kinds")] = [],  # noqa: B006
    source: Annotated[str, Query(description="only jobs whose source contains this text", max_length=1000)] = "",
    since: Annotated[
        str,
        Query(
            description="only jobs submitted so lately: 2d, 12h or 45m",
            max_length=50,
            json_schema_extra={"pattern": AGE},
        ),
    ] = "",
    limit: Annotated[int, Query(description="how many at most", ge=1, le=MOST_JOBS)] = 20,
    after: JobCursor = "",
) -> Page[Job]:
    """List jobs page by page, with how far each is."""
    if "\0" in source:  # no source has one, and PostgreSQL takes none
        return Page(items=[], next=None)
    wanted = JobFilter(
        states=frozenset(one for name in state for one in _states_named(name)),
        kinds=frozenset(kind),
        source=source,
        since=parse_age(since) if since else None,
    )
    found = list_jobs(context.settings, limit=limit + 1, wanted=wanted, after=_read_cursor(after))
    shown = found[:limit]
    return Page(
        items=[Job(**shown_job(job)) for job in shown],
        next=_cursor(shown[-1]) if len(found) > limit else None,
    )


@router.get("/v1/jobs/{job_id}", summary="Show a job", responses=NO_JOB)
def show_job(context: ServerContext, _access: Reader, job_id: JobId) -> JobDetails:
    """Show how far a job is, what came out in sum, and why items failed."""
    settings = context.settings
    job = job_summary(settings, job_id)
    if job.progress.has_ended:
        kept_nouns.note_job_end()  # who has waited for this end asks next what was learnt
    totals = {} if job.kind is JobKind.SEGMENT else result_totals(settings, job.id)
    errors = item_errors(settings, job.id, limit=ERRORS_SHOWN) if job.progress.failed else []
    failed = [
        FailedItem(
            number=error.number,
            name=source_name(error.name),
            attempts=error.attempts,
            error=client_text(error.error, settings),
            at=error.at,
        )
        for error in errors
    ]
    return JobDetails(**shown_job(job), totals=totals, errors=failed)


@router.get("/v1/jobs/{job_id}/items", summary="List a job's items", responses=NO_JOB)
def list_items(
    context: ServerContext,
    _access: Reader,
    job_id: JobId,
    state: Annotated[list[ItemState], Query(description="only items in some of these states")] = [],  # noqa: B006
    limit: Annotated[int, Query(description="how many at most", ge=1, le=MOST_ITEMS)] = 100,
    after: NumberCursor = "",
) -> Page[Item]:
    """List the items of a job in their order, page by page."""
    settings = context.settings
    found = job_items(settings, job_id, *state, limit=limit + 1, after=number_after(after))
    shown = found[:limit]
    items = [
        Item(
            **{
                **asdict(item),
                "name": source_name(item.name),
                "error": client_text(item.error, settings),
                "result": _shown_result(settings, item.result),
            }
        )
        for item in shown
    ]
    return Page(items=items, next=str(shown[-1].number) if len(found) > limit else None)


@router.delete("/v1/jobs/{job_id}", summary="Cancel a job", responses=problems(404, 409, 422, 503))
def cancel(context: ServerContext, _access: Submitter, job_id: JobId) -> Cancelled:
    """Cancel what has not begun; running items end first, and what is done stays.

    A job that has ended answers 409.
    """
    full_id = find_job(context.settings, job_id)
    try:
        return Cancelled(job=full_id, cancelled=cancel_job(context.settings, full_id))
    except InputError as error:
        raise ProblemError(409, str(error)) from error


@router.post("/v1/jobs/{job_id}/retry", summary="Try failed items again", responses=problems(404, 409, 422, 503))
def retry(context: ServerContext, _access: Submitter, job_id: JobId) -> Retried:
    """Queue a job's failed items again, with all their attempts before them.

    A job without failed items, or one that was cancelled, answers 409.
    """
    settings = context.settings
    full_id = find_job(settings, job_id)
    try:
        count = retry_failed_items(settings, full_id, dispatcher=CeleryDispatcher(settings))
    except InputError as error:
        raise ProblemError(409, str(error)) from error
    return Retried(job=full_id, queued=count)


def shown_job(job: JobSummary) -> dict[str, Any]:
    """Return a job as the command line's JSON has it, without paths of the server."""
    return {**job_values(job), "source": source_name(job.source), "pack": source_name(job.pack)}


def _shown_result(settings: Settings, result: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        name: without_server(value, settings) if isinstance(value, str) else value for name, value in result.items()
    }


def _states_named(name: str) -> tuple[JobState, ...]:
    states = JOB_STATE_NAMES.get(name.lower().replace(" ", "-"))
    if states is None:
        raise InputError(f"state is {name!r}, but must be one of {', '.join(JOB_STATE_NAMES)}")
    return states


def _cursor(job: JobSummary) -> str:
    """Return what tells a job's place in the list, also when the job has been removed."""
    return f"{_microseconds(job.created_at)}-{job.id}"


def _microseconds(moment: datetime) -> int:
    since = moment - datetime.fromtimestamp(0, UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _read_cursor(cursor: str) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InputError(f"after is {cursor!r}, which is no `next` of a page")
    whole, part = divmod(int(found[1]), 1_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=part), found[2]
