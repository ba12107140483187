"""Items that a worker claims while it pauses in another one."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import JobKind, Priority, submit_ingest
from freeda_svc.jobs.attempts import PAUSED
from freeda_svc.jobs.claims import (
    Claim,
    claim_next,
    claim_together,
    finish_item,
    finish_items,
    hand_back_item,
    hand_back_items,
    may_be_claimed,
)
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.leases import LeaseWatch
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
Submit = Callable[..., list[int]]


@pytest.fixture
def images(settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]) -> Submit:
    """Submit some items of two captions, as if they had been images; returns their ids."""

    def submit(items: int, priority: Priority = Priority.NORMAL) -> list[int]:
        job = submit_ingest(settings, captions(2 * items), source="x", dispatcher=outbox, priority=priority)
        with writing(settings) as session:
            session.execute(update(WorkItem).where(WorkItem.job_id == job).values(kind=JobKind.SEGMENT))
            return list(session.scalars(select(WorkItem.id).where(WorkItem.job_id == job).order_by(WorkItem.id)))

    return submit


@pytest.fixture
def paused(settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]) -> Claim:
    """An item of captions that the worker has begun."""
    submit_ingest(settings, captions(2), source="x", dispatcher=outbox)
    claim = claim_next(settings, "worker")
    assert claim is not None
    return claim


def _claim(settings: Settings, paused: Claim, most: int = 1) -> list[int]:
    kinds = [JobKind.SEGMENT]
    claims = claim_together(settings, "worker", kinds, most=lambda _first: most, pausing=paused)
    return [claim.item_id for claim in claims]


def _attempts(settings: Settings, item_id: int) -> list[str]:
    with reading(settings) as session:
        return list(session.scalars(select(Attempt.outcome).where(Attempt.item_id == item_id).order_by(Attempt.number)))


def test_the_item_that_pauses_stays_the_workers(settings: Settings, paused: Claim, images: Submit) -> None:
    assert not may_be_claimed(settings, JobKind.SEGMENT, paused)
    assert _claim(settings, paused) == []
    waiting = images(3)
    assert may_be_claimed(settings, JobKind.SEGMENT, paused)
    claims = claim_together(settings, "worker", [JobKind.SEGMENT], most=lambda _first: 2, pausing=paused)
    assert [claim.item_id for claim in claims] == waiting[:2]
    assert finish_items(settings, [(claim, {}) for claim in claims]) == [True, True]
    assert finish_item(settings, paused, {"prototypes": 1})
    assert _attempts(settings, paused.item_id) == ["done"]
    with reading(settings) as session:
        assert session.get_one(WorkItem, paused.item_id).attempts == 1


def test_what_was_begun_before_or_has_a_lower_priority_waits(settings: Settings, paused: Claim, images: Submit) -> None:
    images(1, Priority.LOW)
    assert not may_be_claimed(settings, JobKind.SEGMENT, paused)
    assert _claim(settings, paused) == []
    begun, fresh = images(2)
    first = claim_together(settings, "another", [JobKind.SEGMENT])
    assert [claim.item_id for claim in first] == [begun]
    hand_back_item(settings, first[0], "it is done alone")
    assert _claim(settings, paused, most=9) == [fresh]
    assert not may_be_claimed(settings, JobKind.SEGMENT, paused)
    assert _claim(settings, paused) == []
    urgent = images(1, Priority.HIGH)
    assert _claim(settings, paused) == urgent


def test_what_the_worker_cannot_do_in_a_pause_is_left_where_it_is(
    settings: Settings, paused: Claim, images: Submit
) -> None:
    [waiting] = images(1)
    assert _claim(settings, paused, most=0) == []
    assert _attempts(settings, waiting) == []
    assert _claim(settings, paused) == [waiting]


@pytest.mark.parametrize("found_by", ["the next claim", "the next start", "the others"])
def test_of_a_worker_that_is_lost_in_a_pause_the_image_counts_and_the_item_that_paused_does_not(
    settings: Settings, paused: Claim, images: Submit, found_by: str
) -> None:
    [image] = images(1)
    assert _claim(settings, paused) == [image]
    if found_by == "the next claim":
        again = claim_next(settings, "worker", [JobKind.SEGMENT, JobKind.INGEST])
        assert again is not None
        assert again.item_id == image
    elif found_by == "the others":
        seconds = iter((0.0, 1.0, 10.0 * settings.lease_seconds))
        watch = LeaseWatch(settings.model_copy(update={"reconcile_seconds": 1000.0}), clock=lambda: next(seconds))
        assert [watch.put_back_silent_items() for _ in range(2)] == [0, 2]
    else:
        assert hand_back_items(settings, "worker", lost=True) == 2
    with reading(settings) as session:
        failures = {item.id: item.failures for item in session.scalars(select(WorkItem))}
        errors = set(session.scalars(select(Attempt.error).where(Attempt.item_id == paused.item_id)))
    assert failures == {image: 1, paused.item_id: 0}
    assert errors == {PAUSED}
    assert _attempts(settings, image)[0] == "lost"
    assert _attempts(settings, paused.item_id) == ["handed back"]
