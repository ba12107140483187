"""The Celery worker in this process, with one working process below it."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import billiard
import structlog
from celery import signals
from celery.apps.worker import Worker, install_worker_term_handler
from celery.platforms import SecurityWarning

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.claims import has_item_in_hand
from freeda_svc.settings import Settings
from workers.app import QUEUES, make_app
from workers.child import REPORTS_KEY, WORKER_PID_KEY
from workers.locks import worker_identity
from workers.metrics_server import Measuring, measuring
from workers.reconciler import Reconciler, forget_turn, reconcile

LOOK_SECONDS = 0.5
IDLE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class _HomeWorker(Worker):  # type: ignore[misc]  # Celery has no types
    """A worker that a closed terminal stops like Ctrl-C does, instead of starting it anew."""

    def install_platform_tweaks(self, worker: Worker) -> None:
        """Install Celery's handlers, then ours."""
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, sig="SIGHUP")


def serve(settings: Settings, broker_url: str, *, queues: Sequence[str] = QUEUES, on_ready: Callable[[], None]) -> None:
    """Take items until told to stop.

    Args:
        settings: the installation.
        broker_url: Redis address of a broker that answers.
        queues: what is served, in the order in which it is looked into.
        on_ready: called when items are taken.

    Raises:
        UnavailableError: database or broker do not answer at the start, or ``metrics_port`` cannot be had.
    """
    with measuring(settings, broker_url, queues) as measured:
        _serve(settings, broker_url, queues, on_ready, measured)


def _serve(
    settings: Settings, broker_url: str, queues: Sequence[str], on_ready: Callable[[], None], measured: Measuring
) -> None:
    app = make_app(settings, broker_url, queues)
    app.conf[WORKER_PID_KEY] = os.getpid()
    app.conf[REPORTS_KEY] = measured.address
    forget_turn(settings, broker_url)
    measured.metrics.add_reconciled(0, reconcile(settings, broker_url, at_start=True))
    reconciler = Reconciler(settings, broker_url, measured.metrics.add_reconciled)
    stopped = threading.Event()

    def begin(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        reconciler.start()
        measured.ready.set()
        on_ready()

    def limit_patience(how: str = "", **_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        measured.ready.clear()
        if how == "Warm":
            log.info("stopping: the item in hand may finish", seconds=settings.stop_grace_seconds)
            threading.Thread(target=_stop_in_time, args=(settings, stopped), name="stopping", daemon=True).start()

    signals.worker_ready.connect(begin)
    signals.worker_shutting_down.connect(limit_patience)
    # It warns of being root because pickled messages could be harmful; these are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = _HomeWorker(
        app=app,
        queues=list(queues),
        hostname=f"{settings.resolved_worker_name}@{os.uname().nodename}",
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    try:
        worker.start()
    finally:
        stopped.set()
        signals.worker_ready.disconnect(begin)
        signals.worker_shutting_down.disconnect(limit_patience)
        reconciler.stop()
        for child in billiard.active_children():  # what has not ended by now must not keep the bank
            os.kill(child.pid, signal.SIGKILL)
            child.join()
        app.close()


def _stop_in_time(settings: Settings, stopped: threading.Event) -> None:
    """Stop for good when the item in hand takes too long, or when Celery waits although none is in hand.

    Celery can miss the end of a task that it handed out in the instant of being told to stop.
    """
    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < settings.stop_grace_seconds:
        if stopped.wait(min(LOOK_SECONDS, settings.stop_grace_seconds)):
            return
        try:
            if spent > IDLE_SECONDS and not has_item_in_hand(settings, worker_identity(settings)):
                break
        except UnavailableError as error:
            log.warning("cannot tell whether an item is in hand", reason=str(error))
    else:
        log.warning("the item in hand takes too long: it is handed back")
    os.kill(os.getpid(), signal.SIGQUIT)
