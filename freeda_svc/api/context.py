"""What the routes of one server share."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from freeda_svc.api.waiting import JobChanges
from freeda_svc.settings import Settings


@dataclass(frozen=True)
class Context:
    """One server.

    Attributes:
        settings: the installation.
        changes: what requests that wait for jobs listen to.
    """

    settings: Settings
    changes: JobChanges


def context_of(request: Request) -> Context:
    """Return what was made for the server that answers a request."""
    return cast("Context", request.app.state.context)


ServerContext = Annotated[Context, Depends(context_of)]
"""Type of a route's parameter that is to have it."""
