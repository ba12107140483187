"""What the server tells Prometheus: its requests, and the jobs and items of the installation."""

import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from freeda_svc.api.access import Reader
from freeda_svc.api.problems import problems
from freeda_svc.errors import UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers.metrics_state import GAUGES, Sample, census_samples

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
OTHER = "other"
"""Label of paths that no route has, and of methods that are none: whoever asks must not make labels."""
_SHOWN = (
    "freeda_jobs",
    "freeda_items",
    "freeda_oldest_waiting_seconds",
    "freeda_attempts_recent",
    "freeda_database_up",
)

router = APIRouter(tags=["health"])


class Measured(Collector):
    """The instruments of one server, and a look at the jobs of its installation now and then."""

    def __init__(self, settings: Settings) -> None:
        """Make the instruments.

        Args:
            settings: the installation, which is looked at every ``reconcile_seconds`` at most.
        """
        self._settings = settings
        self._lock = threading.Lock()
        self._samples: list[Sample] = []
        self._looked = float("-inf")
        self.registry = registry = CollectorRegistry()
        Info("freeda_api", "The server that answers.", registry=registry).info({"version": version("freeda-svc")})
        labels = ["method", "route", "status"]
        self.requests = Counter("freeda_api_requests", "Requests that were answered.", labels, registry=registry)
        self.seconds = Histogram(
            "freeda_api_request_seconds",
            "Time until an answer was sent; of events, how long somebody listened.",
            ["method", "route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.running = Gauge("freeda_api_requests_running", "Requests that are being answered.", registry=registry)
        registry.register(self)

    def describe(self) -> list[GaugeMetricFamily]:
        """Return the gauges without values: registering must not wait for a look."""
        return [GaugeMetricFamily(name, GAUGES[name][0], labels=GAUGES[name][1]) for name in _SHOWN]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield what was seen a moment ago at most."""
        samples = self._look()
        for gauge in self.describe():
            for name, given, value in samples:
                if name == gauge.name:
                    gauge.add_metric([given[label] for label in GAUGES[name][1]], value)
            yield gauge

    def _look(self) -> list[Sample]:
        with self._lock:
            if time.monotonic() - self._looked >= self._settings.reconcile_seconds:
                try:
                    self._samples = [*census_samples(self._settings), ("freeda_database_up", {}, 1.0)]
                except UnavailableError:
                    self._samples = [("freeda_database_up", {}, 0.0)]
                self._looked = time.monotonic()
            return self._samples


class Measuring:
    """Counts and times requests, as plain ASGI, before everything else that answers."""

    def __init__(self, application: "ASGIApp", measured: Measured) -> None:
        """Stand before an application."""
        self._application = application
        self._measured = measured

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def send_and_note(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._measured.running.track_inprogress():
            try:
                await self._application(scope, receive, send_and_note)
            finally:
                method = scope["method"] if scope["method"] in METHODS else OTHER
                route = getattr(scope.get("route"), "path_format", OTHER)
                self._measured.requests.labels(method, route, str(status)).inc()
                self._measured.seconds.labels(method, route).observe(time.perf_counter() - began)


@router.get(
    "/metrics",
    summary="Get metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "as Prometheus reads them", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(503),
    },
)
def get_metrics(request: Request, _access: Reader) -> Response:
    """Get counts and durations of this server's requests, and the jobs and items of the installation by state."""
    measured: Measured = request.app.state.measured
    return Response(generate_latest(measured.registry), media_type=CONTENT_TYPE_LATEST)
