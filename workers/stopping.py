"""How a worker stops: the current item may finish within ``stop_grace_seconds``."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import billiard

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.claims import has_running_item
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.ability import read_ability
from freeda_svc.workers.locks import worker_identity

LOOK_SECONDS = 0.5
IDLE_SECONDS = 5.0

log = logger(__name__)


class Stopping:
    """Ends a worker in time after a request to stop, or after a failure.

    Messages are logged from a thread: a signal handler may have interrupted code that was writing to the log.

    Attributes:
        requested: set when the worker was asked to stop.
        stopped: to be set when it has stopped.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.requested = threading.Event()
        self.stopped = threading.Event()

    def request(self, how: str) -> None:
        """Stop as asked: ``Warm`` lets the current item finish, ``Cold`` does not."""
        self.requested.set()
        if how == "Warm":
            text = "stopping: the current item may finish; Ctrl-C again hands it back"
            _in_thread(self._end_in_time, text, lambda: os.kill(os.getpid(), signal.SIGQUIT))
        else:
            _in_thread(log.info, "stopping at once: the current item is handed back")

    def fail(self) -> None:
        """Limit the time that Celery, which stops because of a failure, waits for the working process."""
        _in_thread(self._end_in_time, "stopping because of a failure: the current item may finish", kill_children)

    def _end_in_time(self, text: str, end: Callable[[], object]) -> None:
        """End the worker when the current item takes too long, or when Celery waits although none is running.

        Celery can miss the end of a task that it started at the moment of the request to stop.
        """
        settings = self._settings
        log.info(text, seconds=settings.stop_grace_seconds)
        begun = time.monotonic()
        while (spent := time.monotonic() - begun) < settings.stop_grace_seconds:
            if self.stopped.wait(min(LOOK_SECONDS, settings.stop_grace_seconds)):
                return
            try:
                ability = read_ability(settings)
                is_able = ability is None or ability.able
                if (spent > IDLE_SECONDS or not is_able) and not has_running_item(settings, worker_identity(settings)):
                    if not is_able:  # it loads its models, or waits for a part; Celery would wait for it
                        kill_children()
                    break
            except UnavailableError as error:
                log.warning("whether an item is running is not known", reason=str(error))
        else:
            log.warning("the current item takes too long: it is handed back")
        end()


def kill_children() -> list[Any]:
    """Kill the working process; return the processes that are still to be joined."""
    children: list[Any] = billiard.active_children()
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    return children


def _in_thread(target: Callable[..., object], *given: object) -> None:
    threading.Thread(target=target, args=given, name="stopping", daemon=True).start()
