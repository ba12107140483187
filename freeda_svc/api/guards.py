"""What every request passes before it meets a route, as plain ASGI: nothing is read of a body that is refused."""

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from freeda_svc.api.access import ACCESS, access_of, missing_key
from freeda_svc.api.body_limits import BodyLimits, Drained
from freeda_svc.api.own_names import OwnNames
from freeda_svc.api.problems import ProblemError, refuse
from freeda_svc.api.request_logs import RequestLogs
from freeda_svc.errors import FreedaError
from freeda_svc.settings import Settings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUBLIC = frozenset({"/health/live"})
"""Answered whoever asks, whatever key is shown, and however much is going on."""
BUSY_SECONDS = 2
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Of every answer, unless it has its own."""


def guarded(application: ASGIApp, settings: Settings) -> ASGIApp:
    """Return an application behind all guards; the last that is named here comes first.

    Args:
        application: answers what passes them.
        settings: the installation.
    """
    guard: ASGIApp = BodyLimits(application, settings)
    guard = Authenticated(guard, settings)
    guard = NotMisled(guard, settings)
    guard = Bounded(guard, settings.api_max_requests)
    return Drained(RequestLogs(WithHeaders(guard)))


class WithHeaders:
    """Adds the headers that tell browsers what they may do with an answer."""

    def __init__(self, application: ASGIApp) -> None:
        """Stand before an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        is_data = scope["path"].startswith("/v1/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", DATA_POLICY if is_data else PAGE_POLICY)
                if is_data:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._application(scope, receive, send_with_headers)


class Bounded:
    """Answers a limited number of requests at once, and asks the others to come again."""

    def __init__(self, application: ASGIApp, most: int) -> None:
        """Stand before an application."""
        self._application = application
        self._most = most
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] in PUBLIC:
            await self._application(scope, receive, send)
            return
        if self._running >= self._most:
            sentence = f"the server answers {self._most} requests already; try again in a moment"
            error = ProblemError(503, sentence, {"Retry-After": str(BUSY_SECONDS), "Connection": "close"})
            await refuse(error, scope, receive, send)
            return
        self._running += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._running -= 1


class NotMisled:
    """Refuses requests that a page of another site makes a browser send."""

    def __init__(self, application: ASGIApp, settings: Settings) -> None:
        """Stand before an application."""
        self._application = application
        self._names = OwnNames(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            try:
                self._names.check_host(headers.getlist("host"))
                if scope["method"] not in SAFE_METHODS:
                    self._names.check_origin(headers["host"], headers.get("origin"), headers.get("sec-fetch-site"))
            except ProblemError as error:
                await refuse(error, scope, receive, send)
                return
        await self._application(scope, receive, send)


class Authenticated:
    """Finds out who asks, from the key; without one only what is safe and public goes further."""

    def __init__(self, application: ASGIApp, settings: Settings) -> None:
        """Stand before an application."""
        self._application = application
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["path"] in PUBLIC:
            await self._application(scope, receive, send)
            return
        try:
            authorization = Headers(scope=scope).get("authorization")
            if authorization is None:  # nothing is looked up
                access = access_of(self._settings, None)
            else:
                access = await to_thread.run_sync(access_of, self._settings, authorization)
            if access is None and scope["method"] not in SAFE_METHODS:
                raise missing_key()
        except FreedaError as error:
            await refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})[ACCESS] = access
        await self._application(scope, receive, send)
