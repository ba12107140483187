"""Celery's worker and its consumer, where they have to differ from Celery's defaults."""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

import celery.apps.worker
from celery.apps.worker import Worker, install_worker_term_handler
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown

from freeda_svc.loggers import logger
from freeda_svc.workers.backoff import Backoff
from freeda_svc.workers.logs import log_pool_messages

SETTLED_SECONDS = 60.0
"""After a connection that lasted as long, the backoff starts again with its shortest wait."""
LOOK_SECONDS = 0.2

log = logger(__name__)


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """A consumer with a backoff between connections to the broker that fail soon."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's interface
        super().__init__(*args, **kwargs)
        self._patience = Backoff(_sleep_unless_stopping)
        self._connected = time.monotonic()

    def connect(self) -> Any:  # noqa: ANN401 - as above
        """Connect, for as long as it takes."""
        connection = super().connect()
        self._connected = time.monotonic()
        if self.restart_count > 1:
            log.info("the broker answers again")
        return connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Close the connection, and wait before opening another."""
        super().on_connection_error_after_connected(exc)
        if time.monotonic() - self._connected > SETTLED_SECONDS:
            self._patience.reset()
        self._patience.wait()


class HomeWorker(Worker):  # type: ignore[misc]  # as above
    """A worker that a closed terminal stops as Ctrl-C does, and that records why it ended without a request.

    Attributes:
        failure: the exception that ended it.
        on_failure: called once when it ends because of one; Celery then waits for the working process without limit.
    """

    failure: BaseException | None = None
    on_failure: Callable[[], None] = staticmethod(lambda: None)

    def on_init_blueprint(self) -> None:
        """Let Celery set up logging, then send the messages of its pool to our log."""
        super().on_init_blueprint()
        log_pool_messages()
        os.environ.pop("_MP_FORK_LOGLEVEL_", None)  # or its processes print until they have configured logging

    def install_platform_tweaks(self, worker: Worker) -> None:
        """Install Celery's handlers, then ours."""
        celery.apps.worker.safe_say = _say
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, sig="SIGHUP")

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Stop; an exception that is being handled is the reason."""
        if self.failure is None:
            self.failure = sys.exception()
            if isinstance(self.failure, Exception):
                self.on_failure()
        super().stop(in_sighandler=in_sighandler, exitcode=exitcode)


def _sleep_unless_stopping(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        maybe_shutdown()
        time.sleep(LOOK_SECONDS)


def _say(text: str, stream: TextIO | None = None) -> None:
    """Log what Celery prints from signal handlers, which are stacks; `stopping` reports how the worker stops.

    From a thread: the handler may have interrupted code that was writing to the log.
    """
    if stream is not sys.__stdout__:
        threading.Thread(target=log.info, args=("what all threads do",), kwargs={"stacks": text}, daemon=True).start()
