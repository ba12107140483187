"""Bodies of requests: how large they may be, and how slowly they may come."""

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from freeda_svc.api.problems import ProblemError, problem
from freeda_svc.settings import Settings

IDLE_SECONDS = 30.0
"""So long nothing may come."""
GRACE_SECONDS, SLOWEST_BYTES_PER_SECOND = 60.0, 1024
"""After the first minute so much must come on average."""
DRAIN_SECONDS, DRAIN_BYTES = 3.0, 64 << 20
"""So much of a refused body is still taken: a connection that is closed with data in it can lose the answer."""


class BodyLimits:
    """Refuses bodies that are too large (413) or too slow (408), whatever the application makes of it."""

    def __init__(
        self,
        application: ASGIApp,
        settings: Settings,
        *,
        idle_seconds: float = IDLE_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        """Stand before an application."""
        self._application = application
        self._most = settings.api_max_body_bytes
        self._idle_seconds = idle_seconds
        self._grace_seconds = grace_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        body = _Body(receive, self._most, self._idle_seconds, self._grace_seconds)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._most:
            await _refuse(_too_large(self._most), scope, body, send)
            return
        begun = False

        async def send_own(message: Message) -> None:
            nonlocal begun
            if body.error is not None and not begun:
                return  # what is sent instead comes below
            begun = True
            await send(message)

        try:
            await self._application(scope, body.receive, send_own)
        except Exception:
            if body.error is None or begun:
                raise
        if body.error is not None and not begun:
            await _refuse(body.error, scope, body, send)


class _Body:
    """The body of one request, counted while it comes."""

    def __init__(self, receive: Receive, most: int, idle_seconds: float, grace_seconds: float) -> None:
        self.error: ProblemError | None = None
        self.ended = False
        self._receive = receive
        self._most = most
        self._idle_seconds = idle_seconds
        self._grace_seconds = grace_seconds
        self._bytes = 0
        self._waited = 0.0

    async def receive(self) -> Message:
        """Receive what comes next; after the body that is the end of the connection, for which nothing is too slow."""
        if self.error is not None:
            raise self.error
        if self.ended:
            return await self._receive()
        begun = time.monotonic()
        left = self._grace_seconds + self._bytes / SLOWEST_BYTES_PER_SECOND - self._waited
        try:
            message = await asyncio.wait_for(self._receive(), min(self._idle_seconds, max(left, 0)))
        except TimeoutError:
            self.error = ProblemError(408, "the body comes too slowly; send it again", {"Connection": "close"})
            raise self.error from None
        self._waited += time.monotonic() - begun
        self._bytes += len(message.get("body", b""))
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        if self._bytes > self._most:
            self.error = _too_large(self._most)
            raise self.error
        return message

    async def drain(self) -> None:
        """Take what still comes, for a moment."""
        taken = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.ended and taken < DRAIN_BYTES:
                    message = await self._receive()
                    taken += len(message.get("body", b""))
                    self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        except TimeoutError:
            pass


def _too_large(most: int) -> ProblemError:
    return ProblemError(
        413,
        f"the body has more than {most:,} bytes (api_max_body_bytes): send fewer or smaller files at once",
        {"Connection": "close"},
    )


async def _refuse(error: ProblemError, scope: Scope, body: _Body, send: Send) -> None:
    """Answer with an error, and end the answer only when the rest of the body has come or takes too long."""

    async def send_open(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await send(message)

    await problem(error.status, str(error), error.headers)(scope, body.receive, send_open)
    if error.status != 408:  # noqa: PLR2004 - Request Timeout: nothing more is waited for
        await body.drain()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
