"""Callbacks: a submission names an address, to which the end of its job is posted."""

from dataclasses import asdict
from datetime import datetime

import httpx
from fastapi import APIRouter
from pydantic import BaseModel, Field

from freeda_svc.api.access import CANNOT_SIGN, Reader
from freeda_svc.api.context import ServerContext
from freeda_svc.api.jobs import NO_JOB, JobId
from freeda_svc.api.outgoing import HostRule, check_url
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.jobs import CallbackState, DeliveryOutcome, callback_of
from freeda_svc.settings import Settings

ABOUT = "callback"

router = APIRouter(tags=["jobs"])


class Delivery(BaseModel):
    """One attempt to post the end of a job."""

    number: int = Field(description="from 1 within the job", ge=1)
    message_id: str = Field(description="header `webhook-id`: the same in all attempts to post one end of the job")
    outcome: DeliveryOutcome = Field(description="`interrupted` where the server was stopped meanwhile")
    status: int | None = Field(description="the HTTP status of the answer; null without one")
    error: str = Field(description="why it failed, in one sentence; empty when it did not")
    started_at: datetime
    finished_at: datetime | None = Field(description="null while it goes on")


class Deliveries(BaseModel):
    """What became of a job's callback."""

    host: str = Field(description="the host it goes to; the rest of the address may hold a secret")
    state: CallbackState = Field(description="whether it is still tried")
    next_try_at: datetime | None = Field(
        description="no attempt is made before; null while the job goes on, and when none is made any more"
    )
    items: list[Delivery] = Field(description="every attempt, the oldest first")


def callback_rule(settings: Settings) -> HostRule:
    """Return the hosts that the end of a job may be posted to."""
    return HostRule.of("callback_hosts", settings.callback_hosts)


def check_callback(settings: Settings, url: str) -> str:
    """Return the address of a callback as it is stored; an empty one stays empty.

    Call it before anything is accepted, and `freeda_svc.jobs.keep_callback` as soon as the job is.

    Raises:
        InputError: it is no http or https address on a host that the setting ``callback_hosts`` lists.
    """
    if not url:
        return ""
    rule = callback_rule(settings)
    if not rule.hosts:
        raise InputError("callbacks are not taken here: the setting callback_hosts lists no host")
    if not settings.callback_secret:
        raise InputError(CANNOT_SIGN)
    return str(check_url(ABOUT, url, rule).url)


@router.get("/v1/jobs/{job_id}/deliveries", summary="List a callback's deliveries", responses=NO_JOB)
def deliveries(context: ServerContext, _access: Reader, job_id: JobId) -> Deliveries:
    """List every attempt to post the end of a job to its callback; a job without one answers 404."""
    found = callback_of(context.settings, job_id)
    if found is None:
        raise NotFoundError(f"job {job_id} has no callback: the submission names one")
    return Deliveries(
        host=httpx.URL(found.url).netloc.decode("ascii"),
        state=found.state,
        next_try_at=found.next_try_at,
        items=[Delivery(**asdict(one)) for one in found.deliveries],
    )
