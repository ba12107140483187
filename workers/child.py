"""The working process below the Celery worker: its logs, its end, and what it holds."""

import os
import signal
from typing import TYPE_CHECKING, Any

from celery import current_app, signals

from freeda_svc.settings import Settings
from workers.app import SETTINGS_KEY
from workers.held import Held
from workers.logs import configure_logs
from workers.parents import end_with_parent

if TYPE_CHECKING:
    from celery import Celery

WORKER_PID_KEY = "freeda_worker_pid"

_held: list[Held] = []  # one at most: this process works for one home


def held_by_this_process(app: "Celery") -> Held:
    """Return the models and the bank of this process."""
    if not _held:
        _held.append(Held(Settings(**app.conf[SETTINGS_KEY])))
    return _held[0]


def _leave_logging_alone(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
    """Take part in Celery's question who configures logging: we do."""


def _begin(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
    configure_logs(Settings(**current_app.conf[SETTINGS_KEY]))
    # An orphan would keep the bank from the next worker.
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGKILL), current_app.conf[WORKER_PID_KEY])


def _end(**_given: Any) -> None:  # noqa: ANN401 - Celery's interface
    while _held:
        _held.pop().close()


signals.setup_logging.connect(_leave_logging_alone)
signals.worker_process_init.connect(_begin)
signals.worker_process_shutdown.connect(_end)
