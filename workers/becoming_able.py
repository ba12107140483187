"""Becoming able to work: the working process tries its parts before its first item, and after every fault."""

import time
from dataclasses import replace

from freeda_svc.loggers import logger
from freeda_svc.workers.ability import Ability, read_ability, report_ability
from freeda_svc.workers.backoff import Backoff
from freeda_svc.workers.faults import Fault
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.trial import try_parts

LONGEST_WAIT_SECONDS = 5.0
"""Between attempts: they are cheap, and work should go on soon after a part is repaired."""

log = logger(__name__)


def become_able(resources: Resources, worker: int, fault: Fault | None = None, *, segments: bool = False) -> None:
    """Try the parts until all of them work.

    Args:
        resources: models and banks of this process.
        worker: the process of the worker above this one.
        fault: the fault that has just made an item fail.
        segments: whether images will be segmented for the first time.
    """
    settings = resources.settings
    now = read_ability(settings) or Ability(worker)
    resources.generates |= now.generates
    backoff = Backoff(waited=now.faults, longest=LONGEST_WAIT_SECONDS)
    if fault is not None:
        now = replace(now, able=False, reason=fault.reason, faults=now.faults + 1, generates=resources.generates)
        report_ability(settings, now)
        if fault.renew:
            raise SystemExit(1)  # the pool starts another process, which calls this without a fault
        backoff.wait()
    elif now.faults:
        backoff.wait()
    inputs = fault is not None and fault.inputs
    while True:
        trials = try_parts(settings, resources, inputs=inputs, warm=segments)
        broken = [tried for tried in trials if not tried.works]
        now = replace(now, device=next((tried.message for tried in trials if tried.part == "device"), now.device))
        if not broken:
            report_ability(settings, replace(now, able=True, reason="", started=True))
            return
        reason = "; ".join(tried.message for tried in broken)
        refused = not now.started and not any(tried.passes for tried in broken)
        if reason != now.reason or refused:
            log.warning("no items are taken", reason=reason)
        now = replace(now, able=False, reason=reason, refused=refused)
        report_ability(settings, now)
        while refused:
            time.sleep(1)  # the worker above ends this process
        backoff.wait()
