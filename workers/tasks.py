"""The tasks. Behind every item the same: claim it, perform it, record what came out."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from freeda_svc.errors import BusyError, FreedaError, UnavailableError
from freeda_svc.jobs.claims import Claim, claim_item, fail_item, finish_item, renew_lease
from freeda_svc.settings import Settings
from workers.app import ASK_BANK, RUN_ITEM
from workers.child import held_by_this_process
from workers.locks import worker_name
from workers.performing import perform
from workers.queries import answer_task

if TYPE_CHECKING:
    from celery import Task

RENEWALS_A_LEASE = 3

log = structlog.get_logger(__name__)


def _run_item(task: "Task", item_id: int) -> None:
    """Take an item, do it, and record how it ended; one that is not to be done now is left alone."""
    held = held_by_this_process(task.app)
    settings = held.settings
    claim = claim_item(settings, item_id, worker_name(settings))
    if claim is None:
        log.info("item left alone: it has ended or is in other hands", item=item_id)
        return
    with structlog.contextvars.bound_contextvars(job=claim.job_id, item=item_id, attempt=claim.attempt):
        log.info("item begun", kind=claim.kind, number=claim.number)
        try:
            with _lease_kept(settings, claim):
                result = perform(held, claim)
        except FreedaError as error:
            # What another process holds, or what does not answer, may do so next time; bad input stays bad.
            final = not isinstance(error, BusyError | UnavailableError)
            _failed(settings, claim, error, str(error), final=final)
        except SoftTimeLimitExceeded as error:
            _failed(settings, claim, error, "took longer than item_time_limit_seconds allows", final=False)
        except Exception as error:  # noqa: BLE001 - whatever the method raised is recorded, and tried again
            _failed(settings, claim, error, f"{type(error).__name__}: {error}", final=False)
        else:
            recorded = finish_item(settings, claim, result)
            log.info("item done" if recorded else "item done too late: it is in other hands")


run_item = shared_task(name=RUN_ITEM, bind=True)(_run_item)
ask_bank = shared_task(name=ASK_BANK, bind=True, acks_late=False)(answer_task)


def _failed(settings: Settings, claim: Claim, error: Exception, reason: str, *, final: bool) -> None:
    line = " ".join(reason.split())
    again = fail_item(settings, claim, line, "".join(traceback.format_exception(error)), final=final)
    # Where an expected error was raised is in the database; the log is read by people.
    trace = None if isinstance(error, FreedaError) else error
    log.error("item failed", reason=line, tried_again=again, exc_info=trace)


@contextmanager
def _lease_kept(settings: Settings, claim: Claim) -> Iterator[None]:
    """Renew the lease from a thread while the item is worked on."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(settings.lease_seconds / RENEWALS_A_LEASE):
            try:
                if not renew_lease(settings, claim):
                    return
            except UnavailableError as error:
                log.warning("lease not renewed", job=claim.job_id, item=claim.item_id, reason=str(error))

    thread = threading.Thread(target=renew, name=f"lease of item {claim.item_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
