"""The Celery worker in this process, with one working process below it."""

import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.platforms import EX_FAILURE, SecurityWarning
from celery.worker import state

from freeda_svc.errors import InputError, UnavailableError
from freeda_svc.settings import Settings
from freeda_svc.workers.ability import Ability, AbilityWatch
from freeda_svc.workers.app import make_app
from freeda_svc.workers.celery_worker import HomeWorker
from freeda_svc.workers.child import REPORTS_KEY, WORKER_PID_KEY
from freeda_svc.workers.freed_memory import FEW_ARENAS
from freeda_svc.workers.messages import QUEUES
from freeda_svc.workers.metrics_server import STARTING, Measuring, measuring
from freeda_svc.workers.presence import Presence, presence_noted
from freeda_svc.workers.reconciler import Reconciler, forget_turn, reconcile
from freeda_svc.workers.semaphore_tracker import survive_lost_tracker
from freeda_svc.workers.stopping import Stopping, kill_children
from freeda_svc.workers.temporary import temporary_folder

THREADS_SLEEP = ("OMP_WAIT_POLICY", "PASSIVE")
"""Threads that compute together sleep while they wait for each other. By default they spin, and where the server, other
workers or anything else wants the cores, too, an image takes several times as long (decision 42)."""


def serve(
    settings: Settings,
    broker_url: str,
    *,
    queues: Sequence[str] = QUEUES,
    on_change: Callable[[Ability], object],
) -> None:
    """Process items until asked to stop.

    Args:
        settings: the installation.
        broker_url: Redis address of a broker that answers.
        queues: the queues that are served, in the order of polling.
        on_change: called when the worker begins or ceases to take items.

    Raises:
        InputError: device, models or bank do not work, and a person has to act.
        UnavailableError: database or broker do not answer at the start, ``metrics_port`` is in use, or the
            worker ended without being asked to.
    """
    with (
        temporary_folder(settings) as folder,
        measuring(settings, broker_url, queues, folder) as measured,
        presence_noted(settings, broker_url, queues) as presence,
    ):
        _serve(settings, broker_url, queues, on_change, measured, presence=presence)


def _serve(
    settings: Settings,
    broker_url: str,
    queues: Sequence[str],
    on_change: Callable[[Ability], object],
    measured: Measuring,
    *,
    presence: Presence,
) -> None:
    os.environ.setdefault(*THREADS_SLEEP)  # the working process inherits both
    os.environ.setdefault(*FEW_ARENAS)
    app = make_app(settings, broker_url, queues)
    app.conf[WORKER_PID_KEY] = os.getpid()
    app.conf[REPORTS_KEY] = measured.address
    forget_turn(settings, broker_url)
    measured.metrics.add_reconciled(0, reconcile(settings, broker_url, at_start=True))
    reconciler = Reconciler(settings, broker_url, measured.metrics.add_reconciled, on_begin=presence.note)
    stopping = Stopping(settings)
    refusals: list[str] = []

    def change(ability: Ability) -> None:
        measured.set_reason(ability.reason or ("" if ability.able else STARTING))
        if ability.refused:
            refusals.append(ability.reason)
            state.should_terminate = EX_FAILURE  # Celery checks it once a second, and ends
        else:
            with suppress(UnavailableError):  # it is noted again before the next look at the broker
                presence.note()
            on_change(ability)

    watch = AbilityWatch(settings, change)

    def begin(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        reconciler.start()
        watch.start()

    def limit_patience(how: str = "", **_given: Any) -> None:  # noqa: ANN401 - Celery's interface
        watch.end()
        measured.set_reason("it is stopping")
        stopping.request(how)

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
    worker.on_failure = stopping.fail
    # It warns at every lost connection of a default that may change; Celery has just enabled such warnings.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    survive_lost_tracker()
    try:
        worker.start()
    finally:
        stopping.stopped.set()
        watch.stop()
        state.should_terminate = None if refusals else state.should_terminate
        signals.worker_ready.disconnect(begin)
        signals.worker_shutting_down.disconnect(limit_patience)
        reconciler.stop()
        for child in kill_children():  # what has not ended by now must release the bank
            child.join()
        app.close()
    if refusals:
        raise InputError(refusals[0])
    if not stopping.requested.is_set():  # the supervisor of this process must start it again
        raise UnavailableError(f"the worker ended by itself: {_reason(worker.failure)}")


def _reason(failure: BaseException | None) -> str:
    """Why a worker ended, in short; the log has all of it."""
    failure = (failure and failure.__cause__) or failure  # Celery's own exceptions do not name it
    return "the reason is not known" if failure is None else f"{type(failure).__name__}: {failure}"
