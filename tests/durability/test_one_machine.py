"""The embedded stack (SQLite, a broker of its own, an embedded bank) when something happens to its processes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import running_broker_url, worker_pid
from freeda_svc.workers.broker_server import stop_broker
from tests.durability.halts import Halts, wait_until
from tests.durability.recovery import Recoveries
from tests.durability.services import Worker, children, has_ended, one_machine
from tests.durability.workload import Outcome, check_done_once, ingest, segment, wait_for

pytestmark = pytest.mark.end_to_end

DAY = 86_400.0
Check = Callable[[], None]


@pytest.fixture(scope="module")
def stack(homes: Callable[[str], Path]) -> Iterator[tuple[Worker, Halts]]:
    folder = homes("one-machine")
    halts = Halts(folder / "halts")
    with one_machine(folder, halts) as worker:
        yield worker, halts


@pytest.fixture
def check(stack: tuple[Worker, Halts], tmp_path: Path, undisturbed: Outcome) -> Check:
    """See that all that was ever submitted to the stack is done once, as in an undisturbed run."""
    return lambda: check_done_once(stack[0].settings, tmp_path / "copy", undisturbed)


def outcomes(settings: Settings, job: str) -> list[str]:
    """How the attempts at all items of a job ended."""
    query = select(Attempt.outcome).join(WorkItem).where(WorkItem.job_id == job)
    with reading(settings) as session:
        return list(session.scalars(query.order_by(WorkItem.number, Attempt.number)))


def test_a_working_process_killed_at_any_point_loses_and_repeats_nothing(
    stack: tuple[Worker, Halts], images: list[Path], check: Check, recoveries: Recoveries
) -> None:
    worker, halts = stack
    settings = worker.settings
    for submit, points in (
        (lambda: ingest(settings, range(4)), ("generating", "adding", "committing")),
        (lambda: segment(settings, images[:3]), ("placing result", "recorded")),
    ):
        halts.want(points[0])
        job = submit()
        for point, following in zip(points, (*points[1:], ""), strict=True):
            killed = halts.wait(point)
            assert killed in children(worker.pid)
            if following:
                halts.want(following)
            with recoveries.until_begun(settings, "working process killed"):
                os.kill(killed, signal.SIGKILL)
                halts.let_go(point)
        wait_for(settings, job)
    assert worker_pid(settings) == worker.pid
    check()


@pytest.mark.parametrize("broker_dies", [False, True], ids=["alone", "with its broker"])
def test_a_process_group_killed_at_once_loses_and_repeats_nothing(
    stack: tuple[Worker, Halts], *, broker_dies: bool, check: Check, recoveries: Recoveries
) -> None:
    worker, halts = stack
    settings = worker.settings
    halts.want("adding")
    job = ingest(settings, range(10, 16) if broker_dies else range(20, 26))
    halts.wait("adding")
    broker = int(_ask_broker(settings, lambda client: client.info()["process_id"]))
    with recoveries.until_begun(settings, "worker and broker killed" if broker_dies else "worker killed"):
        if broker_dies:
            os.kill(broker, signal.SIGKILL)
        worker.kill()
        halts.let_go("adding")
        worker.start()
    wait_for(settings, job)
    assert "lost" in outcomes(settings, job)
    check()


def _ask_broker(settings: Settings, question: Callable[["redis.Redis"], object]) -> object:
    url = running_broker_url(settings)
    assert url is not None
    with redis.Redis.from_url(url) as client:
        return question(client)


@pytest.mark.parametrize("how", ["emptied", "stopped", "killed"])
def test_a_broker_that_is(how: str, stack: tuple[Worker, Halts], check: Check, recoveries: Recoveries) -> None:
    worker, halts = stack
    settings = worker.settings
    first = 30 + 10 * ["emptied", "stopped", "killed"].index(how)
    halts.want("generating")
    job = ingest(settings, range(first, first + 10))
    halts.wait("generating")
    broker = int(_ask_broker(settings, lambda client: client.info()["process_id"]))
    with recoveries.until_ended(settings, job, f"broker {how}: the whole job"):
        if how == "emptied":
            _ask_broker(settings, lambda client: client.flushall())
        elif how == "stopped":
            stop_broker(settings)
        else:
            os.kill(broker, signal.SIGKILL)
        halts.let_go("generating")
    assert set(outcomes(settings, job)) == {"done"}
    assert has_ended(broker) == (how != "emptied")
    check()


def test_a_working_process_frozen_past_its_lease_comes_back_too_late(
    stack: tuple[Worker, Halts], check: Check, recoveries: Recoveries
) -> None:
    worker, halts = stack
    settings = worker.settings
    halts.want("adding")
    job = ingest(settings, range(60, 64))
    frozen = halts.wait("adding")
    os.kill(frozen, signal.SIGSTOP)
    halts.let_go("adding")
    wait_until(lambda: "lost" in outcomes(settings, job), "the silent process loses its item")
    with recoveries.until_begun(settings, "working process continued after its lease"):
        os.kill(frozen, signal.SIGCONT)
    wait_for(settings, job)
    assert "item done too late" in settings.log_file.read_text()
    assert outcomes(settings, job) == ["lost", "done", "done"]
    check()


def test_a_machine_that_slept_keeps_what_it_had_in_hand(stack: tuple[Worker, Halts], check: Check) -> None:
    worker, halts = stack
    settings = worker.settings
    halts.want("generating")
    job = ingest(settings, range(70, 72))
    halts.wait("generating")
    with worker.frozen():
        time.sleep(1.5 * settings.lease_seconds)  # nobody is awake who could tell that it is over
    halts.let_go("generating")
    wait_for(settings, job)
    assert outcomes(settings, job) == ["done"]
    check()


def test_a_clock_that_jumps_costs_no_item_its_attempt(
    stack: tuple[Worker, Halts], check: Check, recoveries: Recoveries
) -> None:
    """The clock of the worker's machine jumps, a day on and then two days back; those of broker and client do not."""
    worker, halts = stack
    settings, name = worker.settings, worker.settings.worker_name
    halts.want("generating")
    jobs = [ingest(settings, range(80, 84))]
    halts.wait("generating")
    try:
        for seconds in (DAY, -DAY):
            before = _lease_end(settings)
            halts.set_clock(name, seconds)
            wait_until(lambda before=before: abs(_lease_end(settings) - before) > DAY / 2, "the lease has the new time")
            time.sleep(settings.lease_seconds + settings.reconcile_seconds)  # enough to be taken for silent
        halts.want("adding")
        halts.let_go("generating")
        killed = halts.wait("adding")
        assert outcomes(settings, jobs[0]) == ["running"]  # still the first attempt
        with recoveries.until_begun(settings, "working process killed, its clock a day off"):
            os.kill(killed, signal.SIGKILL)
            halts.let_go("adding")
        wait_for(settings, *jobs)
    finally:
        halts.set_clock(name, 0.0)
    jobs.append(ingest(settings, range(84, 86)))
    wait_for(settings, *jobs)
    assert [outcomes(settings, job) for job in jobs] == [["lost", "done", "done"], ["done"]]
    check()


def _lease_end(settings: Settings) -> float:
    query = select(WorkItem.lease_until).where(WorkItem.lease_until.is_not(None))
    with reading(settings) as session:
        until = session.scalars(query).one()
    assert until is not None
    return until.timestamp()
