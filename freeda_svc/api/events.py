"""A job's progress and events as they happen, as server-sent events; who listens takes no thread."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel, Field

from freeda_svc.api.access import Reader
from freeda_svc.api.bank_nouns import kept_nouns
from freeda_svc.api.bodies import without_references
from freeda_svc.api.context import Context, ServerContext
from freeda_svc.api.hidden import client_text, source_name
from freeda_svc.api.jobs import JobId, JobProgress
from freeda_svc.api.pages import MOST_DIGITS, Moment
from freeda_svc.api.problems import problems
from freeda_svc.api.waiting import BUSY
from freeda_svc.errors import FreedaError, InputError, UnavailableError
from freeda_svc.jobs import EventKind, JobEvent, JobState, JobSummary, find_job, job_events, job_summary
from freeda_svc.settings import Settings

EVENTS_AT_ONCE = 500
KEEP_ALIVE_SECONDS = 15.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0
LOOKS_A_PAUSE = 9
"""Between two looks a listener pauses so many times as long as a look takes: large jobs take the database a while."""
END = "-end"
"""What follows the number of the last event in the id of the one that says that a job has ended."""

_LAST_ID = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}({END})?")

router = APIRouter(tags=["jobs"])


class StreamedProgress(BaseModel):
    """Data of ``progress`` and ``end``: where a job stands."""

    job: str
    state: JobState
    progress: JobProgress


class StreamedEvent(BaseModel):
    """Data of ``event``: something that happened to a job."""

    id: int = Field(description="counts up within a job")
    item: int | None = Field(description="the item's number; null for what concerns the job")
    attempt: int | None = Field(description="the attempt at the item; null for what concerns none")
    kind: EventKind
    message: str = Field(description="for people; empty where the kind says all")
    at: Moment = Field(description="in UTC")


_ITEM = {  # as FastAPI describes streams of one kind of event
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"enum": ["progress", "event", "end"]},
        "id": {"type": "string", "pattern": f"^{_LAST_ID.pattern}$"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {
                "anyOf": [
                    without_references(kind.model_json_schema(mode="serialization"))
                    for kind in (StreamedProgress, StreamedEvent)
                ]
            },
        },
    },
}


@router.get(
    "/v1/jobs/{job_id}/events",
    summary="Follow a job",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "events named `progress` (counts), `event` (what happened, with ids) and `end` (the last)",
            "content": {"text/event-stream": {"itemSchema": _ITEM}},
        },
        204: {"description": "`Last-Event-ID` is that of `end`, and nothing has happened since: do not ask again"},
        **problems(404, 422, 503),
    },
)
async def follow_events(
    context: ServerContext,
    _access: Reader,
    job_id: JobId,
    last_event_id: Annotated[
        str,
        Header(
            description="go on after this event; browsers send it by themselves",
            max_length=40,
            json_schema_extra={"pattern": f"^({_LAST_ID.pattern})?$"},
        ),
    ] = "",
    *,
    progress_only: Annotated[bool, Query(description="leave out what happened to each item")] = False,
) -> Response:
    """Tell what happens to a job as server-sent events, until it has ended.

    Comments keep the connection open while nothing happens. A connection that was lost goes on where it was when the
    client sends the last `id` as `Last-Event-ID`, as browsers do.
    """
    full_id = await to_thread.run_sync(find_job, context.settings, job_id)
    if last_event_id and not _LAST_ID.fullmatch(last_event_id):
        raise InputError(f"Last-Event-ID is {last_event_id!r}, which is the id of no event")
    seen = int(last_event_id.removesuffix(END) or 0)
    look = await to_thread.run_sync(_look, context.settings, full_id, seen, progress_only)
    if last_event_id.endswith(END) and look.ended and not look.events:
        return Response(status_code=204)
    if not look.ended and not context.changes.has_room:
        raise UnavailableError(BUSY)
    stream = _stream(context, full_id, look, progress_only=progress_only)
    return StreamingResponse(
        stream,
        media_type=EventSourceResponse.media_type,
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


@dataclass(frozen=True)
class _Look:
    """What was seen of a job at once.

    Attributes:
        job: how far it was, before the events were read: so none of an ended job is missing.
        events: those after the last look, oldest first.
        seen: the id of the last event up to here.
        more: whether there may be further ones.
        took: seconds.
    """

    job: JobSummary
    events: list[JobEvent]
    seen: int
    more: bool
    took: float

    @property
    def ended(self) -> bool:
        return self.job.progress.has_ended and not self.more


def _look(settings: Settings, job_id: str, after: int, progress_only: bool) -> _Look:
    began = time.monotonic()
    job = job_summary(settings, job_id)
    has_ended = job.progress.has_ended
    events = (
        [] if progress_only else job_events(settings, job_id, after=after, limit=EVENTS_AT_ONCE, has_ended=has_ended)
    )
    seen = events[-1].id if events else after
    return _Look(job, events, seen, len(events) == EVENTS_AT_ONCE, time.monotonic() - began)


async def _stream(context: Context, job_id: str, look: _Look, *, progress_only: bool) -> AsyncIterator[bytes]:
    """Give the events of a job, beginning with what was seen already."""
    settings = context.settings
    with context.changes.watch(job_id) as watch:
        told: JobProgress | None = None
        sent_at = time.monotonic()
        while True:
            pieces = [_event_bytes(settings, look.job, event) for event in look.events]
            standing = _standing(look.job)
            if standing.progress != told:
                pieces.append(format_sse_event(event="progress", data_str=standing.model_dump_json()))
                told = standing.progress
            if look.ended:
                kept_nouns.note_job_end()
                last = format_sse_event(event="end", data_str=standing.model_dump_json(), id=f"{look.seen}{END}")
                yield b"".join([*pieces, last])
                return
            if not pieces and time.monotonic() >= sent_at + KEEP_ALIVE_SECONDS:
                pieces.append(format_sse_event(comment="nothing new"))
            if pieces:
                sent_at = time.monotonic()
                yield b"".join(pieces)
            if not look.more:
                await _pause(look.took)
                await watch.wait()
            if context.changes.ended:
                return
            try:
                look = await to_thread.run_sync(_look, settings, job_id, look.seen, progress_only)
            except FreedaError:  # the job was removed, or the database is away: who asks again is told
                return


async def _pause(took: float) -> None:
    await asyncio.sleep(min(max(LOOKS_A_PAUSE * took, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS))


def _standing(job: JobSummary) -> StreamedProgress:
    return StreamedProgress(job=job.id, state=job.state, progress=JobProgress(**asdict(job.progress)))


def _event_bytes(settings: Settings, job: JobSummary, event: JobEvent) -> bytes:
    message = event.message.replace(job.source, source_name(job.source)) if job.source else event.message
    if event.kind is EventKind.BEGUN:
        message = message.partition("@")[0]  # of the worker only its name, not its machine and home
    shown = StreamedEvent(
        id=event.id,
        item=event.item,
        attempt=event.attempt,
        kind=event.kind,
        message=client_text(message, settings),
        at=event.at,
    )
    return format_sse_event(event="event", data_str=shown.model_dump_json(), id=str(event.id))
