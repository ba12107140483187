"""Celery's worker and its consumer, where they must do otherwise than Celery does by itself."""

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
from freeda_svc.workers.logs import let_pool_tell_our_log

SETTLED_SECONDS = 60.0
"""A connection that held as long was a good one: the next one that fails is not waited for as long as the last."""
LOOK_SECONDS = 0.2

log = logger(__name__)


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """A consumer that waits, longer each time, where each new connection to the broker fails soon."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - Celery's interface
        super().__init__(*args, **kwargs)
        self._patience = Backoff(_sleep_unless_told_to_stop)
        self._connected = time.monotonic()

    def connect(self) -> Any:  # noqa: ANN401 - as above
        """Connect, for as long as it takes."""
        connection = super().connect()
        self._connected = time.monotonic()
        if self.restart_count > 1:
            log.info("the broker answers again")
        return connection

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Give the connection up, and wait a little before there is another."""
        super().on_connection_error_after_connected(exc)
        if time.monotonic() - self._connected > SETTLED_SECONDS:
            self._patience.reset()
        self._patience.wait()


class HomeWorker(Worker):  # type: ignore[misc]  # as above
    """A worker that a closed terminal stops like Ctrl-C does, and that knows why it ended by itself.

    Attributes:
        failure: what it ended for.
        on_failure: called once when it ends for a failure; Celery then waits for the working process, however long.
    """

    failure: BaseException | None = None
    on_failure: Callable[[], None] = staticmethod(lambda: None)

    def on_init_blueprint(self) -> None:
        """Let Celery set up what it needs of logging, and the pool tell what it has to tell to our log."""
        super().on_init_blueprint()
        let_pool_tell_our_log()
        os.environ.pop("_MP_FORK_LOGLEVEL_", None)  # or its processes print until they have set up a log

    def install_platform_tweaks(self, worker: Worker) -> None:
        """Install Celery's handlers, then ours."""
        celery.apps.worker.safe_say = _say
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, sig="SIGHUP")

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Stop; an exception that is being handled is why."""
        if self.failure is None:
            self.failure = sys.exception()
            if isinstance(self.failure, Exception):
                self.on_failure()
        super().stop(in_sighandler=in_sighandler, exitcode=exitcode)


def _sleep_unless_told_to_stop(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        maybe_shutdown()
        time.sleep(LOOK_SECONDS)


def _say(text: str, stream: TextIO | None = None) -> None:
    """What Celery prints from handlers of signals: stacks are logged; how it stops, `serving` says itself.

    Not in the handler: it may have interrupted whoever was writing to the log.
    """
    if stream is not sys.__stdout__:
        threading.Thread(target=log.info, args=("what all threads do",), kwargs={"stacks": text}, daemon=True).start()
