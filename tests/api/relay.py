"""A relay on 127.0.0.1 between a client and a server, which halts in the middle of a request or of its answer."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

WAIT_SECONDS = 120.0


class Relay:
    """Passes bytes on until it is to halt.

    Attributes:
        upstream: address of the server that the next connection is for.
        address: of the relay.
        most_sent: bytes of one connection's requests after which it halts; None for all.
        keeps_answers: whether it halts before the first byte of an answer to a request with a body is passed on.
        halted: whether it has halted.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.most_sent: int | None = None
        self.keeps_answers = False
        self.halted = threading.Event()
        self._go = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def let_go(self) -> None:
        """Break what is halted, and halt no more."""
        self.most_sent, self.keeps_answers = None, False
        self._go.set()

    def wait_until_halted(self) -> None:
        assert self.halted.wait(WAIT_SECONDS), "the relay has not come to the place where it halts"

    def close(self) -> None:
        self._go.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        place = urlsplit(self.upstream)
        with client:
            try:
                server = socket.create_connection((place.hostname, place.port), WAIT_SECONDS)
            except OSError:
                return
            with server:
                server.settimeout(None)
                answering = threading.Thread(target=self._pass_answers, args=(server, client), daemon=True)
                answering.start()
                with suppress(OSError):
                    self._pass_requests(client, server)
                _shut(server)
                answering.join()

    def _pass_requests(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        while content := client.recv(1 << 14):
            server.sendall(content)
            sent += len(content)
            if self.most_sent is not None and sent >= self.most_sent:
                self._halt()
                return

    def _pass_answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while content := server.recv(1 << 14):
                if self.keeps_answers and b"202 Accepted" in content:
                    self._halt()
                    break
                client.sendall(content)
        _shut(client)

    def _halt(self) -> None:
        self.halted.set()
        self._go.wait(WAIT_SECONDS)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
