"""A server on 127.0.0.1 that answers as it is told to, byte by byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[socket.socket, bytes], None]
"""Gets the connection and the head of the request."""


class BrokenServer:
    """Takes one connection after the other and hands each to the next of its answers; the last one is repeated."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.heads: list[bytes] = []
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    head = self._read_head(connection)
                    if not head:
                        continue
                    self.heads.append(head)
                    self._answers[min(len(self.heads), len(self._answers)) - 1](connection, head)
                except OSError:
                    continue

    def _read_head(self, connection: socket.socket) -> bytes:
        """Read a request to its end, so that closing does not reset the connection; return its head."""
        read = b""
        while b"\r\n\r\n" not in read:
            more = connection.recv(65536)
            if not more:
                return b""
            read += more
        head, _, body = read.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                left = int(line.split(b":")[1]) - len(body)
                while left > 0:
                    left -= len(connection.recv(65536))
        return head


@contextmanager
def broken_server(*answers: Answer) -> Iterator[BrokenServer]:
    server = BrokenServer(*answers)
    try:
        yield server
    finally:
        server.close()


def sends(content: bytes) -> Answer:
    """Send bytes and close."""
    return lambda connection, _head: connection.sendall(content)


def answer(status: str, body: bytes = b"{}", kind: str = "application/json", more: str = "") -> bytes:
    """A whole answer."""
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body
