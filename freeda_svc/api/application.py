"""The application: routes, errors, and what every request passes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from freeda_svc.api import (
    archives,
    banks,
    callbacks,
    events,
    exemplars,
    health,
    html_pages,
    ingestion,
    installation,
    jobs,
    label_studio,
    metrics,
    packs,
    parameters,
    prototypes,
    pruning,
    results,
    segmentations,
)
from freeda_svc.api.context import Context
from freeda_svc.api.delivery import CallbackSender
from freeda_svc.api.description import describe_problems
from freeda_svc.api.guards import guarded
from freeda_svc.api.problems import answer_with_problems
from freeda_svc.api.uploads import Uploads
from freeda_svc.api.waiting import JobChanges
from freeda_svc.settings import Settings

ROUTERS = (
    archives.router,
    banks.router,
    callbacks.router,
    events.router,
    exemplars.router,
    health.router,
    html_pages.router,
    ingestion.router,
    installation.router,
    jobs.router,
    label_studio.router,
    metrics.router,
    packs.router,
    parameters.router,
    prototypes.router,
    pruning.router,
    results.router,
    segmentations.router,
)


def make_application(settings: Settings) -> FastAPI:
    """Return the ASGI application of an installation.

    Args:
        settings: the installation.
    """
    application = _GuardedApplication(
        title="freeda_svc",
        summary="Open-vocabulary segmentation without training",
        version="1",
        docs_url=None,  # their pages would fetch scripts from elsewhere
        redoc_url=None,
        lifespan=_living,
        generate_unique_id_function=lambda route: route.name,
    )
    application.state.context = Context(settings, JobChanges(settings))
    application.state.uploads = Uploads(settings)
    application.state.measured = metrics.Measured(settings)
    answer_with_problems(application)
    for router in ROUTERS:
        application.include_router(router)
    application.include_router(_heads(ROUTERS))
    html_pages.serve_files(application)
    describe_problems(application)
    return application


def _heads(routers: Iterable[APIRouter]) -> APIRouter:
    """Return routes that answer HEAD as those of some routers answer GET; the server leaves the body out.

    Streams of events have none: their answer ends with the job, and nothing is known of it before. The description of
    the API does not name HEAD, which HTTP expects wherever there is GET.
    """
    heads = APIRouter(include_in_schema=False)
    for router in routers:
        for route in router.routes:
            if (
                isinstance(route, APIRoute)
                and "GET" in (route.methods or ())
                and route.endpoint is not events.follow_events
            ):
                heads.add_api_route(
                    route.path,
                    route.endpoint,
                    methods=["HEAD"],
                    name=route.name,
                    response_model=route.response_model,
                    response_model_exclude_unset=route.response_model_exclude_unset,
                    response_class=route.response_class,
                )
    return heads


@asynccontextmanager
async def _living(application: FastAPI) -> AsyncIterator[None]:
    """Do what goes on as long as the server does."""
    context: Context = application.state.context
    listening = asyncio.create_task(context.changes.listen())
    sender = CallbackSender(context.settings)
    sending = asyncio.create_task(sender.run())
    try:
        yield
    finally:
        context.changes.end()
        sender.stop()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        await sending
        application.state.uploads.close()


class _GuardedApplication(FastAPI):
    """An application whose guards stand before everything, also before what answers unexpected errors."""

    def build_middleware_stack(self) -> ASGIApp:
        context: Context = self.state.context
        answering = guarded(super().build_middleware_stack(), context.settings)
        return metrics.Measuring(answering, self.state.measured)
