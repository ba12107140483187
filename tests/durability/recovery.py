"""How long the service takes to go on after something has happened to it: measured, reported, never asserted."""

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from freeda_svc.jobs.database import reading
from freeda_svc.jobs.states import AttemptOutcome
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings
from tests.durability.halts import Halts, wait_until
from tests.durability.services import one_machine
from tests.durability.workload import ingest, wait_for


class Recoveries:
    """What was measured, by what had happened."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def note(self, what: str, seconds: float) -> None:
        """Keep a measurement."""
        self.seconds.setdefault(what, []).append(round(seconds, 3))

    @contextmanager
    def until_begun(self, settings: Settings, what: str) -> Iterator[None]:
        """Measure from the beginning of the block until a worker has begun an item after it."""
        count, begun = attempts(settings), time.monotonic()
        yield
        wait_until(lambda: attempts(settings) > count, f"an item is begun after: {what}")
        self.note(what, time.monotonic() - begun)

    @contextmanager
    def until_done(self, settings: Settings, what: str) -> Iterator[None]:
        """Measure from the end of the block, when a part is back, until a worker has done an item."""
        yield
        count, begun = attempts(settings, AttemptOutcome.DONE), time.monotonic()
        wait_until(lambda: attempts(settings, AttemptOutcome.DONE) > count, f"an item is done after: {what}")
        self.note(what, time.monotonic() - begun)

    @contextmanager
    def until_ended(self, settings: Settings, job: str, what: str) -> Iterator[None]:
        """Measure from the end of the block until a job has ended."""
        yield
        begun = time.monotonic()
        wait_for(settings, job)
        self.note(what, time.monotonic() - begun)

    @contextmanager
    def until_taken_over(self, settings: Settings, job: str, what: str) -> Iterator[None]:
        """Measure from the beginning of the block until an item of a job is begun a second time."""
        begun = time.monotonic()
        yield
        second = select(Attempt.id).join(WorkItem).where(WorkItem.job_id == job, Attempt.number > 1)

        def is_begun() -> bool:
            with reading(settings) as session:
                return session.scalars(second).first() is not None

        wait_until(is_begun, f"an item is begun again after: {what}")
        self.note(what, time.monotonic() - begun)

    def summary(self) -> dict[str, dict[str, float]]:
        """Median, longest and number of measurements."""
        return {
            what: {"median_seconds": statistics.median(seconds), "longest_seconds": max(seconds), "times": len(seconds)}
            for what, seconds in sorted(self.seconds.items())
        }

    def write(self, path: Path) -> None:
        """Write the summary as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{json.dumps(self.summary(), indent=2)}\n")


def attempts(settings: Settings, *outcomes: AttemptOutcome) -> int:
    """Count the attempts at all items that were begun, or that ended in a certain way."""
    query = select(func.count()).select_from(Attempt)
    with reading(settings) as session:
        return session.execute(query.where(Attempt.outcome.in_(outcomes)) if outcomes else query).scalar_one()


def recovery_seconds_worker_killed(folder: Path, kills: int = 3) -> float:
    """Measure how long an item waits after its worker was killed and at once started again, as a service manager does.

    Worker, broker (which survives) and database are real; the item is killed in the middle of what it does.

    Args:
        folder: an empty folder, for the home.
        kills: how often.

    Returns:
        Median of the seconds from the kill until the item runs in the new worker.
    """
    halts, recoveries = Halts(folder / "halts"), Recoveries()
    with one_machine(folder, halts, max_attempts=kills + 1) as worker:
        halts.want("generating")
        ingest(worker.settings, [0])
        for _ in range(kills):
            halts.wait("generating")
            with recoveries.until_begun(worker.settings, "killed"):
                worker.kill()
                halts.let_go("generating")
                halts.want("generating")
                worker.start()
        halts.wait("generating")
        halts.let_go("generating")
    return statistics.median(recoveries.seconds["killed"])
