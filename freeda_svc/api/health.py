"""Whether the server lives, and whether there is a worker that can work."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from freeda_svc.api.context import ServerContext
from freeda_svc.api.problems import problems
from freeda_svc.errors import UnavailableError
from freeda_svc.workers import worker_fault, worker_is_running

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That a part is well."""

    status: str = Field(description="`ok`")


@router.get("/health/live")
def live() -> Health:
    """Answer as long as the server itself works."""
    return Health(status="ok")


@router.get("/health/ready", responses=problems(503))
def ready(context: ServerContext) -> Health:
    """Answer 200 while there is a worker that takes items."""
    if not worker_is_running(context.settings):
        raise UnavailableError("there is no worker: `freeda up` runs one")
    fault = worker_fault(context.settings)
    if fault:
        raise UnavailableError(fault)
    return Health(status="ok")
