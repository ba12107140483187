"""Making messages agree with the database, which is the truth about what is still to be done."""

import threading

import redis
import structlog

from freeda_svc.errors import FreedaError, UnavailableError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.claims import put_back_expired_items
from freeda_svc.jobs.dispatch import items_owed_a_message, send_items
from freeda_svc.settings import Settings
from workers.app import without_password
from workers.broker import start_broker
from workers.dispatcher import CeleryDispatcher

log = structlog.get_logger(__name__)


def reconcile(settings: Settings, broker_url: str, *, at_start: bool = False) -> int:
    """Put back items whose worker fell silent, and send the messages that are missing.

    A message too many does no harm: an item can be claimed once.

    Args:
        settings: the installation.
        broker_url: Redis address.
        at_start: no worker runs yet, so every item without message is sent.

    Returns:
        How many messages were sent.

    Raises:
        UnavailableError: database or broker do not answer.
    """
    expired = put_back_expired_items(settings)
    if expired:
        log.warning("items put back: their worker fell silent", items=expired)
    dispatcher = CeleryDispatcher(settings)
    sent = 0
    for kind in JobKind:
        is_empty = waiting_messages(broker_url, kind) == 0
        owed = items_owed_a_message(settings, kind, queue_is_empty=is_empty, at_start=at_start)
        if owed:
            sent += send_items(settings, dispatcher, kind, owed)
            log.info("messages sent again", kind=kind, items=len(owed))
    return sent


def waiting_messages(broker_url: str, kind: JobKind) -> int:
    """Count the messages in the queue of a kind, without the one in the worker's hand.

    Raises:
        UnavailableError: the broker does not answer.
    """
    try:
        # Celery keeps a queue without priorities in one list of its name.
        with redis.Redis.from_url(broker_url, socket_timeout=5, socket_connect_timeout=5) as client:
            return int(client.llen(kind.value))
    except redis.RedisError as error:
        raise UnavailableError(f"the broker {without_password(broker_url)} does not answer: {error}") from error


class Reconciler:
    """Reconciles from a thread, every ``reconcile_seconds``; restarts the embedded broker when it has died."""

    def __init__(self, settings: Settings, broker_url: str) -> None:
        self._settings = settings
        self._broker_url = broker_url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin; the first look comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the look in progress."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._settings.reconcile_seconds):
            try:
                if self._settings.embedded_broker:
                    start_broker(self._settings)
                reconcile(self._settings, self._broker_url)
            except FreedaError as error:
                log.warning("reconciling must wait", reason=str(error))
            except Exception:  # the thread must live on; the log says what was wrong
                log.exception("reconciling failed")
