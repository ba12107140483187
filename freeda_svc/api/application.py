"""The application: routes, errors, and what every request passes."""

from fastapi import FastAPI

from freeda_svc.api import health
from freeda_svc.api.context import Context
from freeda_svc.api.problems import Problem, answer_with_problems
from freeda_svc.settings import Settings

ROUTERS = (health.router,)


def make_application(settings: Settings) -> FastAPI:
    """Return the ASGI application of an installation.

    Args:
        settings: the installation.
    """
    application = FastAPI(
        title="freeda_svc",
        summary="Open-vocabulary segmentation without training",
        version="1",
        docs_url=None,  # their pages would fetch scripts from elsewhere
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    application.state.context = Context(settings)
    answer_with_problems(application)
    for router in ROUTERS:
        application.include_router(router)
    _document_problems(application)
    return application


def _document_problems(application: FastAPI) -> None:
    """Put the schema of errors into the document that describes the API."""
    original = application.openapi

    def openapi() -> dict[str, object]:
        if application.openapi_schema is None:
            schema = original()
            schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        return original()

    application.openapi = openapi  # type: ignore[method-assign]
