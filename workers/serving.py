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
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import EX_FAILURE, SecurityWarning
from celery.worker import state

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.jobs.claims import has_item_in_hand
from freeda_svc.settings import Settings
from workers.ability import Ability, AbilityWatch, read_ability
from workers.app import QUEUES, make_app
from workers.celery_worker import HomeWorker
from workers.child import REPORTS_KEY, WORKER_PID_KEY
from workers.locks import worker_identity
from workers.metrics_server import STARTING, Measuring, measuring
from workers.reconciler import Reconciler, forget_turn, reconcile
from workers.semaphore_tracker import survive_lost_tracker

LOOK_SECONDS = 0.5
IDLE_SECONDS = 5.0

log = structlog.get_logger(__name__)


def serve(
    settings: Settings,
    broker_url: str,
    *,
    queues: Sequence[str] = QUEUES,
    on_change: Callable[[Ability], object],
) -> None:
    """Take items until told to stop.

    Args:
        settings: the installation.
        broker_url: Redis address of a broker that answers.
        queues: what is served, in the order in which it is looked into.
        on_change: called when items are taken, and when they are not any more.

    Raises:
        InputError: device, models or bank do not work, and nothing but a person can help.
        UnavailableError: database or broker do not answer at the start, ``metrics_port`` cannot be had, or it ended
            though nobody had told it to.
    """
    with measuring(settings, broker_url, queues) as measured:
        _serve(settings, broker_url, queues, on_change, measured)


def _serve(
    settings: Settings,
    broker_url: str,
    queues: Sequence[str],
    on_change: Callable[[Ability], object],
    measured: Measuring,
) -> None:
    app = make_app(settings, broker_url, queues)
    app.conf[WORKER_PID_KEY] = os.getpid()
    app.conf[REPORTS_KEY] = measured.address
    forget_turn(settings, broker_url)
    measured.metrics.add_reconciled(0, reconcile(settings, broker_url, at_start=True))
    reconciler = Reconciler(settings, broker_url, measured.metrics.add_reconciled)
    stopped, told = threading.Event(), threading.Event()
    refusals: list[str] = []

    def change(ability: Ability) -> None:
        measured.tell(ability.reason or ("" if ability.able else STARTING))
        if ability.refused:
            refusals.append(ability.reason)
            state.should_terminate = EX_FAILURE  # Celery looks at it once a second, and ends
        else:
            on_change(ability)

    watch = AbilityWatch(settings, change)

    def begin(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        reconciler.start()
        watch.start()

    def limit_patience(how: str = "", **_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        told.set()
        watch.end()
        measured.tell("it is stopping")
        # Not here: a handler of a signal may have interrupted whoever was writing to the log.
        stopping = _stop_in_time if how == "Warm" else _tell_cold_stop
        threading.Thread(target=stopping, args=(settings, stopped), name="stopping", daemon=True).start()

    signals.worker_ready.connect(begin)
    signals.worker_shutting_down.connect(limit_patience)
    # It warns of being root because pickled messages could be harmful; these are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = HomeWorker(
        app=app,
        queues=list(queues),
        hostname=f"{settings.resolved_worker_name}@{os.uname().nodename}",
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    # Whenever a connection is lost, of a default that may change some day; Celery has just asked for such warnings.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    survive_lost_tracker()
    try:
        worker.start()
    finally:
        stopped.set()
        watch.stop()
        state.should_terminate = None if refusals else state.should_terminate
        signals.worker_ready.disconnect(begin)
        signals.worker_shutting_down.disconnect(limit_patience)
        reconciler.stop()
        for child in billiard.active_children():  # what has not ended by now must not keep the bank
            os.kill(child.pid, signal.SIGKILL)
            child.join()
        app.close()
    if refusals:
        raise InputError(refusals[0])
    if not told.is_set():  # whoever supervises this process must start it again
        raise UnavailableError(f"the worker ended by itself: {_reason(worker.failure)}")


def _reason(failure: BaseException | None) -> str:
    """Why a worker ended; the log has all of it."""
    failure = (failure and failure.__cause__) or failure  # Celery's own exceptions say nothing
    return "nothing says why" if failure is None else f"{type(failure).__name__}: {failure}"


def _stop_in_time(settings: Settings, stopped: threading.Event) -> None:
    """Stop for good when the item in hand takes too long, or when Celery waits although none is in hand.

    Celery can miss the end of a task that it handed out in the instant of being told to stop.
    """
    log.info("stopping: the item in hand may finish; Ctrl-C again hands it back", seconds=settings.stop_grace_seconds)
    begun = time.monotonic()
    while (spent := time.monotonic() - begun) < settings.stop_grace_seconds:
        if stopped.wait(min(LOOK_SECONDS, settings.stop_grace_seconds)):
            return
        try:
            ability = read_ability(settings)
            is_able = ability is None or ability.able
            if (spent > IDLE_SECONDS or not is_able) and not has_item_in_hand(settings, worker_identity(settings)):
                break
        except UnavailableError as error:
            log.warning("cannot tell whether an item is in hand", reason=str(error))
    else:
        log.warning("the item in hand takes too long: it is handed back")
    os.kill(os.getpid(), signal.SIGQUIT)


def _tell_cold_stop(_settings: Settings, _stopped: threading.Event) -> None:
    log.info("stopping at once: the item in hand is handed back")
