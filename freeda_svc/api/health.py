"""Whether the server lives, and whether there is a worker that can work."""

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text

from freeda_svc.api.context import ServerContext
from freeda_svc.api.problems import problems
from freeda_svc.jobs.database import reading
from freeda_svc.workers import able_queues

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That a part is well."""

    status: str = Field(description="`ok`")


class Readiness(Health):
    """That jobs are done."""

    queues: list[str] = Field(description="what the workers that can work serve: bank, segment, ingest, ...")


@router.get("/health/live", summary="Ask whether the server lives")
def live() -> Health:
    """Answer as long as the server itself works."""
    return Health(status="ok")


@router.get("/health/ready", summary="Ask whether jobs are done", responses=problems(503))
def ready(context: ServerContext) -> Readiness:
    """Answer 200 while the database answers and a worker that can work is there, on this machine or another.

    A worker that was killed may be taken for present for 20 seconds.
    """
    queues = able_queues(context.settings)
    with reading(context.settings) as session:
        session.execute(text("SELECT 1"))
    return Readiness(status="ok", queues=queues)
