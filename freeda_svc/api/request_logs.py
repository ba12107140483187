"""One line in the log for each request, and an id by which the client and the log name it."""

import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from freeda_svc.api.access import ACCESS, Access
from freeda_svc.loggers import logger

REQUEST_ID = "X-Request-ID"
CLOSED_EARLY = 499
"""Logged as the status of a request whose client has gone before the answer."""
LONGEST_PATH = 200
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

log = logger(__name__)


class RequestLogs:
    """Logs method, path, status and duration; never a query, a header or a body."""

    def __init__(self, application: ASGIApp) -> None:
        """Stand before an application."""
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        status, sent = CLOSED_EARLY, 0
        begun = time.monotonic()

        async def send_named(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._application(scope, receive, send_named)
        finally:
            access: Access | None = scope.get("state", {}).get(ACCESS)
            write = log.debug if scope["path"].startswith("/health/") else log.info
            write(
                "request",
                method=scope["method"],
                path=scope["path"][:LONGEST_PATH],
                status=status,
                milliseconds=round(1000 * (time.monotonic() - begun), 1),
                sent_bytes=sent,
                client=(scope.get("client") or ("",))[0],
                key=access.name if access is not None else "",
                request=request_id,
            )
