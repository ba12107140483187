"""The whole installation at one moment, as ``freeda top`` shows it."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from freeda_svc.cli.queue import queue_as_json
from freeda_svc.errors import FreedaError, NotFoundError
from freeda_svc.jobs import (
    ENDED_JOB_STATES,
    JobFilter,
    JobState,
    JobSummary,
    QueueState,
    job_values,
    list_jobs,
    open_banks,
    queue_state,
)
from freeda_svc.jobs.overview import Overview, overview
from freeda_svc.jobs.tables import now
from freeda_svc.settings import Settings
from freeda_svc.workers import worker_fault, worker_pid

JOBS_SHOWN = 8


@dataclass(frozen=True)
class BankSize:
    """The bank that is meant where none is named.

    Attributes:
        name: with its version; without when there is none yet.
        prototypes: how many it holds; None when that is not known.
        problem: why not; empty when it can.
    """

    name: str
    prototypes: int | None
    problem: str = ""


@dataclass(frozen=True)
class Snapshot:
    """An installation at one moment.

    Attributes:
        at: when, in UTC.
        jobs: those that are worked on, that wait, and that have ended, the newest of each first, up to a number.
        overview: all open jobs together, and what went wrong lately.
        queues: what waits and runs, by kind.
        worker: the process that serves the home; None when there is none.
        worker_fault: why that takes no items; empty when it does.
        bank: the bank that is meant where none is named.
    """

    at: datetime
    jobs: Sequence[JobSummary]
    overview: Overview
    queues: Sequence[QueueState]
    worker: int | None
    worker_fault: str
    bank: BankSize

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "at": self.at,
            "open_jobs": len(self.overview.jobs),
            "items": dict(self.overview.items),
            "jobs": [job_values(job) for job in self.jobs],
            "queues": [queue_as_json(state) for state in self.queues],
            "worker": self.worker,
            "worker_fault": self.worker_fault,
            "bank": asdict(self.bank),
            "troubles": [asdict(trouble) for trouble in self.overview.troubles],
        }


def take_snapshot(settings: Settings) -> Snapshot:
    """Look at everything once.

    Raises:
        UnavailableError: the database does not answer.
    """
    jobs: list[JobSummary] = []
    for states in ({JobState.RUNNING}, {JobState.QUEUED}, set(ENDED_JOB_STATES)):
        if len(jobs) < JOBS_SHOWN:
            wanted = JobFilter(states=frozenset(states))
            jobs += list_jobs(settings, limit=JOBS_SHOWN - len(jobs), wanted=wanted)
    return Snapshot(
        at=now(),
        jobs=jobs,
        overview=overview(settings),
        queues=queue_state(settings),
        worker=worker_pid(settings),
        worker_fault=worker_fault(settings),
        bank=_bank_size(settings),
    )


def _bank_size(settings: Settings) -> BankSize:
    """Return the bank's size without opening it; nothing else that is shown depends on it."""
    try:
        with closing(open_banks(settings)) as banks:
            meant = banks.resolve(settings.bank)
            found = next(summary for summary in banks.summaries() if summary.bank == meant)
            return BankSize(str(meant), None if found.fault else found.prototypes, found.fault)
    except NotFoundError:
        return BankSize(settings.bank, 0, "there is none yet")
    except FreedaError as error:
        return BankSize(settings.bank, None, str(error))
