"""Images that are done in the pauses of a long item; the working process is this one, and the models are made up."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from celery.exceptions import SoftTimeLimitExceeded
from PIL import Image
from sqlalchemy import select

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import InputError
from freeda_svc.jobs import ItemState, JobKind, Priority, job_items, submit_ingest, submit_segment
from freeda_svc.jobs.claims import Claim
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings
from freeda_svc.workers import child, interleaving, tasks, together
from freeda_svc.workers.app import QUEUES_KEY, SETTINGS_KEY
from freeda_svc.workers.messages import QUEUES
from freeda_svc.workers.metrics_reports import Report
from freeda_svc.workers.pauses import pause
from freeda_svc.workers.resources import Resources


class NoDispatcher:
    def check(self) -> None: ...

    def send(self, kind: JobKind, item_ids: Sequence[int]) -> bool:
        return False


class Working:
    """A working process: what is submitted to it, and what it does for its items; of captions, some pauses.

    Attributes:
        done: the kinds of items, in the order in which they ended.
        reports: what it measured of them, in this order, too.
        pauses: how many an item of captions has.
        in_pause: called before each pause.
        on_image: called for each image.
        images: the ids of the jobs of images.
    """

    def __init__(self, settings: Settings, captions: Sequence[Caption], image: Path) -> None:
        self.settings = settings
        self.done: list[JobKind] = []
        self.reports: list[Report] = []
        self.pauses = 3
        self.in_pause: Callable[[], object] = lambda: None
        self.on_image: Callable[[Claim], object] = lambda _claim: None
        self.images: list[str] = []
        self._captions, self._image = captions, image

    def ingest(self, priority: Priority = Priority.NORMAL) -> str:
        return submit_ingest(self.settings, self._captions, source="x", dispatcher=NoDispatcher(), priority=priority)

    def segment(self, images: int = 1) -> None:
        paths = [self._image] * images
        self.images.append(submit_segment(self.settings, paths, [{"name": "dog"}], dispatcher=NoDispatcher()))

    def segment_once(self, images: int = 1) -> None:
        if not self.images:
            self.segment(images)

    def message(self, *queues: str) -> None:
        """Deliver one message."""
        conf = {
            SETTINGS_KEY: self.settings.model_dump(mode="json"),
            QUEUES_KEY: queues or QUEUES,
            child.REPORTS_KEY: "somewhere",
        }
        tasks.run_waiting_items(SimpleNamespace(app=SimpleNamespace(conf=conf)), 1)

    def attempts(self, job: str) -> list[list[str]]:
        """How the attempts at each item of a job ended."""
        query = select(WorkItem.number, Attempt.outcome).join(Attempt).where(WorkItem.job_id == job)
        with reading(self.settings) as session:
            rows = list(session.execute(query.order_by(WorkItem.number, Attempt.number)))
        numbers = sorted({number for number, _ in rows})
        return [[outcome for number, outcome in rows if number == wanted] for wanted in numbers]

    def perform(self, _resources: object, claim: Claim) -> dict[str, Any]:
        if claim.kind is JobKind.SEGMENT:
            self.on_image(claim)
        else:
            for _ in range(self.pauses):
                self.in_pause()
                pause()
        self.done.append(claim.kind)
        return {}

    def perform_together(self, resources: object, claims: Sequence[Claim]) -> dict[int, dict[str, Any]]:
        return {claim.item_id: self.perform(resources, claim) for claim in claims}


@pytest.fixture
def working(
    make_settings: Callable[..., Settings],
    described_pack: str,
    captions: Callable[..., list[Caption]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Working]:
    path = tmp_path / "image.png"
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(path)
    working = Working(make_settings(pack=described_pack), captions(1), path)
    for module in (tasks, together):
        monkeypatch.setattr(module, "perform", working.perform)
        monkeypatch.setattr(module, "send_report", lambda address, report: working.reports.append(report))
    for module in (tasks, interleaving):
        monkeypatch.setattr(module, "most_together", lambda held, first: 2)
    monkeypatch.setattr(together, "perform_together", working.perform_together)
    monkeypatch.setattr(tasks, "fault_behind", lambda error, held, claim: None)  # the pack has no weights to try
    monkeypatch.setattr(tasks, "BURST_SECONDS", 0.0)
    monkeypatch.setattr(interleaving, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(Resources, "prepare", lambda self, kind: None)
    yield working
    child.end_process()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time by which it is decided whose turn it is."""

    def sleep(seconds: float) -> None:
        clock.now += seconds

    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now, sleep=sleep)
    monkeypatch.setattr(interleaving, "time", clock)
    return clock


def test_images_are_done_in_the_pauses_of_captions_a_few_in_each(working: Working) -> None:
    job = working.ingest()
    working.in_pause = lambda: working.segment_once(3)
    working.message()
    assert working.done == [JobKind.SEGMENT] * 3 + [JobKind.INGEST]
    assert working.attempts(job) == [["done"]]
    assert working.attempts(working.images[0]) == [["done"]] * 3


