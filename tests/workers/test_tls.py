"""Broker and database behind TLS. The servers in the wheels have none: a proxy ends it in front of the broker."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy.engine import make_url

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.migrations import HEAD, check_current
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher
from freeda_svc.workers.reconciler import waiting_messages
from tests.tcp_broker import tcp_broker

CERTIFICATE, KEY = (Path(__file__).parent / "tls" / name for name in ("certificate.pem", "key.pem"))
"""Made for 127.0.0.1 and a hundred years, for these tests only."""


class _Proxy:
    """Takes TLS connections and hands what is inside to another port."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(CERTIFICATE, KEY)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            plain,
            self._context.wrap_socket(plain, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", self._target)) as inner,
        ):
            threading.Thread(target=_copy, args=(inner, outer), daemon=True).start()
            _copy(outer, inner)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def secure_url(tmp_path: Path) -> Iterator[str]:
    """Address of a broker that speaks TLS under a certificate that nobody knows."""
    with tcp_broker(tmp_path / "broker") as url:
        address = urlsplit(url)
        assert address.port is not None
        proxy = _Proxy(address.port)
        yield f"rediss://:{address.password}@127.0.0.1:{proxy.port}/0"
        proxy.close()


def test_messages_are_sent_through_tls_to_a_server_that_is_known(
    make_settings: Callable[..., Settings], secure_url: str
) -> None:
    url = f"{secure_url}?ssl_ca_certs={CERTIFICATE}"
    dispatcher = CeleryDispatcher(make_settings(broker_url=url))
    dispatcher.check()
    assert dispatcher.send(JobKind.INGEST, [1, 2, 3])
    assert waiting_messages(url, JobKind.INGEST) == 3


def test_a_server_that_is_not_known_is_refused(make_settings: Callable[..., Settings], secure_url: str) -> None:
    settings = make_settings(broker_url=secure_url)
    dispatcher = CeleryDispatcher(settings)
    for ask in (dispatcher.check, lambda: dispatcher.send(JobKind.INGEST, [1])):
        with pytest.raises(UnavailableError, match=r"the broker rediss://:\*\*\*@127.0.0.1:\d+/0 does not answer"):
            ask()


def test_who_wants_no_certificate_checked_can_say_so(make_settings: Callable[..., Settings], secure_url: str) -> None:
    url = f"{secure_url}?ssl_cert_reqs=none"
    dispatcher = CeleryDispatcher(make_settings(broker_url=url))
    dispatcher.check()
    assert dispatcher.send(JobKind.INGEST, [1])


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_database_without_tls_is_refused_where_tls_is_asked_for(
    make_settings: Callable[..., Settings], postgres_url: str, mode: str
) -> None:
    settings = make_settings(database_url=f"{postgres_url}?sslmode={mode}")
    with pytest.raises(UnavailableError, match=r"server does not support SSL") as caught:
        check_current(settings)
    assert str(make_url(postgres_url).password) not in str(caught.value)
    assert check_current(make_settings(database_url=f"{postgres_url}?sslmode=prefer")) == HEAD
