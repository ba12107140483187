"""What the backend asks of a Label Studio server: images of tasks, and access tokens for personal ones."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PERSONAL = "a.refresh.token"
LEGACY = "0123456789"
ACCESS = "an.access.token"


class Stub:
    """A server; what it was asked is in ``asked``: path and Authorization of each request."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []


@contextmanager
def label_studio_stub(*, is_open: bool = False) -> Iterator[Stub]:
    """Run one; without a token it gives nothing unless it is open."""
    stub = Stub("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            stub.asked.append((self.path, given))
            if not is_open and given not in {f"Token {LEGACY}", f"Bearer {ACCESS}"}:
                self._answer(401)
            elif self.path in stub.redirects:
                self._answer(303, location=stub.redirects[self.path])
            elif self.path in stub.files:
                self._answer(200, stub.files[self.path])
            else:
                self._answer(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            is_right = self.path == "/api/token/refresh" and PERSONAL.encode() in body
            self._answer(200, b'{"access": "%s"}' % ACCESS.encode()) if is_right else self._answer(401)

        def _answer(self, status: int, body: bytes = b"", location: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
