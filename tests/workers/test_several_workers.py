"""Several real workers on one broker and one PostgreSQL server; what they do for an item is made up (FAKE_WORK)."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from freeda_svc.captions.caption import Caption, make_caption
from freeda_svc.errors import BusyError, InputError
from freeda_svc.jobs import (
    EventKind,
    JobSummary,
    Priority,
    follow_job,
    item_errors,
    job_events,
    job_summary,
    submit_ingest,
    submit_segment,
)
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, Event, WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import CeleryDispatcher, background_stack, run_worker, worker_pid
from tests.tcp_broker import tcp_broker

pytestmark = pytest.mark.end_to_end
Eventually = Callable[..., None]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """A broker that no worker starts or stops."""
    with tcp_broker(tmp_path / "broker") as url:
        yield url


@pytest.fixture
def shared(
    make_settings: Callable[..., Settings], described_pack: str, broker: str, postgres_url: str, fake_work: Path
) -> Settings:
    """Everything that several workers need; nobody asks the Qdrant server for anything."""
    return make_settings(
        pack=described_pack,
        broker_url=broker,
        database_url=postgres_url,
        qdrant_url="http://127.0.0.1:1",
        lease_seconds=600,  # a worker that a busy machine holds up is not a silent one
        stop_grace_seconds=5,
        max_attempts=2,
    )


def _submit(settings: Settings, *texts: str, priority: Priority = Priority.NORMAL) -> str:
    captions: list[Caption] = [caption for text in texts if (caption := make_caption(text)) is not None]
    submitting = settings.model_copy(update={"qdrant_url": ""})  # a client that finds out about banks at home
    dispatcher = CeleryDispatcher(settings)
    return submit_ingest(submitting, captions, source="x", dispatcher=dispatcher, priority=priority)


def _ended(settings: Settings, job_id: str) -> JobSummary:
    *_, last = follow_job(settings, job_id, every_seconds=0.05)
    return last


def _outcomes(settings: Settings, job_id: str) -> list[list[str]]:
    """How the attempts at each item of a job ended."""
    query = select(WorkItem.number, Attempt.outcome).join(Attempt).where(WorkItem.job_id == job_id)
    with reading(settings) as session:
        rows = list(session.execute(query.order_by(WorkItem.number, Attempt.number)))
    return [[outcome for number, outcome in rows if number == wanted] for wanted in sorted({n for n, _ in rows})]


def _named(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"worker_name": name})


def test_workers_serve_the_queues_they_are_given_and_urgent_work_first(shared: Settings, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "image.png")
    jobs = [
        _submit(shared, *(f"a {word} {number}" for number in range(3)), priority=priority)
        for word, priority in (("cat", Priority.LOW), ("dog", Priority.NORMAL), ("cow", Priority.HIGH))
    ]
    submitting = shared.model_copy(update={"qdrant_url": ""})
    dispatcher = CeleryDispatcher(shared)
    images = submit_segment(submitting, [tmp_path / "image.png"] * 4, [{"name": "dog"}], dispatcher=dispatcher)
    makers, cutters = _named(shared, "makers"), _named(shared, "cutters")
    with (
        background_stack(makers, queues=["ingest", "exemplars"]) as pid,
        background_stack(cutters, queues=["segment"]),
    ):
        assert [_ended(shared, job_id).state for job_id in (*jobs, images)] == ["done"] * 4
        assert worker_pid(makers) == pid
        with pytest.raises(BusyError, match=rf"^process {pid} is already the worker makers .*another name$"):
            run_worker(shared, name="makers")
        with pytest.raises(BusyError, match="use a Qdrant server, this one would use the embedded bank"):
            run_worker(shared.model_copy(update={"qdrant_url": "", "home": tmp_path / "elsewhere"}))
    with reading(shared) as session:
        begun = select(Event.job_id, Event.message).where(Event.kind == EventKind.BEGUN).order_by(Event.id)
        rows = session.execute(begun).all()
    assert {worker.partition("@")[0] for job_id, worker in rows if job_id == images} == {"cutters"}
    assert {worker.partition("@")[0] for job_id, worker in rows if job_id != images} == {"makers"}
    order = [job_id for job_id, _ in rows if job_id != images]
    assert order == [job_id for job_id in reversed(jobs) for _ in range(3)]
    assert "worker-makers.log" in {file.name for file in shared.logs_folder.iterdir()}


def test_a_worker_frozen_past_its_lease_changes_nothing_afterwards(shared: Settings, eventually: Eventually) -> None:
    shared = shared.model_copy(update={"lease_seconds": 4.0})
    job_id = _submit(shared, "a slow cat")
    with background_stack(_named(shared, "frozen")) as frozen:
        eventually(lambda: job_summary(shared, job_id).progress.running)
        os.killpg(frozen, signal.SIGSTOP)
        try:
            with background_stack(_named(shared, "other")):
                assert _ended(shared, job_id).state == "done"
        finally:
            os.killpg(frozen, signal.SIGCONT)
        log = _named(shared, "frozen").log_file
        eventually(lambda: "item done too late" in log.read_text())
    assert _outcomes(shared, job_id) == [["lost", "done"]]
    with reading(shared) as session:
        assert session.scalars(select(WorkItem.result)).one() == {"attempt": 2}


def test_an_item_that_kills_its_worker_is_set_aside_and_the_job_goes_on(shared: Settings) -> None:
    job_id = _submit(shared, "a cat", "a killer whale", "a dog")
    with background_stack(shared) as pid:
        summary = _ended(shared, job_id)
        assert (summary.state, summary.progress.done, summary.progress.failed) == ("partly failed", 2, 1)
        later = _submit(shared, "a bird")
        assert _ended(shared, later).state == "done"
        assert worker_pid(shared) == pid
    assert _outcomes(shared, job_id) == [["done"], ["lost", "lost"], ["done"]]
    [error] = item_errors(shared, job_id)
    assert (error.number, error.error) == (2, "its worker was lost (2 attempts)")


def test_what_a_missing_part_keeps_from_being_done_waits_without_counting(
    shared: Settings, fake_work: Path, eventually: Eventually
) -> None:
    job_id = _submit(shared, "a missing cat")
    with background_stack(shared):
        eventually(lambda: sum(len(found) for found in _outcomes(shared, job_id)) > shared.max_attempts)
        fake_work.touch()
        assert _ended(shared, job_id).state == "done"
    [outcomes] = _outcomes(shared, job_id)
    assert set(outcomes[:-1]) == {"handed back"}
    handed_back = [event.message for event in job_events(shared, job_id) if event.kind == EventKind.HANDED_BACK]
    assert set(handed_back) == {"the bank does not answer"}


def test_a_queue_that_there_is_not_is_reported_in_one_line(shared: Settings) -> None:
    with pytest.raises(
        InputError, match=r"no queue 'paint'; the queues are bank, segment, export, import, exemplars, ingest"
    ):
        run_worker(shared, ["segment", "paint"])
