"""What every request passes before it meets a route, as plain ASGI: nothing is read of a body that is refused."""

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from freeda_svc.api.access import ACCESS, access_of, missing_key
from freeda_svc.api.problems import ProblemError, problem, status_of
from freeda_svc.errors import FreedaError
from freeda_svc.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = frozenset({"/health/live"})
"""Answered whoever asks, and whatever key is shown."""


def guarded(application: ASGIApp, settings: Settings) -> ASGIApp:
    """Return an application behind all guards.

    Args:
        application: answers what passes them.
        settings: the installation.
    """
    return _Authenticated(application, settings)


class _Authenticated:
    """Finds out who asks, from the key; without one only what is safe and public goes further."""

    def __init__(self, application: ASGIApp, settings: Settings) -> None:
        self._application = application
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PUBLIC:
            await self._application(scope, receive, send)
            return
        try:
            authorization = Headers(scope=scope).get("authorization")
            access = await to_thread.run_sync(access_of, self._settings, authorization)
            if access is None and scope["method"] not in SAFE_METHODS:
                raise missing_key()
        except FreedaError as error:
            await refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})[ACCESS] = access
        await self._application(scope, receive, send)


async def refuse(error: FreedaError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error as problem+json."""
    headers = error.headers if isinstance(error, ProblemError) else None
    await problem(status_of(error), str(error), headers)(scope, receive, send)
