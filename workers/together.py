"""Doing several images at once, or one where an error is not to count: what breaks off is put back and done alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from freeda_svc.errors import one_line
from freeda_svc.jobs.claims import Claim, finish_items, hand_back_item
from freeda_svc.workers.ability import note_success
from freeda_svc.workers.backoff import PATIENCE, until_available
from freeda_svc.workers.child import lease_keeper_of_this_process
from freeda_svc.workers.metrics_reports import (
    DONE,
    HANDED_BACK,
    LATE,
    PERFORM,
    RECORD,
    Report,
    gpu_memory,
    measured_item,
    send_report,
)
from freeda_svc.workers.performing import perform, perform_together
from freeda_svc.workers.resources import Resources

ALONE = "it is done alone, which shows what is wrong"

log = structlog.get_logger(__name__)


def do_together(resources: Resources, claims: Sequence[Claim], report: Report, reports: str) -> Exception | None:
    """Do items and record how each ended.

    Args:
        resources: models and banks of this process.
        claims: the items; several of them `fit_together`.
        report: has what was measured of all of them so far.
        reports: where reports are sent; empty for nowhere.

    Returns:
        What broke it off; then all items wait again, without a count, and each is done alone.
    """
    settings = resources.settings
    items = [claim.item_id for claim in claims]
    log.info("items begun together", kind=claims[0].kind, items=items)
    results: dict[int, dict[str, Any]] = {}
    outcomes = dict.fromkeys(items, HANDED_BACK)
    try:
        with lease_keeper_of_this_process(resources).keeping(claims, report), measured_item(report):
            with report.timed(PERFORM):
                if len(claims) == 1:
                    results = {claims[0].item_id: perform(resources, claims[0])}
                else:
                    results = perform_together(resources, claims)
            done = [(claim, results[claim.item_id]) for claim in claims if claim.item_id in results]
            with report.timed(RECORD):
                recorded = until_available(lambda: finish_items(settings, done), "recording results", PATIENCE)
        for (claim, _), is_recorded in zip(done, recorded, strict=True):
            outcomes[claim.item_id] = DONE if is_recorded else LATE
        for claim in claims:
            if claim.item_id not in results:
                hand_back(resources, claim, ALONE)
        note_success(settings)
        log.info("items done together", items=items)
    except Exception as error:  # noqa: BLE001 - whatever it was, each item alone shows whose fault it is
        log.warning("items are done one by one", items=items, reason=f"{type(error).__name__}: {one_line(error)}")
        for claim in claims:
            hand_back(resources, claim, ALONE)
        return error
    finally:
        for job_id in {claim.job_id for claim in claims}:
            resources.changes.notify(job_id)
        if reports:
            _report_each(reports, report, claims, outcomes, results)
    return None


def hand_back(resources: Resources, claim: Claim, reason: str) -> None:
    """Put an item back without a count, once the database answers."""
    until_available(lambda: hand_back_item(resources.settings, claim, reason), "putting an item back", PATIENCE)


def _report_each(
    reports: str,
    report: Report,
    claims: Sequence[Claim],
    outcomes: Mapping[int, str],
    results: Mapping[int, Mapping[str, Any]],
) -> None:
    """Report items that were done together: each has its share of the time."""
    shares = {stage: seconds / len(claims) for stage, seconds in report.seconds.items()}
    for number, claim in enumerate(claims):
        own = Report(kind=claim.kind, again=claim.attempt > 1, outcome=outcomes[claim.item_id], seconds=shares)
        if number == 0:
            own.renewals, own.renewals_failed = report.renewals, report.renewals_failed
            own.gpu_bytes = gpu_memory()
        if own.outcome == DONE:
            own.count_result(results[claim.item_id])
        send_report(reports, own)
