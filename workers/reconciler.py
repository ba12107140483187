"""Making messages agree with the database, which is the truth about what is still to be done.

Every worker has a reconciler, so none of them is missed when it dies. They take turns: however many there are, the
messages that are missing are sent once.
"""

import threading
from collections.abc import Callable, Collection

import redis

from freeda_svc.errors import FreedaError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.dispatch import UnsentWatch, items_lacking_messages, send_items
from freeda_svc.jobs.leases import LeaseWatch
from freeda_svc.jobs.transitions import settle_forgotten_jobs
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.bank_place import take_bank_place
from freeda_svc.workers.broker import ANSWER_SECONDS, broker_client
from freeda_svc.workers.broker_server import start_broker
from freeda_svc.workers.locks import worker_identity
from freeda_svc.workers.messages import CeleryDispatcher

TURN_KEY = "freeda:reconciler"
DONE_KEY = "freeda:reconciled"
TURN_SECONDS = 10.0
"""Far longer than a turn takes. Who dies in its turn leaves messages missing for as long."""
PATIENCE_SECONDS = 10.0

log = logger(__name__)


def reconcile(settings: Settings, broker_url: str, *, young: Collection[str] = (), at_start: bool = False) -> int:
    """Send the messages that waiting items lack; unless another worker has just done so.

    A message too many does no harm: who gets it finds nothing to do.

    Args:
        settings: the installation.
        broker_url: Redis address.
        young: jobs whose messages may still be on their way.
        at_start: look in any case.

    Returns:
        How many messages were sent.

    Raises:
        UnavailableError: database or broker do not answer.
    """
    with broker_client(broker_url) as client:
        turn = client.lock(TURN_KEY, timeout=TURN_SECONDS, blocking_timeout=PATIENCE_SECONDS if at_start else 0)
        if (client.exists(DONE_KEY) and not at_start) or not turn.acquire(token=worker_identity(settings)):
            return 0
        try:
            sent = sum(_send_missing(settings, broker_url, kind, young) for kind in JobKind)
            client.set(DONE_KEY, 1, px=max(1, int(800 * settings.reconcile_seconds)))
        finally:
            _end(turn)
    return sent


def forget_turn(settings: Settings, broker_url: str) -> None:
    """Give back the turn that this worker had when it was killed, or when the broker was.

    Raises:
        UnavailableError: the broker does not answer.
    """
    with broker_client(broker_url) as client:
        if client.get(TURN_KEY) == worker_identity(settings).encode():
            client.delete(TURN_KEY)


def _send_missing(settings: Settings, broker_url: str, kind: JobKind, young: Collection[str]) -> int:
    lacking = items_lacking_messages(settings, kind, messages=waiting_messages(broker_url, kind), young=young)
    if not lacking or not send_items(CeleryDispatcher(settings), kind, lacking):
        return 0
    log.info("messages sent again", kind=kind, items=len(lacking))
    return len(lacking)


def _end(turn: "redis.lock.Lock") -> None:
    try:
        turn.release()
    except redis.exceptions.LockError:  # it took so long that another worker has the turn
        log.warning("reconciling took long", seconds=TURN_SECONDS)


def waiting_messages(broker_url: str, kind: JobKind) -> int:
    """Count the messages in the queue of a kind, without those in workers' hands.

    Raises:
        UnavailableError: the broker does not answer.
    """
    with broker_client(broker_url) as client:
        return int(client.llen(kind.value))  # Celery keeps a queue without priorities in one list of its name


def repair(settings: Settings, watch: LeaseWatch) -> int:
    """Put back items whose worker fell silent, and end jobs that were left open; return how many items.

    Raises:
        UnavailableError: the database does not answer.
    """
    silent = watch.put_back_silent_items()
    if silent:
        log.warning("items put back: their worker fell silent", items=silent)
    with writing(settings) as session:
        forgotten = settle_forgotten_jobs(session)
    if forgotten:
        log.warning("jobs ended that had no open item", jobs=forgotten)
    return silent


class Reconciler:
    """Reconciles from a thread, every ``reconcile_seconds``; restarts the embedded broker when it has died."""

    def __init__(
        self,
        settings: Settings,
        broker_url: str,
        on_look: Callable[[int, int], object] = lambda *_found: None,
        *,
        on_begin: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepare it.

        Args:
            settings: the installation.
            broker_url: Redis address.
            on_look: called after each look with how many items were put back and how many messages sent.
            on_begin: called before each look, once the broker should answer.
        """
        self._settings = settings
        self._on_look, self._on_begin = on_look, on_begin
        self._broker_url = broker_url
        self._watch = LeaseWatch(settings)
        self._unsent = UnsentWatch(settings)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        """Begin; the first look comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the look in progress; one that was never started is not waited for."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._settings.reconcile_seconds):
            try:
                if self._settings.embedded_broker:
                    start_broker(self._settings, patience_seconds=ANSWER_SECONDS)
                self._on_begin()
                put_back = repair(self._settings, self._watch)
                self._on_look(put_back, 0)
                take_bank_place(self._settings, self._broker_url)
                forget_turn(self._settings, self._broker_url)
                young = self._unsent.young()  # also when it is another's turn: how old a job is must be seen
                self._on_look(0, reconcile(self._settings, self._broker_url, young=young))
            except FreedaError as error:
                log.warning("reconciling must wait", reason=str(error))
            except Exception:  # the thread must live on; the log says what was wrong
                log.exception("reconciling failed")
