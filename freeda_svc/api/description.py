"""The document that describes the API: what the guards before all routes answer is added to each of them."""

from typing import Any

from fastapi import FastAPI

from freeda_svc.api.problems import Problem, problems

METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
ANY_REQUEST = (400, 421, 503)
WITH_KEY = (401, 403)
WITH_BODY = (403, 408, 413)
"""403 also where a page of another site asks."""


def describe_problems(application: FastAPI) -> None:
    """Put the schema of errors, and those that any request can meet, into the document of an application."""
    original = application.openapi

    def openapi() -> dict[str, Any]:
        if application.openapi_schema is None:
            schema = original()
            schema.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
            for path in schema["paths"].values():
                for method, operation in path.items():
                    if method in METHODS:
                        _add_common(method, operation)
        return original()

    application.openapi = openapi  # type: ignore[method-assign]


def _add_common(method: str, operation: dict[str, Any]) -> None:
    statuses = {*ANY_REQUEST}
    if "security" in operation:
        statuses |= {*WITH_KEY}
    if method != "get":
        statuses |= {*WITH_BODY}
    responses = operation.setdefault("responses", {})
    for status, described in problems(*sorted(statuses)).items():
        responses.setdefault(str(status), described)
