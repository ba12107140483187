"""Answers Prometheus and health checks over HTTP, where ``metrics_port`` is set.

``/metrics`` has the metrics; ``/health/ready`` answers 200 while the worker takes items; ``/health/live`` answers 200
unless the worker hangs and has to be started again.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from freeda_svc.errors import UnavailableError
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.metrics import WorkerMetrics
from freeda_svc.workers.metrics_reports import LARGEST_REPORT, read_report
from freeda_svc.workers.metrics_state import StateWatch
from freeda_svc.workers.short_paths import short_path

HANGING_SECONDS = 180.0
"""No collection of the state takes as long, even when database, broker and bank do not answer."""
SOCKET_NAME = "reports"
POLL_SECONDS = 0.2
STARTING = "it is starting: device, models and bank are tried first"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

log = logger(__name__)


class Measuring:
    """The measurements of one worker while it runs.

    Attributes:
        metrics: what is added up.
        address: where the working process sends its reports; empty where no metrics are collected.
        ready: set while the worker takes items.
        reason: why it does not, one line.
    """

    def __init__(self, metrics: WorkerMetrics, address: str = "") -> None:
        self.metrics = metrics
        self.address = address
        self.ready = threading.Event()
        self.reason = STARTING

    def set_reason(self, reason: str) -> None:
        """Record why the worker takes no items; empty when it does."""
        self.reason = reason
        self.metrics.able.set(not reason)
        if reason:
            self.ready.clear()
        else:
            self.ready.set()


@contextmanager
def measuring(settings: Settings, broker_url: str, queues: Sequence[str], folder: Path) -> Iterator[Measuring]:
    """Measure what a worker does; answer at ``metrics_port``, unless that is 0.

    Args:
        settings: the installation.
        broker_url: Redis address.
        queues: what the worker serves.
        folder: the worker's own for temporary files.

    Raises:
        UnavailableError: the port cannot be bound.
    """
    metrics = WorkerMetrics(settings, queues)
    if not settings.metrics_port:
        yield Measuring(metrics)
        return
    watch = StateWatch(settings, broker_url)
    metrics.registry.register(watch)
    measured = Measuring(metrics, short_path(folder / SOCKET_NAME))
    ended = threading.Event()
    with _bind(settings, _application(measured, watch)) as server, _bound_socket(measured.address) as reports:
        threads = [
            threading.Thread(target=_receive, args=(reports, metrics, ended), name="reports", daemon=True),
            threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="metrics server", daemon=True),
        ]
        for thread in threads:
            thread.start()
        watch.start()
        try:
            yield measured
        finally:
            ended.set()
            server.shutdown()
            watch.stop()
            for thread in threads:
                thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_address = True


class _SixServer(_Server):
    address_family = socket.AF_INET6


class _Handler(WSGIRequestHandler):
    timeout = 10  # seconds to wait for a silent client

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Log no requests."""


def _bind(settings: Settings, application: Application) -> WSGIServer:
    host, port = settings.metrics_host, settings.metrics_port
    kind = _SixServer if ":" in host else _Server
    try:
        return make_server(host, port, application, server_class=kind, handler_class=_Handler)
    except OSError as error:
        raise UnavailableError(
            f"metrics_port {port} at {host} cannot be bound ({error.strerror}): each worker of a machine needs one "
            "of its own; 0 means none"
        ) from error


def _bound_socket(address: str) -> socket.socket:
    reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        reports.bind(address)
    except OSError as error:
        reports.close()
        raise UnavailableError(
            f"the socket {address} cannot be made ({error}): set TMPDIR to another folder"
        ) from error
    reports.settimeout(POLL_SECONDS)
    return reports


def _receive(reports: socket.socket, metrics: WorkerMetrics, ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            content = reports.recv(LARGEST_REPORT)
        except TimeoutError:
            continue
        try:
            metrics.add(read_report(content))
        except (ValueError, TypeError, KeyError):  # of a version that is being replaced
            log.exception("a report of the working process cannot be read")


def _application(measured: Measuring, watch: StateWatch) -> Application:
    numbers = make_wsgi_app(measured.metrics.registry)

    def answer(environment: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environment["PATH_INFO"]
        if path == "/metrics":
            lines: Iterable[bytes] = numbers(environment, start_response)
            return lines
        checks = {
            "/health/ready": ("takes items", measured.ready.is_set),
            "/health/live": ("works", lambda: watch.seconds_since_look < HANGING_SECONDS),
        }
        if path not in checks:
            return _say(start_response, "404 Not Found", {"known": ["/metrics", *checks]})
        what, is_so = checks[path]
        holds = is_so()
        content: dict[str, Any] = {what: holds}
        if path == "/health/ready" and not holds:
            content["because"] = measured.reason
        return _say(start_response, "200 OK" if holds else "503 Service Unavailable", content)

    return answer


def _say(start_response: Callable[..., Any], status: str, content: dict[str, Any]) -> list[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
