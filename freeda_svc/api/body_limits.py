"""Bodies of requests: how large they may be, and how slowly they may come."""

import asyncio
import time
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from freeda_svc.api.problems import ProblemError, refuse
from freeda_svc.settings import Settings

IDLE_SECONDS = 30.0
"""So long nothing may come."""
GRACE_SECONDS, SLOWEST_BYTES_PER_SECOND = 60.0, 1024
"""After the first minute so much must come on average."""
READ_PIECE_BY_PIECE = frozenset(("/v1/captions", "/v1/exemplars", "/v1/segmentations"))
"""Paths whose bodies are written to files while they come; what comes to others is read whole, and is JSON."""
MOST_BYTES_READ_WHOLE = 16 << 20
"""Read whole, it takes some twenty times as much memory, and seconds in which nobody else is answered."""
DRAIN_SECONDS, DRAIN_BYTES = 3.0, 64 << 20
"""So much of a body that nobody reads is still taken."""


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
        most = self._most if scope["path"] in READ_PIECE_BY_PIECE else min(self._most, MOST_BYTES_READ_WHOLE)
        too_large = _too_large(most, "api_max_body_bytes" if most == self._most else "of JSON")
        body = _Body(receive, most, too_large, self._idle_seconds, self._grace_seconds)
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > most:
            await refuse(too_large, scope, receive, send)
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
            await refuse(body.error, scope, receive, send)


class _Body:
    """The body of one request, counted while it comes."""

    def __init__(
        self, receive: Receive, most: int, too_large: ProblemError, idle_seconds: float, grace_seconds: float
    ) -> None:
        self.error: ProblemError | None = None
        self.ended = False
        self._receive = receive
        self._most = most
        self._too_large = too_large
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
            self.error = self._too_large
            raise self.error
        return message


def _too_large(most: int, of_what: str) -> ProblemError:
    return ProblemError(
        413,
        f"the body has more than {most:,} bytes ({of_what}): send fewer or smaller files at once",
        {"Connection": "close"},
    )


class Drained:
    """Takes the rest of a body that nobody has read, before an answer ends and the connection is closed.

    A connection that is closed with data in it is reset, and the client then cannot read the answer.
    """

    def __init__(self, application: ASGIApp) -> None:
        """Stand before an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = Headers(scope=scope) if scope["type"] == "http" else {}
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            await self._application(scope, receive, send)
            return
        ended = False

        async def receive_noted() -> Message:
            nonlocal ended
            message = await receive()
            ended = ended or message["type"] == "http.disconnect" or not message.get("more_body", False)
            return message

        async def send_last(message: Message) -> None:
            if message["type"] != "http.response.body" or message.get("more_body", False) or ended:
                await send(message)
                return
            await send({**message, "more_body": True})
            taken = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    while not ended and taken < DRAIN_BYTES:
                        taken += len((await receive_noted()).get("body", b""))
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._application(scope, receive_noted, send_last)
