"""A backend for Label Studio ("ML backend"): it asks for predictions, and reports what annotators have drawn.

The protocol is that of label-studio-ml: what Label Studio does not send or does not read is left out.
"""

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from freeda_svc.annotation_tools import read_label_config
from freeda_svc.api.access import Submitter
from freeda_svc.api.context import ServerContext
from freeda_svc.api.label_studio_predictions import (
    Caller,
    Prediction,
    Task,
    model_version,
    predict_tasks,
    read_requests,
)
from freeda_svc.api.label_studio_projects import keep_parameters, kept_parameters
from freeda_svc.api.label_studio_teaching import teach
from freeda_svc.api.problems import problems
from freeda_svc.jobs import queue_state
from freeda_svc.parameters import LONGEST_TEXT
from freeda_svc.workers import able_queues

MOST_TASKS = 1000

router = APIRouter(prefix="/label-studio", tags=["label-studio"])

Project = Annotated[
    str | int | None,
    Field(description="tells projects apart, as in `1.1700000000`", examples=["1.1700000000"]),
]


class BackendHealth(BaseModel):
    """That predictions can be asked for."""

    status: str = Field(description="`UP`")
    model_class: str = Field(description="`freeda`")


class SetUp(BaseModel):
    """What Label Studio says of a project when the backend is connected, and before it asks for predictions."""

    project: Project = None
    label_config: str = Field("", alias="schema", description="the project's labelling configuration, XML")
    extra_params: Any = Field(
        None,
        description="parameters of the segmentation by name, an object or the text of one; kept for the project",
    )


class ModelVersion(BaseModel):
    """What predictions are made with."""

    model_version: str = Field(description="names the pack, the bank and its revision: another one, other predictions")


class PredictionRequest(BaseModel):
    """Tasks to be predicted."""

    tasks: list[Task] = Field(max_length=MOST_TASKS, description="those of Label Studio")
    project: Project = None
    label_config: str = Field(description="the project's labelling configuration, XML")
    params: dict[str, Any] | None = Field(None, description="of Label Studio; not used")


class Predictions(BaseModel):
    """Predictions of tasks."""

    results: list[Prediction | list[Prediction]] = Field(
        description="one entry a task, in order; an empty list where its image could not be segmented"
    )
    model_version: str = Field(description="of the bank as it is now")


class WebhookEvent(BaseModel):
    """Something that has happened in Label Studio."""

    action: str = Field(max_length=LONGEST_TEXT, description="such as `ANNOTATION_CREATED`")
    annotation: Any = Field(None, description="what was drawn, where the action is about one")
    task: Any = Field(None, description="whose annotation it is")
    project: Any = Field(None, description="whose task it is")


class Taken(BaseModel):
    """What was made of an event."""

    status: str = Field(description="`taught` or `ignored`")
    job: str | None = Field(None, description="the job that teaches")
    reason: str = Field("", description="why it was ignored")


class Queue(BaseModel):
    """How much there is to do."""

    waiting: int = Field(description="items of all jobs that no worker has begun")
    running: int = Field(description="items that workers have")


@router.get("/", summary="Say whether predictions can be asked for", responses=problems(503), name="label_studio_root")
@router.get("/health", summary="Say whether predictions can be asked for", responses=problems(503))
def label_studio_health(context: ServerContext, _access: Submitter) -> BackendHealth:
    """Answer 200 while there is a worker that takes items."""
    able_queues(context.settings)
    return BackendHealth(status="UP", model_class="freeda")


@router.post("/setup", summary="Connect a project", responses=problems(404, 422, 503))
def label_studio_setup(context: ServerContext, _access: Submitter, project: SetUp) -> ModelVersion:
    """Check the project's labelling configuration, keep its parameters, and say what predictions are made with."""
    parameters = keep_parameters(context.settings, project.project, project.extra_params)
    requests = read_requests(read_label_config(project.label_config), parameters)
    return ModelVersion(model_version=model_version(context.settings, requests))


@router.post("/predict", summary="Segment the images of tasks", responses=problems(404, 422, 503))
async def label_studio_predict(
    request: Request, context: ServerContext, access: Submitter, asked: PredictionRequest
) -> Predictions:
    """Submit the tasks' images as a job and wait for it, for 90 seconds.

    Where that is too short it answers 503, and asking again goes on with the same job.
    """
    caller = Caller(request, context, request.app.state.uploads, access)
    parameters = await to_thread.run_sync(kept_parameters, context.settings, asked.project)
    requests = await to_thread.run_sync(read_requests, read_label_config(asked.label_config), parameters)
    version = await to_thread.run_sync(model_version, context.settings, requests)
    results = await predict_tasks(caller, asked.tasks, requests, version)
    return Predictions(results=results, model_version=version)


@router.post("/webhook", summary="Report an event", responses=problems(404, 422, 503))
async def label_studio_webhook(
    request: Request, context: ServerContext, access: Submitter, event: WebhookEvent
) -> Taken:
    """Teach the bank what an annotator has drawn, where the setting `label_studio_teaches` allows it.

    `ANNOTATION_CREATED` teaches; everything else is ignored.
    """
    caller = Caller(request, context, request.app.state.uploads, access)
    job, reason = await teach(caller, event.action, event.annotation, event.task, event.project)
    return Taken(status="taught" if job else "ignored", job=job, reason=reason)


@router.get("/metrics", summary="Say how much there is to do", responses=problems(503))
def label_studio_metrics(context: ServerContext, _access: Submitter) -> Queue:
    """Count the items of all jobs; `/metrics` has the numbers for Prometheus."""
    states = queue_state(context.settings)
    waiting = sum(sum(state.waiting.values()) for state in states)
    return Queue(waiting=waiting, running=sum(len(state.running) for state in states))
