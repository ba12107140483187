"""The working process below the Celery worker: its logs, its end, and what it holds."""

import os
import signal
from typing import TYPE_CHECKING, Any

from celery import current_app, signals

from freeda_svc.jobs import JobKind
from freeda_svc.jobs.database import close_databases
from freeda_svc.settings import Settings
from freeda_svc.workers.app import QUEUES_KEY, SETTINGS_KEY
from freeda_svc.workers.becoming_able import become_able
from freeda_svc.workers.freed_memory import PauseWatch
from freeda_svc.workers.lease_keeper import LeaseKeeper
from freeda_svc.workers.logs import configure_logs
from freeda_svc.workers.metrics_reports import Report, send_report
from freeda_svc.workers.parents import end_with_parent
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.semaphore_tracker import survive_lost_tracker
from freeda_svc.workers.turns import Turns

if TYPE_CHECKING:
    from celery import Celery

WORKER_PID_KEY = "freeda_worker_pid"
REPORTS_KEY = "freeda_reports"
"""Where the worker listens for what was measured; empty when it does not."""

_held: list[Resources] = []  # one at most: this process works for one home
_keepers: list[LeaseKeeper] = []  # as above
_watches: list[PauseWatch] = []  # as above
_turns: list[Turns] = []  # as above


def resources_of_this_process(app: "Celery") -> Resources:
    """Return the models and the bank of this process."""
    if not _held:
        _held.append(Resources(Settings(**app.conf[SETTINGS_KEY]), broker_url=app.conf.get("broker_url") or ""))
    return _held[0]


def lease_keeper_of_this_process(resources: Resources) -> LeaseKeeper:
    """Return what renews the lease of the current item."""
    if not _keepers:
        _keepers.append(LeaseKeeper(resources.settings))
        _keepers[0].start()
    return _keepers[0]


def turns_of_this_process() -> Turns:
    """Return what keeps count of whose turn it is."""
    if not _turns:
        _turns.append(Turns())
    return _turns[0]


def note_work_of_this_process() -> None:
    """Something was done, and memory was freed with it."""
    if not _watches:
        _watches.append(PauseWatch())
        _watches[0].start()
    _watches[0].note_work()


def _leave_logging_alone(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
    """Take part in Celery's question who configures logging: we do."""


def _begin(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
    configure_logs(Settings(**current_app.conf[SETTINGS_KEY]))
    survive_lost_tracker()
    # An orphan would keep the bank from the next worker.
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGKILL), current_app.conf[WORKER_PID_KEY])
    send_report(current_app.conf[REPORTS_KEY], Report())
    queues = current_app.conf[QUEUES_KEY]
    segments = JobKind.SEGMENT.value in queues
    if JobKind.INGEST.value in queues:
        # Here, because it takes seconds, which would else count as the first item's.
        import freeda_svc.packs.generator_model  # noqa: F401, PLC0415 - other workers do without its libraries
    become_able(resources_of_this_process(current_app), current_app.conf[WORKER_PID_KEY], segments=segments)
    note_work_of_this_process()


def end_process(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
    """Release what this process holds: leases, models, banks, connections."""
    while _watches:
        _watches.pop().stop()
    while _keepers:
        _keepers.pop().stop()
    while _held:
        _held.pop().close()
    _turns.clear()
    close_databases()


signals.setup_logging.connect(_leave_logging_alone)
signals.worker_process_init.connect(_begin)
signals.worker_process_shutdown.connect(end_process)
