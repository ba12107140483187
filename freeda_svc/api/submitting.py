"""What all submissions share: the client's key, how long it waits, and what is answered."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from anyio import to_thread
from fastapi import Header, Request, Response
from pydantic import BaseModel, Field

from freeda_svc.api.access import Access
from freeda_svc.api.callbacks import check_callback
from freeda_svc.api.context import Context
from freeda_svc.api.waiting import wait_for_end
from freeda_svc.errors import InputError
from freeda_svc.jobs import JobState, job_state, keep_callback
from freeda_svc.settings import Settings

LONGEST_WAIT_SECONDS = 300
_WAIT = re.compile(r"\s*wait\s*=\s*\"?([^\";\s]*)\"?\s*(;.*)?", re.IGNORECASE)

IdempotencyKey = Annotated[
    str,
    Header(
        description="Your own name for this request, such as a UUID: sending it again gives the same job. With another "
        "request under the same key: 422."
    ),
]
Prefer = Annotated[
    list[str],
    Header(
        description=f"`wait=N` (RFC 7240): answer with what came out if the job ends within N seconds, at most "
        f"{LONGEST_WAIT_SECONDS}; otherwise 202 as without it.",
        examples=[["wait=30"]],
    ),
]

Answer = TypeVar("Answer", bound=BaseModel)
Entry = TypeVar("Entry", bound=BaseModel)


class LeftOutImage(BaseModel):
    """An image that was not accepted."""

    number: int = Field(description="of the image within the request, from 1")
    name: str = Field(description="what the client calls it")
    error: str = Field(description="one sentence: what is wrong with it")


class Accepted(BaseModel):
    """A job that was accepted and goes on."""

    job: str = Field(description="its id")
    state: JobState = Field(description="queued, or that of the job which the same `Idempotency-Key` made before")
    location: str = Field(description="where it is, as in the header `Location`")

    @classmethod
    def of(cls, job: str, state: JobState, location: str) -> "Accepted":
        """Return the answer."""
        return cls(job=job, state=state, location=location)


def seconds_to_wait(prefer: Sequence[str]) -> int:
    """Return how long a client prefers to wait, at most ``LONGEST_WAIT_SECONDS``; 0 where it does not say.

    Args:
        prefer: its headers of the name; several are as one with commas.

    Raises:
        InputError: it is no number.
    """
    for preference in ",".join(prefer).split(","):
        found = _WAIT.fullmatch(preference)
        if found is not None:
            if not (found[1].isascii() and found[1].isdecimal()):
                raise InputError(f"the header Prefer: {preference.strip()[:40]!r} is no wait; write wait=SECONDS")
            return min(int(found[1][:9]), LONGEST_WAIT_SECONDS)
    return 0


def submitted(settings: Settings, access: Access, callback: str, submit: Callable[[], str]) -> str:
    """Submit a job and keep its callback.

    Args:
        settings: the installation.
        access: of the client.
        callback: address to which the end is posted; empty for none.
        submit: accepts the job and returns its id.

    Raises:
        InputError: the callback is none that is allowed; nothing was accepted.
        FreedaError: as ``submit`` says.
    """
    url = check_callback(settings, callback)
    job_id = submit()
    keep_callback(settings, job_id, url, access.key_id)
    return job_id


async def answer_submission(
    request: Request,
    response: Response,
    context: Context,
    *,
    job_id: str,
    seconds: int,
    outcome: Callable[[], Answer],
    accepted: Callable[[str, JobState, str], Entry],
) -> Answer | Entry:
    """Answer a submission: at once, or with what came out where the client waits and the job ends in time.

    Args:
        request: the submission; its body has been read.
        response: gets status and headers.
        context: of the server.
        job_id: the job that was accepted.
        seconds: how long the client prefers to wait.
        outcome: returns what came out; called in a thread when the job has ended.
        accepted: makes the answer of a job that goes on, from its id, its state and its location.
    """
    location = f"/v1/jobs/{job_id}"
    response.headers["Location"] = location
    if seconds and context.changes.has_room:
        response.headers["Preference-Applied"] = f"wait={seconds}"
        if await wait_for_end(context.changes, context.settings, job_id, seconds, request):
            return await to_thread.run_sync(outcome)
    response.status_code = 202
    state = await to_thread.run_sync(job_state, context.settings, job_id)
    return accepted(job_id, state, location)
