"""Running a home: its broker and a worker, in the foreground or beside a command."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from freeda_svc.errors import BusyError, InputError, UnavailableError
from freeda_svc.jobs.claims import hand_back_items
from freeda_svc.jobs.database import open_database
from freeda_svc.loggers import logger
from freeda_svc.packs import read_pack_parameters
from freeda_svc.settings import Settings, load_settings, prepare_home
from freeda_svc.workers.ability import Ability, begin_ability
from freeda_svc.workers.backoff import wait_until
from freeda_svc.workers.broker_server import start_broker, stop_broker
from freeda_svc.workers.locks import already_running, worker_identity, worker_lock, worker_pid

START_SECONDS = 600.0
"""For large models on a slow disk."""
STOP_SPARE_SECONDS = 30.0
HURRY_SECONDS = 1.0

log = logger(__name__)


def run_stack(
    settings: Settings,
    *,
    queues: Sequence[str] = (),
    belongs_to: int | None = None,
    on_ready: Callable[[], None] = lambda: None,
    beside: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> None:
    """Run the home's broker (when it is the embedded one) and a worker until it is asked to stop.

    Ctrl-C, SIGTERM and SIGHUP stop it: the current item is finished, or handed back after ``stop_grace_seconds`` or
    at a second Ctrl-C.

    Args:
        settings: the installation.
        queues: what the worker serves; all when empty.
        belongs_to: process to stop with; its own terminal or service manager when None.
        on_ready: called when items are taken.
        beside: what else runs while they do, once the broker answers.

    Raises:
        BusyError: the home, or an embedded bank, has a worker already, or there is one of the same name.
        InputError: the pack, the device, the bank, a queue or the address of the database is not usable.
        NotFoundError: there is no such pack.
        UnavailableError: home, database or broker do not answer, or the worker ended by itself.
    """
    from freeda_svc.workers.app import check_queues  # noqa: PLC0415 - Celery takes a while to import
    from freeda_svc.workers.bank_place import take_bank_place  # noqa: PLC0415 - as above
    from freeda_svc.workers.broker import check_broker  # noqa: PLC0415 - as above
    from freeda_svc.workers.logs import configure_logs  # noqa: PLC0415 - as above
    from freeda_svc.workers.parents import stop_with_parent  # noqa: PLC0415 - as above
    from freeda_svc.workers.serving import serve  # noqa: PLC0415 - as above

    served = check_queues(queues)
    prepare_home(settings)
    with worker_lock(settings):
        _ready_file(settings).unlink(missing_ok=True)
        begin_ability(settings, os.getpid())
        read_pack_parameters(settings.pack, settings.packs_folder)
        open_database(settings)
        if not settings.embedded_broker:
            check_broker(settings.broker_url)
        configure_logs(settings)
        if belongs_to is not None:
            stop_with_parent(belongs_to)
        identity = worker_identity(settings)
        try:
            url = start_broker(settings) if settings.embedded_broker else settings.broker_url
            take_bank_place(settings, url)
            lost = hand_back_items(settings, identity, lost=True)
            if lost:
                log.warning("items put back: the worker before this one was lost", items=lost)
            greeting = iter((on_ready,))  # once, however often it is able to take items again
            with beside():
                serve(settings, url, queues=served, on_change=lambda now: _tell(settings, now, greeting))
            _leave(settings, url)
        finally:
            _ready_file(settings).unlink(missing_ok=True)
            if settings.embedded_broker:
                stop_broker(settings)
            handed_back = hand_back_items(settings, identity, lost=False)
            log.info("stopped", worker=identity, handed_back=handed_back)


def run_worker(
    settings: Settings,
    queues: Sequence[str] = (),
    name: str = "",
    *,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Run a worker on the broker that ``broker_url`` names; otherwise as ``run_stack``.

    Any number of workers, on one machine or many, serve one broker, one database, one Qdrant server and one folder of
    artifacts. What each of them serves is its own choice: ``bank`` (questions about banks), ``segment``, ``exemplars``
    and ``ingest``, of which a worker that serves several begins with the highest priority, then in this order.

    Args:
        settings: the installation.
        queues: what the worker serves; all when empty.
        name: of the worker, if it is not to be that of the settings; several on one machine need a name each.
        on_ready: called when items are taken.

    Raises:
        InputError: no ``broker_url`` is set, or there is no such queue.
        FreedaError: as ``run_stack`` says.
    """
    if settings.embedded_broker:
        raise InputError("no broker_url is set: set FREEDA_BROKER_URL, or run `freeda up` with its own broker")
    named = load_settings(**{**settings.model_dump(), "worker_name": name}) if name else settings
    run_stack(named, queues=queues, on_ready=on_ready)


