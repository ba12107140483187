"""How items that do nothing flow through an installation: how many a second, and what each costs."""

import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from benchmarks.queue_load.bare_celery import BROKER_URL, QUEUE, TASK, bare_app
from benchmarks.queue_load.installation import (
    BROKER,
    WORKER,
    Installation,
    captions,
    messages,
    run_module,
    wait_until,
)
from benchmarks.queue_load.processor_time import CLIENT, processor_seconds
from freeda_svc.jobs import follow_job
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import AttemptOutcome
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.workers.broker import broker_client

if TYPE_CHECKING:
    from celery import Celery

WARMING = 100
"""Items that are done before anything is measured: connections, compiled statements, plans."""
LONGEST_SECONDS = 300.0
"""No flow takes longer; one that does is broken."""


@dataclass(frozen=True)
class Flow:
    """What was measured of a number of items.

    Attributes:
        items_per_second: from the end of one item to that of the last.
        processor_ms: milliseconds an item, by part.
        submitted_per_second: how fast they were accepted; 0 where that was not measured.
        warming: how many more were done before.
    """

    items_per_second: float
    processor_ms: Mapping[str, float]
    submitted_per_second: float = 0.0
    warming: int = WARMING

    @property
    def total_ms(self) -> float:
        """Milliseconds of processor time an item, of all parts."""
        return sum(self.processor_ms.values())


def whole_job(installation: Installation, items: int) -> Flow:
    """Submit a job to running workers and follow it to its end, as ``--wait`` does."""
    _work_off(installation, installation.submit(captions(WARMING)))
    installation.clear_queue()
    given = captions(items)
    before, begun = installation.processor_seconds(), time.perf_counter()
    job_id = installation.submit(given)
    submitted = items / (time.perf_counter() - begun)
    _work_off(installation, job_id)
    installation.clear_queue()
    spent = _spent(before, installation.processor_seconds(), items)
    return Flow(_items_per_second(installation, job_id), spent, submitted)


def beginning_of_a_long_job(installation: Installation, waiting: int, items: int) -> Flow:
    """Submit a job that is far longer than what is measured of it, start a worker, and follow it for a while.

    Args:
        installation: without a worker.
        waiting: how many items the job has.
        items: how many of them are measured.
    """
    given = captions(waiting)
    begun = time.perf_counter()
    job_id = installation.submit(given)
    submitted = waiting / (time.perf_counter() - begun)
    installation.start_worker()
    seen: list[tuple[int, float, dict[str, float]]] = []
    deadline = time.monotonic() + LONGEST_SECONDS
    for summary in follow_job(installation.settings, job_id):
        done = summary.progress.done
        if done >= WARMING:
            seen.append((done, time.perf_counter(), installation.processor_seconds()))
        if seen and done - seen[0][0] >= items:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {done} items were done in {LONGEST_SECONDS:.0f} s")
    (first, first_at, before), (last, last_at, after) = seen[0], seen[-1]
    return Flow((last - first) / (last_at - first_at), _spent(before, after, last - first), submitted)


def bare_celery(broker_url: str, items: int) -> Flow:
    """Let Celery alone do nothing as often, with the same broker and options."""
    app = bare_app(broker_url)
    process = run_module("benchmarks.queue_load.bare_celery", {BROKER_URL: broker_url})
    try:
        with broker_client(broker_url) as client:
            parts = {WORKER: process.pid, BROKER: int(client.info("server")["process_id"])}
        _send(app, 1)
        _wait_for_bare(broker_url, 0, process)
        before = processor_seconds(parts)
        _send(app, items + WARMING)
        sending = processor_seconds(parts)
        _wait_for_bare(broker_url, items, process)
        middle, begun = processor_seconds(parts), time.perf_counter()
        _wait_for_bare(broker_url, 0, process)
        seconds, after = time.perf_counter() - begun, processor_seconds(parts)
    finally:
        process.terminate()
        process.wait()
        app.close()
    spent = _spent(middle, after, items)
    spent[CLIENT] = _spent(before, sending, items + WARMING)[CLIENT]  # looking on is no part of it
    return Flow(items / seconds, spent)


def _wait_for_bare(broker_url: str, left: int, process: "subprocess.Popen[bytes]") -> None:
    stands_still = "Celery alone does not go on"
    wait_until(lambda: messages(broker_url, QUEUE) <= left, LONGEST_SECONDS, stands_still, process)


def _send(app: "Celery", count: int) -> None:
    with app.producer_pool.acquire(block=True) as producer, producer.batch():
        for number in range(count):
            app.send_task(TASK, args=[number], queue=QUEUE, producer=producer, ignore_result=True)


def _work_off(installation: Installation, job_id: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    for summary in follow_job(installation.settings, job_id):
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {summary.progress.done} items were done in {LONGEST_SECONDS:.0f} s")
    assert summary.progress.done == summary.progress.total, summary


def _items_per_second(installation: Installation, job_id: str) -> float:
    """By the times that the workers wrote down."""
    ended = (
        select(func.count(), func.min(Attempt.finished_at), func.max(Attempt.finished_at))
        .join(WorkItem, WorkItem.id == Attempt.item_id)
        .where(WorkItem.job_id == job_id, Attempt.outcome == AttemptOutcome.DONE)
    )
    with reading(installation.settings) as session:
        count, first, last = session.execute(ended).one()
    assert first is not None
    assert last is not None
    return float(count - 1) / (last - first).total_seconds()


def _spent(before: Mapping[str, float], after: Mapping[str, float], items: int) -> dict[str, float]:
    return {part: 1000 * (after[part] - before[part]) / items for part in after}
