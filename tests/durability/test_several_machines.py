"""Workers on one broker, one PostgreSQL server, one bank and one folder of artifacts when something happens to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from sqlalchemy import func, select

from freeda_svc.errors import UnavailableError
from freeda_svc.jobs import ItemState
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, Job, WorkItem
from freeda_svc.settings import Settings
from tests.durability.halts import Halts, wait_until
from tests.durability.recovery import Recoveries
from tests.durability.services import Servers, Worker, children, servers, start_all
from tests.durability.workload import Outcome, check_done_once, ingest, segment, wait_for

pytestmark = pytest.mark.end_to_end

CLIENTS, JOBS = 8, 200
LATE = "item done too late"
Check = Callable[[], None]


@dataclass(frozen=True)
class Machines:
    """Two workers and what they share."""

    shared: Servers
    halts: Halts
    one: Worker
    two: Worker

    @property
    def settings(self) -> Settings:
        return self.shared.settings

    def owner(self, process: int) -> Worker:
        """Whose working process it is."""
        return self.one if process in children(self.one.pid) else self.two


@pytest.fixture(scope="module")
def machines(homes: Callable[[str], Path]) -> Iterator[Machines]:
    folder = homes("several-machines")
    halts = Halts(folder / "halts")
    with servers(folder) as shared:
        one, two = shared.worker("one", halts), shared.worker("two", halts)
        try:
            start_all([one, two])
            yield Machines(shared, halts, one, two)
        finally:
            one.stop()
            two.stop()


@pytest.fixture
def check(machines: Machines, tmp_path: Path, undisturbed: Outcome) -> Check:
    """See that all that was ever submitted is done once, as in an undisturbed run."""
    return lambda: check_done_once(machines.settings, tmp_path / "copy", undisturbed)


def outcomes(settings: Settings, job: str) -> list[list[str]]:
    """How the attempts at each item of a job ended."""
    query = select(WorkItem.number, Attempt.outcome).join(Attempt).where(WorkItem.job_id == job)
    with reading(settings) as session:
        rows = session.execute(query.order_by(WorkItem.number, Attempt.number)).all()
    return [[outcome for number, outcome in rows if number == wanted] for wanted in sorted({row[0] for row in rows})]


@pytest.mark.parametrize("point", ["adding", "placing result"])
def test_two_attempts_that_overlap_leave_what_one_does(
    point: str, machines: Machines, images: list[Path], check: Check, recoveries: Recoveries
) -> None:
    settings, halts = machines.settings, machines.halts
    halts.want(point)
    job = ingest(settings, range(4)) if point == "adding" else segment(settings, images[:2])
    frozen = machines.owner(halts.wait(point))
    with frozen.frozen():
        halts.let_go(point)  # it goes on from there when it is continued
        with recoveries.until_taken_over(settings, job, "machine frozen, its item given to another"):
            pass
        wait_for(settings, job)
    wait_until(lambda: LATE in frozen.settings.log_file.read_text(), "the frozen one comes too late")
    frozen.settings.log_file.write_text("")
    assert sorted(outcomes(settings, job)) == [["done"], ["lost", "done"]]
    check()


def test_what_a_lost_machine_had_in_hand_is_done_by_another(
    machines: Machines, check: Check, recoveries: Recoveries
) -> None:
    settings, halts = machines.settings, machines.halts
    halts.want("generating")
    job = ingest(settings, range(10, 14))
    lost = machines.owner(halts.wait("generating"))
    with recoveries.until_taken_over(settings, job, "machine lost, its item given to another"):
        lost.kill()
        halts.let_go("generating")
    wait_for(settings, job)
    assert sorted(outcomes(settings, job)) == [["done"], ["lost", "done"]]
    lost.start()
    check()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_a_database_that_was(how: signal.Signals, machines: Machines, check: Check, recoveries: Recoveries) -> None:
    settings, halts = machines.settings, machines.halts
    first = 20 if how == signal.SIGINT else 30
    for point in ("generating", "committing"):
        halts.want(point)
    job = ingest(settings, range(first, first + 8))
    for point in ("generating", "committing"):
        halts.wait(point)
    machines.shared.database.stop(how)
    with pytest.raises(UnavailableError, match="does not answer"):
        ingest(settings, range(first + 8, first + 10), idempotency_key=f"during {how}")
    for point in ("generating", "committing"):
        halts.let_go(point)
    for worker in (machines.one, machines.two):
        log = worker.settings.log_file
        wait_until(lambda log=log: "waiting for a part" in log.read_text(), "a worker notices that it is away")
        wait_until(lambda log=log: _waited_for_a_lease(log), "leases run out")
        log.write_text("")
    with recoveries.until_done(settings, "database away, then back"):
        machines.shared.database.start()
    submitted = [ingest(settings, range(first + 8, first + 10), idempotency_key=f"during {how}") for _ in range(2)]
    assert submitted[0] == submitted[1]
    wait_for(settings, job, submitted[0])
    assert outcomes(settings, job) == [["done"]] * 4, "an item was taken from a worker that had it in hand"
    check()


def _waited_for_a_lease(log: Path) -> bool:
    """Reconcilers look every 0.3 s, and a lease lasts 2 s."""
    return log.read_text().count("reconciling must wait") > 8


def test_a_broker_that_was_away_and_came_back_empty(
    machines: Machines, images: list[Path], check: Check, recoveries: Recoveries
) -> None:
    settings, halts = machines.settings, machines.halts
    halts.want("recorded")
    job = ingest(settings, range(40, 60))
    processes = (halts.wait("recorded"), halts.halt_another("recorded"))
    logs = [machines.owner(process).settings.log_file for process in processes]
    machines.shared.stop_broker()
    with pytest.raises(UnavailableError, match="does not answer"):
        segment(settings, images[2:4])
    halts.let_go("recorded")
    for log in logs:
        wait_until(lambda log=log: "Couldn't ack" in log.read_text(), "a message cannot be acknowledged")
    with recoveries.until_ended(settings, job, "broker away, then back and empty: the whole job"):
        machines.shared.start_broker()
        with redis.Redis.from_url(settings.broker_url) as client:
            client.flushall()
    assert outcomes(settings, job) == [["done"]] * 10
    check()


def test_two_hundred_jobs_of_eight_clients_while_workers_come_and_go(
    machines: Machines, images: list[Path], check: Check, recoveries: Recoveries
) -> None:
    settings, halts = machines.settings, machines.halts
    captions, pictures = (100, 260), images[20:60]
    assert captions[1] - captions[0] + len(pictures) == JOBS
    before = _count(settings, Job.id)
    halts.want("sending")
    command = [sys.executable, "-m", "tests.durability.clients", "--clients", str(CLIENTS)]
    command += ["--captions", *map(str, captions), *map(str, pictures)]
    environment = {**os.environ, **settings.as_environment(), **halts.environment(), "FREEDA_CAPTIONS_PER_ITEM": "1"}
    three = machines.shared.worker("three", halts)
    with subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2]) as clients:
        try:
            os.kill(halts.wait("sending"), signal.SIGKILL)  # its job is accepted, and nobody knows
            halts.let_go("sending")
            _wait_for_done(settings, 10, before)
            machines.one.kill()
            three.start()
            _wait_for_done(settings, 70, before)
            machines.two.stop()
            machines.one.start()
            _wait_for_done(settings, 120, before)
            three.kill()
            assert clients.wait() == 0
        finally:
            clients.kill()
            three.stop()
    assert _count(settings, Job.id) == before + JOBS
    with reading(settings) as session:
        jobs = session.scalars(select(Job.id)).all()
    wait_for(settings, *jobs)
    check()


def _count(settings: Settings, column: object, *where: object) -> int:
    with reading(settings) as session:
        return session.execute(select(func.count(column)).where(*where)).scalar_one()  # type: ignore[arg-type]


def _wait_for_done(settings: Settings, items: int, jobs_before: int) -> None:
    done = WorkItem.job_id.in_(select(Job.id).where(Job.idempotency_key.startswith("client")))
    wait_until(
        lambda: _count(settings, WorkItem.id, done, WorkItem.state == ItemState.DONE) >= items, f"{items} items done"
    )
