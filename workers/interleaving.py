"""Images are done in the pauses of a long item, so that nobody waits for its end (decision 48)."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import structlog

from freeda_svc.errors import FreedaError
from freeda_svc.jobs import JobKind
from freeda_svc.jobs.claims import Claim, claim_together, may_be_claimed
from freeda_svc.workers.faults import is_over_time
from freeda_svc.workers.metrics_reports import CLAIM, PERFORM, Report, not_counted
from freeda_svc.workers.performing import fit_together, most_together
from freeda_svc.workers.resources import Resources
from freeda_svc.workers.together import do_together

LOOK_SECONDS = 0.02
"""Pauses may come more often than it is worth looking into the database."""
REFUSED_SECONDS, AWAY_SECONDS = 1.0, 30.0
"""Pause between two looks when what waits cannot be done here, and when database or models cannot be used."""
LINGER_SECONDS, LINGER_LOOK_SECONDS = 0.03, 0.003
"""So long a pause goes on after an image, and how often it looks: who got a mask often asks for the next at once."""
HEAD_START_SECONDS = 1.0
"""So long images may take before the item has to have taken as long itself."""
LIMIT_SHARE = 0.25
"""At most this share of an item's time limit goes to images."""

log = structlog.get_logger(__name__)


class Interleaving:
    """What a worker does in the pauses of one item: images that nobody has begun, of its priority or a higher one.

    Images, and waiting for a further one, take no more time than the item itself in the long run. After one that was
    not done none is begun in its pauses: whose fault it was shows when the image is done alone, and if it was the
    worker's, this item meets it, too.
    """

    def __init__(
        self, resources: Resources, pausing: Claim, *, worker: str, kinds: Sequence[JobKind], reports: str
    ) -> None:
        """Begin with the item.

        Args:
            resources: models and banks of this process.
            pausing: the item.
            worker: name of the worker.
            kinds: what the worker does.
            reports: where reports are sent; empty for nowhere.
        """
        self._resources, self._pausing, self._worker, self._reports = resources, pausing, worker, reports
        self._goes_on = JobKind.SEGMENT in kinds and pausing.kind is not JobKind.SEGMENT
        self._begun = time.monotonic()
        self._next_look = 0.0
        self._taken = 0.0

    def __call__(self) -> None:
        """Do the images that wait, those that can be done together at once, and that come meanwhile, in their turn.

        Raises:
            SoftTimeLimitExceeded: the item's time is over.
        """
        moment = time.monotonic()
        while self._goes_on and moment >= self._next_look and self._is_their_turn(moment):
            wait: float | None = AWAY_SECONDS
            with not_counted(PERFORM):
                try:
                    wait = self._do_next()
                except FreedaError as error:
                    log.warning("images must wait", reason=str(error))
                except Exception as error:  # the item must go on
                    if is_over_time(error):
                        raise
                    log.exception("images must wait")
                finally:
                    begun, moment = moment, time.monotonic()
                    self._next_look = moment + (wait or 0.0)
                    self._taken += moment - begun
            if wait is not None:
                return

    def _is_their_turn(self, moment: float) -> bool:
        own = moment - self._begun - self._taken
        limit = LIMIT_SHARE * self._resources.settings.item_time_limit_seconds
        return self._taken <= min(own + HEAD_START_SECONDS, limit)

    def _do_next(self) -> float | None:
        """Do what is next; return the seconds until the next look, or None if it is worth another one in this pause."""
        resources = self._resources
        if not may_be_claimed(resources.settings, JobKind.SEGMENT, self._pausing):
            return LOOK_SECONDS
        resources.prepare(JobKind.SEGMENT)  # which may take long, so not in the transaction
        report = Report(kind=JobKind.SEGMENT)
        with report.timed(CLAIM):
            claims = claim_together(
                resources.settings,
                self._worker,
                [JobKind.SEGMENT],
                most=partial(_most, resources),
                fit=fit_together,
                pausing=self._pausing,
            )
        if not claims:
            return REFUSED_SECONDS
        with _logged_apart(claims, self._pausing):
            error = do_together(resources, claims, report, self._reports)
        self._goes_on = error is None
        if error is not None and is_over_time(error):
            raise error
        return None if self._goes_on and self._comes_another() else LOOK_SECONDS

    def _comes_another(self) -> bool:
        """Wait a little for a further image."""
        until = time.monotonic() + LINGER_SECONDS
        while not may_be_claimed(self._resources.settings, JobKind.SEGMENT, self._pausing):
            if time.monotonic() >= until:
                return False
            time.sleep(LINGER_LOOK_SECONDS)
        return True


def _most(resources: Resources, first: Claim) -> int:
    """How many images are done together with one; none where it asks for another pack."""
    return most_together(resources, first) if first.fingerprint == resources.pack.fingerprint else 0


@contextmanager
def _logged_apart(claims: Sequence[Claim], pausing: Claim) -> Iterator[None]:
    """Let the log name other items than the one that pauses."""
    outer = structlog.contextvars.get_contextvars()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(paused_item=pausing.item_id)
    if len(claims) == 1:
        structlog.contextvars.bind_contextvars(job=claims[0].job_id, item=claims[0].item_id, attempt=claims[0].attempt)
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(**outer)
