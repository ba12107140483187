"""The tasks. Behind every item the same: claim the next one, perform it, record what came out."""

import os
import time
import traceback
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from freeda_svc.errors import FreedaError, one_line
from freeda_svc.jobs import MOVES, JobKind
from freeda_svc.jobs.claims import (
    CANCELLED,
    Claim,
    JobCancelledError,
    claim_together,
    fail_item,
    finish_item,
    hand_back_item,
)
from freeda_svc.settings import Settings
from freeda_svc.workers.ability import note_success, read_ability
from freeda_svc.workers.answering import answer_task
from freeda_svc.workers.app import QUEUES_KEY
from freeda_svc.workers.backoff import PATIENCE, Backoff, until_available
from freeda_svc.workers.becoming_able import become_able
from freeda_svc.workers.child import (
    REPORTS_KEY,
    lease_keeper_of_this_process,
    note_work_of_this_process,
    resources_of_this_process,
    turns_of_this_process,
)
from freeda_svc.workers.faults import Fault, fault_behind, is_over_time
from freeda_svc.workers.interleaving import Interleaving
from freeda_svc.workers.locks import worker_identity
from freeda_svc.workers.messages import ASK_BANK, BANK_QUEUE, RUN_ITEM
from freeda_svc.workers.metrics_reports import (
    CLAIM,
    DONE,
    FAILED,
    HANDED_BACK,
    LATE,
    PERFORM,
    RECORD,
    Report,
    gpu_memory,
    measured_item,
    send_report,
)
from freeda_svc.workers.pauses import pausing
from freeda_svc.workers.performing import fit_together, most_together, perform
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.together import do_together, hand_back

if TYPE_CHECKING:
    from celery import Task

BURST_SECONDS = 0.2
"""For how long a message goes on to further items; so late an item may still begin within a task's time limit."""

TIME_OVER = "it goes on after other items: item_time_limit_seconds is over"

log = structlog.get_logger(__name__)


def run_waiting_items(task: "Task", _item_id: int) -> None:
    """Do what is to be done next: a message says that something waits, and the database says what.

    Where items are short one message is enough for several: handing a message over costs more than they do.
    """
    resources = resources_of_this_process(task.app)
    worker = worker_identity(resources.settings)
    ability = read_ability(resources.settings)
    if ability is not None and not ability.able:  # a time limit has ended waiting for it
        become_able(resources, ability.worker)
    kinds = [JobKind(queue) for queue in task.app.conf[QUEUES_KEY] if queue != BANK_QUEUE]
    turns, reports = turns_of_this_process(), task.app.conf[REPORTS_KEY]
    begun = time.monotonic()
    goes_on = True
    while goes_on:
        before = time.monotonic()
        kind, done = _do_next(resources, worker, turns.order(kinds), reports)
        turns.note(kind, time.monotonic() - before)
        goes_on = done and time.monotonic() < begun + BURST_SECONDS
    note_work_of_this_process()


def _do_next(resources: Resources, worker: str, kinds: Sequence[JobKind], reports: str) -> tuple[JobKind | None, bool]:
    """Claim what is next and do it; return its kind, None when nothing waits, and whether it was done."""
    report = Report()

    def claim() -> list[Claim]:
        return claim_together(
            resources.settings, worker, kinds, most=partial(most_together, resources), fit=fit_together
        )

    with report.timed(CLAIM):
        claims = until_available(claim, "the next item", PATIENCE)
    if not claims:
        log.debug("nothing waits any more")
        return None, False
    if len(claims) > 1:
        do_together(resources, claims, report, reports)  # what broke off is next
        return claims[0].kind, True
    [claimed] = claims
    report.kind, report.again = claimed.kind, claimed.attempt > 1
    with structlog.contextvars.bound_contextvars(job=claimed.job_id, item=claimed.item_id, attempt=claimed.attempt):
        log.info("item begun", kind=claimed.kind, number=claimed.number)
        report.outcome = HANDED_BACK  # also where this process ends itself
        images = Interleaving(resources, claimed, worker=worker, kinds=kinds, reports=reports)
        try:
            with measured_item(report if reports else None), pausing(images):
                report.outcome = _do(resources, claimed, report)
        finally:
            resources.changes.notify(claimed.job_id)
            if reports:
                report.gpu_bytes = gpu_memory()
                send_report(reports, report)
    return claimed.kind, report.outcome == DONE


run_item = shared_task(name=RUN_ITEM, bind=True)(run_waiting_items)
ask_bank = shared_task(name=ASK_BANK, bind=True, acks_late=False)(answer_task)


def _do(resources: Resources, claim: Claim, report: Report) -> str:
    """Perform an item and record how it ended, however that was; returns that, for the report."""
    settings = resources.settings
    try:
        with lease_keeper_of_this_process(resources).keeping([claim], report):
            with report.timed(PERFORM):
                result = perform(resources, claim)
            # What was worked out is not thrown away because the database is just away.
            with report.timed(RECORD):
                recorded = until_available(lambda: finish_item(settings, claim, result), "recording a result", PATIENCE)
    except JobCancelledError:
        hand_back(resources, claim, CANCELLED)
        log.info("item ended: its job was cancelled")
        return HANDED_BACK
    except Exception as error:  # noqa: BLE001 - whatever the method raised is recorded
        if is_over_time(error):
            return _end_over_time(resources, claim, error)
        with lease_keeper_of_this_process(resources).keeping([claim], report):  # it takes a while to find out
            fault = fault_behind(error, resources, claim)
        if fault is not None:
            _put_back(resources, claim, fault)
            return HANDED_BACK
        if isinstance(error, FreedaError):
            _failed(settings, claim, error, str(error), final=True)  # bad input stays bad
        else:
            _failed(settings, claim, error, f"{type(error).__name__}: {error}", final=False)
    else:
        log.info("item done" if recorded else "item done too late: it is in other hands")
        if recorded:
            report.count_result(result)
            note_success(settings)
        return DONE if recorded else LATE
    return FAILED


def _end_over_time(resources: Resources, claim: Claim, error: Exception) -> str:
    if claim.kind in MOVES:  # which continues where it stopped
        hand_back(resources, claim, TIME_OVER)
        log.info("item put back: its time is over")
        return HANDED_BACK
    _failed(resources.settings, claim, error, "took longer than item_time_limit_seconds allows", final=False)
    return FAILED


def _failed(settings: Settings, claim: Claim, error: Exception, reason: str, *, final: bool) -> None:
    line = one_line(reason)
    details = "".join(traceback.format_exception(error))

    def record() -> bool:
        return fail_item(settings, claim, line, details, final=final)

    again = until_available(record, "recording a failure", PATIENCE)
    # Where an expected error was raised is in the database; the log is read by people.
    trace = None if isinstance(error, FreedaError) else error
    log.error("item failed", reason=line, tried_again=again, exc_info=trace)


def _put_back(resources: Resources, claim: Claim, fault: Fault) -> None:
    """Let the item wait with all its attempts, and this worker, too: the next item would fare no better."""
    until_available(lambda: hand_back_item(resources.settings, claim, fault.reason), "putting an item back", Backoff())
    log.warning("item put back: it cannot be done now", reason=fault.reason)
    try:
        become_able(resources, os.getppid(), fault)
    except SoftTimeLimitExceeded:
        log.warning("still waiting to be able to work")