def test_an_image_that_comes_right_after_another_does_not_wait_for_the_next_pause(
    working: Working, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(seconds: float) -> None:
        clock.now += seconds
        if clock.now > 0.01 and len(working.images) == 1:
            working.segment()

    monkeypatch.setattr(clock, "sleep", wait)
    working.pauses, working.in_pause = 1, working.segment
    working.ingest()
    working.message()
    assert working.done == [JobKind.SEGMENT, JobKind.SEGMENT, JobKind.INGEST]
    assert clock.now < 0.1  # and it does not wait for ever for a third


def test_the_time_of_images_is_not_counted_as_that_of_the_item_that_paused(working: Working) -> None:
    working.in_pause = working.segment_once
    working.on_image = lambda _claim: time.sleep(0.5)
    working.ingest()
    begun = time.perf_counter()
    working.message()
    took = time.perf_counter() - begun
    image, captions = working.reports
    assert (image.kind, image.outcome, captions.kind, captions.outcome) == ("segment", "done", "ingest", "done")
    assert image.seconds["perform"] >= 0.5
    assert captions.seconds["perform"] <= took - 0.5


def test_an_image_that_cannot_be_done_is_put_back_without_a_count_and_done_alone_afterwards(working: Working) -> None:
    def fail(claim: Claim) -> None:
        if claim.job_id == working.images[0]:
            raise InputError("it is broken")

    working.in_pause, working.on_image, working.pauses = working.segment, fail, 2
    job = working.ingest()
    working.message()
    broken, later = working.images
    assert working.done == [JobKind.INGEST]  # after the first none was begun
    assert (working.attempts(job), working.attempts(broken)) == ([["done"]], [["handed back"]])
    working.message()
    assert working.attempts(broken) == [["handed back", "failed"]]
    assert job_items(working.settings, broken)[0].error == "it is broken"
    working.message()
    assert working.attempts(later) == [["done"]]


def test_images_wait_that_are_less_urgent_or_of_another_worker(working: Working) -> None:
    working.in_pause = working.segment_once
    working.ingest()
    working.message("ingest")
    assert working.done == [JobKind.INGEST]
    working.message()
    assert working.done == [JobKind.INGEST, JobKind.SEGMENT]
    working.images.clear()
    working.ingest(Priority.HIGH)
    working.message()
    assert working.done[2:] == [JobKind.INGEST]


def test_captions_have_their_turn_beside_an_endless_stream_of_images(
    working: Working, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "time", clock)

    def slow(_claim: Claim) -> None:
        clock.now += 10.0
        working.segment()

    working.on_image, working.pauses = slow, 0
    working.ingest()
    working.segment(2)
    while JobKind.INGEST not in working.done:
        working.message()
    assert 60 <= 10 * working.done.count(JobKind.SEGMENT) <= 80
    for _ in range(4):
        working.message()
    assert working.done[-4:] == [JobKind.SEGMENT] * 4


def test_an_endless_stream_of_images_takes_no_more_than_half_of_the_time(
    working: Working, clock: SimpleNamespace
) -> None:
    def step() -> None:
        working.segment()
        clock.now += 1.0

    def slow(_claim: Claim) -> None:
        clock.now += 10.0

    working.in_pause, working.on_image, working.pauses = step, slow, 40
    working.ingest()
    working.message()
    images = working.done.count(JobKind.SEGMENT)
    assert working.done[-1] is JobKind.INGEST
    assert 4 <= images <= 6  # of ten seconds each, beside forty of the item itself


def test_images_take_a_part_of_an_items_time_limit_at_most(working: Working, clock: SimpleNamespace) -> None:
    def step() -> None:
        working.segment()
        clock.now += 1000.0

    def slow(_claim: Claim) -> None:
        clock.now += 300.0

    working.in_pause, working.on_image, working.pauses = step, slow, 9
    working.ingest()
    working.message()
    assert working.settings.item_time_limit_seconds == 3600
    assert 600 <= 300 * working.done.count(JobKind.SEGMENT) <= 1500


def test_a_time_limit_that_comes_in_an_image_ends_the_item_that_paused(working: Working) -> None:
    def interrupt(_claim: Claim) -> None:
        raise SoftTimeLimitExceeded

    working.in_pause, working.on_image = working.segment, interrupt
    job = working.ingest()
    working.message()
    assert working.attempts(job) == [["failed"]]
    assert "item_time_limit_seconds" in job_items(working.settings, job)[0].error
    [image] = working.images
    assert working.attempts(image) == [["handed back"]]
    assert job_items(working.settings, image)[0].state == ItemState.QUEUED


def test_trouble_with_looking_for_images_does_not_end_the_item(
    working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def fail(*_given: object) -> bool:
        looks.append(1)
        raise RuntimeError("whatever")

    monkeypatch.setattr(interleaving, "may_be_claimed", fail)
    job = working.ingest()
    working.message()
    assert working.attempts(job) == [["done"]]
    assert len(looks) == 1  # then it waits for a while
