"""Checks of workers: does one run, does work wait without one, and are locks released?"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from freeda_svc.bank.qdrant.lock import LOCK_NAME
from freeda_svc.cli.doctor.findings import Finding, note, ok, wrong
from freeda_svc.counts import counted
from freeda_svc.database_connections import current_revision, database_engine, database_errors
from freeda_svc.errors import FreedaError
from freeda_svc.file_locks import holder
from freeda_svc.jobs import ItemState, queue_state
from freeda_svc.jobs.tables import now
from freeda_svc.migrations import HEAD
from freeda_svc.settings import Settings
from freeda_svc.workers import broker_client, ready_worker, worker_fault, worker_pid
from freeda_svc.workers.bank_place import PLACE_KEY

SILENT_LEASES = 3
ANSWER_SECONDS = 5.0


def look_at_worker(settings: Settings) -> Iterator[Finding]:
    """Does a worker serve the home, does work wait without one, and are banks unlocked where there is none?"""
    pid = worker_pid(settings)
    work = _open_work(settings)
    if pid is not None:
        yield from _look_at_running_worker(settings, pid)
    elif _others_work(settings):
        yield ok("worker", "none runs on this machine's home; others serve the broker")
    else:
        yield from _look_at_work_without_worker(settings, work)
    if pid is None:
        for place, holder in _held_banks(settings.banks_folder):
            yield note("worker", f"the bank {place} is in use by process {holder}", "wait until it ends, or stop it")
    if work.silent and (pid is not None or not settings.one_worker_only):
        advice = "nothing where a worker runs: it puts them back; otherwise start one"
        yield note("worker", f"in the hands of workers that fell silent: {counted(work.silent, 'item')}", advice)


def look_at_metrics_port(settings: Settings) -> Iterator[Finding]:
    """Can the port be had, or does the worker answer at it?"""
    host, port = settings.metrics_host, settings.metrics_port
    if not port:
        yield ok("metrics", "no metrics_port is set")
        return
    if worker_pid(settings) is None:
        reason = _unbindable(host, port)
        if reason:
            advice = "give each worker of a machine a metrics_port of its own, or stop what listens there"
            yield wrong("metrics", f"metrics_port {port} at {host} cannot be had: {reason}", advice)
        else:
            yield ok("metrics", f"port {port} at {host} is free for the worker")
        return
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}".replace("//0.0.0.0:", "//127.0.0.1:")
    try:
        answer = httpx.get(f"{address}/health/live", timeout=ANSWER_SECONDS, trust_env=False)
        is_ours = "works" in answer.json()
    except (httpx.HTTPError, ValueError, TypeError):
        is_ours = False
    if is_ours:
        yield ok("metrics", f"the worker answers at {address}")
    else:
        advice = "restart the worker with these settings, and check whether another program listens there"
        yield wrong("metrics", f"no worker answers at {address}", advice)


@dataclass(frozen=True)
class _Work:
    """Numbers of items that wait, that are running, and whose workers have been silent for long."""

    waiting: int = 0
    running: int = 0
    silent: int = 0


def _open_work(settings: Settings) -> _Work:
    """How much work is open; faults of the database are reported elsewhere."""
    try:
        if settings.embedded_database and not settings.database_file.is_file():
            return _Work()
        with database_errors(settings):
            if current_revision(database_engine(settings)) != HEAD:
                return _Work()
        states = queue_state(settings)
    except FreedaError:
        return _Work()
    # A worker writes leases by its own clock, so only one that is far behind means something.
    silence = now() - timedelta(seconds=SILENT_LEASES * settings.lease_seconds)
    running = [item for state in states for item in state.running]
    silent = [item for item in running if item.lease_until is not None and item.lease_until < silence]
    return _Work(sum(state.items[ItemState.QUEUED] for state in states), len(running), len(silent))


def _look_at_running_worker(settings: Settings, pid: int) -> Iterator[Finding]:
    fault = worker_fault(settings)
    if ready_worker(settings) is not None:
        yield ok("worker", f"process {pid} serves the home")
    elif fault:
        yield wrong("worker", f"process {pid} takes no items: {fault}", "mend that: it then goes on by itself")
    else:
        yield note("worker", f"process {pid} holds the home, but takes no items yet", f"see {settings.log_file}")


def _look_at_work_without_worker(settings: Settings, work: _Work) -> Iterator[Finding]:
    begin = "freeda up" if settings.embedded_broker else "freeda worker"
    if work.waiting or work.running:
        parts = [f"{counted(work.waiting, 'item')} waiting"] if work.waiting else []
        parts += [f"{counted(work.running, 'item')} in the hands of a worker that is gone"] if work.running else []
        yield wrong("worker", f"no worker runs: {', '.join(parts)}", f"run `{begin}`, which goes on where it stopped")
    else:
        yield ok("worker", f"none runs on this home; `{begin}` starts one")


def _others_work(settings: Settings) -> bool:
    """Whether workers elsewhere serve the broker: while one lives, it keeps a note there."""
    if settings.embedded_broker:
        return False
    try:
        with broker_client(settings.broker_url) as client:
            return bool(client.exists(PLACE_KEY))
    except FreedaError:
        return False


def _unbindable(host: str, port: int) -> str:
    """Why a port cannot be listened on; empty when it can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the worker does
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _held_banks(folder: Path) -> Iterator[tuple[str, str]]:
    """The embedded banks that a process has open, with its number."""
    for lock in sorted(folder.glob(f"*/*/{LOCK_NAME}")):
        process = holder(lock)
        if process is not None:
            yield f"{lock.parent.parent.name}@{lock.parent.name}", str(process or "unknown")
