"""How a worker stops: the current item may finish, but not for ever."""

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
    """Ends a worker in time that was told to stop, or that stops for a failure.

    Nothing is logged where it is told: a handler of a signal may have interrupted whoever was writing to the log.

    Attributes:
        told: set when somebody told the worker to stop.
        stopped: to be set when it has.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.told = threading.Event()
        self.stopped = threading.Event()

    def tell(self, how: str) -> None:
        """Somebody told the worker to stop: ``Warm`` lets the current item finish, ``Cold`` does not."""
        self.told.set()
        if how == "Warm":
            text = "stopping: the item in hand may finish; Ctrl-C again hands it back"
            _in_thread(self._end_in_time, text, lambda: os.kill(os.getpid(), signal.SIGQUIT))
        else:
            _in_thread(log.info, "stopping at once: the item in hand is handed back")

    def fail(self) -> None:
        """Celery stops for a failure, and waits for the working process, however long."""
        _in_thread(self._end_in_time, "stopping for a failure: the item in hand may finish", kill_children)

    def _end_in_time(self, text: str, end: Callable[[], object]) -> None:
        """Stop for good when the current item takes too long, or when Celery waits although none is running.

        Celery can miss the end of a task that it handed out in the instant of being told to stop.
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
                    if not is_able:  # it reads its models, or waits for a part; Celery would wait for it
                        kill_children()
                    break
            except UnavailableError as error:
                log.warning("cannot tell whether an item is in hand", reason=str(error))
        else:
            log.warning("the item in hand takes too long: it is handed back")
        end()


def kill_children() -> list[Any]:
    """Kill the working process; gives what is still to be joined."""
    children: list[Any] = billiard.active_children()
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    return children


def _in_thread(target: Callable[..., object], *given: object) -> None:
    threading.Thread(target=target, args=given, name="stopping", daemon=True).start()
