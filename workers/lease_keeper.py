"""Renewing the leases of the current items from a thread, while they are worked on."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs.claims import Claim, renew_lease
from freeda_svc.loggers import logger
from freeda_svc.settings import Settings
from freeda_svc.workers.metrics_reports import Report

RENEWALS_A_LEASE = 3

log = logger(__name__)


class LeaseKeeper:
    """One thread for all items of a process: starting one for each would take longer than many items."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: tuple[tuple[list[Claim], Report], ...] = ()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a renewal in progress."""
        self._ended.set()
        self._thread.join()

    @property
    def claims(self) -> list[Claim]:
        """Whose leases are renewed; none between items, and without those that were lost."""
        return [claim for claims, _ in self._kept for claim in claims]

    @contextmanager
    def keeping(self, claims: Sequence[Claim], report: Report) -> Iterator[None]:
        """Renew leases until the block ends, and count it; one that is lost meanwhile is not taken again.

        Blocks may lie within each other: an item that pauses for others stays the worker's.
        """
        outer = self._kept
        self._kept = (*outer, (list(claims), report))
        try:
            yield
        finally:
            self._kept = outer

    def _run(self) -> None:
        while not self._ended.wait(self._settings.lease_seconds / RENEWALS_A_LEASE):
            for kept in self._kept:
                claims, report = kept
                for claim in list(claims):
                    if not any(kept is still for still in self._kept):  # they have ended
                        break
                    if not self._renew(claim, report):
                        claims.remove(claim)

    def _renew(self, claim: Claim, report: Report) -> bool:
        """Renew a lease; False when it is another worker's."""
        try:
            if not renew_lease(self._settings, claim):
                return False
            report.renewals += 1
        except UnavailableError as error:
            report.renewals_failed += 1
            log.warning("lease not renewed", job=claim.job_id, item=claim.item_id, reason=str(error))
        except Exception:  # the thread must live on; the log says what was wrong
            report.renewals_failed += 1
            log.exception("lease not renewed", job=claim.job_id, item=claim.item_id)
        return True
