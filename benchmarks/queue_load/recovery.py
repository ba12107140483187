"""How long an item waits after whoever had it in hand was killed, with the default settings."""

import os
import signal
import time

from sqlalchemy import select

from benchmarks.queue_load.idle_worker import HANGING
from benchmarks.queue_load.installation import Installation, captions, wait_until
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import ItemState
from freeda_svc.jobs.tables import WorkItem
from tests.durability.services import children

SPARE_SECONDS = 60.0


def seconds_after_working_process_killed(installation: Installation) -> float:
    """Kill the working process below the one worker; the worker starts another, which does the item again."""
    job_id = _hang(installation)
    (worker,) = installation.workers.values()
    (child,) = children(worker.pid)
    os.kill(child, signal.SIGKILL)
    return _seconds_until_done(installation, job_id)


def seconds_after_worker_gone(installation: Installation) -> float:
    """Kill a worker and what is below it, as when its machine dies; another takes the item when its lease is over."""
    job_id = _hang(installation)
    name = _first_item(installation, job_id)[1].partition("@")[0]
    os.killpg(installation.workers[name].pid, signal.SIGKILL)
    return _seconds_until_done(installation, job_id)


def _hang(installation: Installation) -> str:
    job_id = installation.submit(captions(1, HANGING))
    wait_until(lambda: _first_item(installation, job_id)[0] == ItemState.RUNNING, SPARE_SECONDS, "no item was begun")
    return job_id


def _seconds_until_done(installation: Installation, job_id: str) -> float:
    begun = time.perf_counter()
    longest = installation.settings.lease_seconds + SPARE_SECONDS
    wait_until(lambda: _first_item(installation, job_id)[0] == ItemState.DONE, longest, "the item was not done again")
    return time.perf_counter() - begun


def _first_item(installation: Installation, job_id: str) -> tuple[str, str]:
    """State, and who has it."""
    with reading(installation.settings) as session:
        state, worker = session.execute(
            select(WorkItem.state, WorkItem.worker).where(WorkItem.job_id == job_id).order_by(WorkItem.number).limit(1)
        ).one()
    return state, worker
