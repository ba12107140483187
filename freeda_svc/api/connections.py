"""Connections: how many there may be, and how long each may take to ask and to listen."""

import asyncio
import http
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from freeda_svc.api.problems import MEDIA_TYPE
from freeda_svc.settings import Settings

ASK_SECONDS = 15.0
"""So long the headers of a request may take, from the connection's beginning or their own first byte."""
LISTEN_SECONDS = 60.0
"""So long a client may take nothing of an answer that waits for it."""


class BoundedProtocol(H11Protocol):
    """HTTP on one connection that is closed when the client makes the server wait."""

    most = 300
    ask_seconds = ASK_SECONDS
    listen_seconds = LISTEN_SECONDS
    _asking: asyncio.TimerHandle | None = None
    _listening: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many connections."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._answer(503, "too many connections; try again in a moment", {"Retry-After": "2"})
            return
        self._asking = self.loop.call_later(self.ask_seconds, self._is_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that has begun to be asked must be asked soon."""
        if self.transport.is_closing():
            return
        if self._asking is None and not self._is_answering():
            self._asking = self.loop.call_later(self.ask_seconds, self._is_silent)
        super().data_received(data)
        if self._is_answering() and self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def pause_writing(self) -> None:
        """Begin to wait until the client takes what was written."""
        super().pause_writing()
        if self._listening is None:
            self._listening = self.loop.call_later(self.listen_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken it."""
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's interface
        """Answer what is no HTTP."""
        self._answer(400, "this is no HTTP request that can be read", {})

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _is_silent(self) -> None:
        self._asking = None
        if not self._is_answering() and not self.transport.is_closing():
            self._answer(408, "the request comes too slowly", {})

    def _answer(self, status: int, detail: str, headers: dict[str, str]) -> None:
        """Write a whole answer past the application, and close."""
        self._stop_waiting()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            title = http.HTTPStatus(status).phrase
            body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
            given = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close", **headers}
            lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
            self.transport.write(f"HTTP/1.1 {status} {title}\r\n{lines}\r\n".encode() + body)
        self.transport.close()

    def _stop_waiting(self) -> None:
        for timer in (self._asking, self._listening):
            if timer is not None:
                timer.cancel()
        self._asking = self._listening = None


def protocol_of(settings: Settings, **seconds: Any) -> type[BoundedProtocol]:  # noqa: ANN401 - class attributes
    """Return the protocol of a server; half as many connections more than requests may be open.

    Args:
        settings: the installation.
        seconds: other values of ``ask_seconds`` and ``listen_seconds``.
    """
    return type("ServedProtocol", (BoundedProtocol,), {"most": settings.api_max_requests * 3 // 2, **seconds})