@contextmanager
def background_stack(
    settings: Settings, *, queues: Sequence[str] = (), ready_within_seconds: float = START_SECONDS
) -> Iterator[int]:
    """Run the home's broker and a worker as a process beside this one, which ends with it.

    Args:
        settings: the installation.
        queues: what the worker serves; all when empty.
        ready_within_seconds: how long it may take to start.

    Yields:
        The worker's process id, once it takes items. When the block ends by Ctrl-C, the current item is handed back.

    Raises:
        BusyError: the home has a worker already; names its process.
        FreedaError: it does not start; says why.
    """
    prepare_home(settings)
    running = worker_pid(settings)
    if running is not None:
        raise BusyError(already_running(settings, running))
    served = [part for queue in queues for part in ("--queue", queue)]
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "freeda_svc.workers", "--belongs-to", str(os.getpid()), *served],
            env={**os.environ, **settings.as_environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            start_new_session=True,  # Ctrl-C is for this process, which then stops the other one
        )
        try:
            if not _wait_until_ready(settings, process, ready_within_seconds):
                told.seek(0)
                lines = told.read().decode("utf-8", "replace").strip().splitlines()
                raise UnavailableError(f"the worker does not start: {lines[-1] if lines else settings.log_file}")
            yield process.pid
        except KeyboardInterrupt:
            _stop_now(settings, process)
            raise
        finally:
            if process.poll() is not None:
                log.warning("the worker ended by itself", exit_code=process.returncode, log=str(settings.log_file))
            _stop(process, settings.stop_grace_seconds + STOP_SPARE_SECONDS)


def ready_worker(settings: Settings) -> int | None:
    """Return the process of the home's worker when it takes items; None when there is none, or not yet."""
    try:
        told = _ready_file(settings).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    pid = worker_pid(settings)
    return pid if told == str(pid) else None


def _leave(settings: Settings, broker_url: str) -> None:
    from freeda_svc.workers.bank_place import leave_bank_place  # noqa: PLC0415 - as above

    try:
        leave_bank_place(settings, broker_url)
    except UnavailableError as error:  # what it keeps for us runs out by itself
        log.info("the broker went first", reason=str(error))


def _tell(settings: Settings, ability: Ability, greeting: Iterator[Callable[[], None]]) -> None:
    """Say whether the worker takes items; the reason comes from the working process."""
    if not ability.able:
        _ready_file(settings).unlink(missing_ok=True)
        return
    _ready_file(settings).write_text(f"{os.getpid()}\n", encoding="ascii")
    log.info("ready", home=str(settings.home), pack=settings.pack)
    for greet in greeting:
        greet()


def _ready_file(settings: Settings) -> Path:
    return settings.worker_lock.with_suffix(".ready")


def _wait_until_ready(settings: Settings, process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    def has_begun_or_ended() -> bool:
        return process.poll() is not None or ready_worker(settings) == process.pid

    return wait_until(has_begun_or_ended, seconds) and process.poll() is None


def _stop_now(settings: Settings, process: "subprocess.Popen[bytes]") -> None:
    """Stop without letting the current item end: a person who pressed Ctrl-C is waiting."""
    process.send_signal(signal.SIGQUIT if ready_worker(settings) == process.pid else signal.SIGTERM)
    try:
        process.wait(HURRY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if settings.embedded_broker:
        stop_broker(settings)


def _stop(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        log.warning("the worker does not stop, so it is killed; its items are put back at the next start")
        process.kill()
        process.wait()
