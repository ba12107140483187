import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import cancel_job, job_items, job_summary, submit_ingest
from freeda_svc.jobs.claims import (
    Claim,
    claim_item,
    fail_item,
    finish_item,
    hand_back_items,
    has_item_in_hand,
    put_back_expired_items,
    renew_lease,
)
from freeda_svc.jobs.database import reading
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

Captions = Callable[[int], list[Caption]]


@pytest.fixture
def item_ids(settings: Settings, outbox: "Outbox", captions: Captions) -> list[int]:
    submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    return [item_id for _, item_id in outbox.sent]


def _claim(settings: Settings, item_id: int, worker: str = "worker") -> Claim:
    claim = claim_item(settings, item_id, worker)
    assert claim is not None
    return claim


def _item(settings: Settings, item_id: int) -> WorkItem:
    with reading(settings) as session:
        return session.get_one(WorkItem, item_id)


def _outcomes(settings: Settings, item_id: int) -> list[str]:
    with reading(settings) as session:
        return list(session.scalars(select(Attempt.outcome).where(Attempt.item_id == item_id).order_by(Attempt.number)))


def test_an_item_goes_from_queued_to_done_and_its_job_with_the_last(settings: Settings, item_ids: list[int]) -> None:
    first = _claim(settings, item_ids[0])
    assert (first.attempt, first.number, first.kind) == (1, 1, "ingest")
    assert first.input == {"captions": ["a cat number 0 on a mat", "a cat number 1 on a mat"]}
    assert job_summary(settings, first.job_id).state == "running"
    assert finish_item(settings, first, {"prototypes": 2})
    assert _item(settings, item_ids[0]).result == {"prototypes": 2}
    assert job_summary(settings, first.job_id).state == "running"
    assert finish_item(settings, _claim(settings, item_ids[1]), {"prototypes": 1})
    summary = job_summary(settings, first.job_id)
    assert (summary.state, summary.progress.done, summary.progress.seconds_left) == ("done", 2, None)
    assert _outcomes(settings, item_ids[0]) == ["done"]


def test_of_many_threads_one_gets_the_item(settings: Settings, item_ids: list[int]) -> None:
    for item_id in item_ids:
        barrier = threading.Barrier(4)
        claims: list[Claim | None] = []

        def take(name: str, item_id: int = item_id, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            claims.append(claim_item(settings, item_id, name))  # noqa: B023 - joined before the next round

        threads = [threading.Thread(target=take, args=(f"worker {number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(claims) == 4
        assert sum(claim is not None for claim in claims) == 1
        assert _outcomes(settings, item_id) == ["running"]


def test_an_item_cannot_be_taken_or_finished_twice(settings: Settings, item_ids: list[int]) -> None:
    claim = _claim(settings, item_ids[0])
    assert claim_item(settings, item_ids[0], "other") is None
    assert finish_item(settings, claim, {"prototypes": 1})
    assert not finish_item(settings, claim, {"prototypes": 9})
    assert claim_item(settings, item_ids[0], "worker") is None
    assert _item(settings, item_ids[0]).result == {"prototypes": 1}


def test_an_item_that_does_not_exist_is_nobodys(settings: Settings, item_ids: list[int]) -> None:
    assert claim_item(settings, max(item_ids) + 1, "worker") is None


def test_an_unexpected_failure_is_tried_again_up_to_the_limit(settings: Settings, item_ids: list[int]) -> None:
    claim = _claim(settings, item_ids[0])
    assert fail_item(settings, claim, "KeyError: 'x'", "Traceback ...", final=False)
    item = _item(settings, item_ids[0])
    assert (item.state, item.error, item.sent_at) == ("queued", "KeyError: 'x'", None)
    assert not fail_item(settings, _claim(settings, item_ids[0]), "KeyError: 'x'", "Traceback ...", final=False)
    item = _item(settings, item_ids[0])
    assert (item.state, item.error) == ("failed", "KeyError: 'x' (2 attempts)")
    assert claim_item(settings, item_ids[0], "worker") is None
    assert _outcomes(settings, item_ids[0]) == ["failed", "failed"]
    with reading(settings) as session:
        assert set(session.scalars(select(Attempt.error))) == {"Traceback ..."}


def test_an_expected_failure_is_final(settings: Settings, item_ids: list[int]) -> None:
    for item_id in item_ids:
        assert not fail_item(settings, _claim(settings, item_id), "not an image", final=True)
    summary = job_summary(settings, _item(settings, item_ids[0]).job_id)
    assert (summary.state, summary.progress.failed) == ("failed", 2)
    assert job_items(settings, summary.id)[0].error == "not an image"


def test_who_fell_silent_loses_the_item_and_cannot_finish_it(settings: Settings, item_ids: list[int]) -> None:
    hasty = settings.model_copy(update={"lease_seconds": 0.05})
    slow = _claim(hasty, item_ids[0], "slow")
    time.sleep(0.1)
    assert put_back_expired_items(hasty) == 1
    assert not renew_lease(hasty, slow)
    quick = _claim(settings, item_ids[0], "quick")
    assert not finish_item(settings, slow, {"by": "slow"})
    assert not fail_item(settings, slow, "late", final=True)
    assert finish_item(settings, quick, {"by": "quick"})
    assert _item(settings, item_ids[0]).result == {"by": "quick"}
    assert _outcomes(settings, item_ids[0]) == ["lost", "done"]


def test_an_expired_item_can_be_taken_at_once(settings: Settings, item_ids: list[int]) -> None:
    _claim(settings.model_copy(update={"lease_seconds": 0.01}), item_ids[0], "slow")
    time.sleep(0.05)
    assert _claim(settings, item_ids[0], "quick").attempt == 2


def test_a_renewed_lease_holds(settings: Settings, item_ids: list[int]) -> None:
    claim = _claim(settings.model_copy(update={"lease_seconds": 0.01}), item_ids[0])
    assert renew_lease(settings, claim)
    time.sleep(0.05)
    assert put_back_expired_items(settings) == 0
    assert claim_item(settings, item_ids[0], "other") is None


def test_a_worker_that_comes_again_has_lost_its_attempt_and_that_counts(
    settings: Settings, item_ids: list[int]
) -> None:
    _claim(settings, item_ids[0])
    assert _claim(settings, item_ids[0]).attempt == 2
    assert claim_item(settings, item_ids[0], "worker") is None
    item = _item(settings, item_ids[0])
    assert (item.state, item.error) == ("failed", "its worker was lost (2 attempts)")
    assert _outcomes(settings, item_ids[0]) == ["lost", "lost"]


def test_a_stopping_worker_hands_back_without_counting(settings: Settings, item_ids: list[int]) -> None:
    for _ in range(settings.max_attempts + 1):
        _claim(settings, item_ids[0])
        assert has_item_in_hand(settings, "worker")
        assert not has_item_in_hand(settings, "somebody else")
        assert hand_back_items(settings, "somebody else", lost=False) == 0
        assert hand_back_items(settings, "worker", lost=False) == 1
    assert _item(settings, item_ids[0]).state == "queued"
    assert not has_item_in_hand(settings, "worker")
    _claim(settings, item_ids[0])
    assert hand_back_items(settings, "worker", lost=True) == 1
    assert _item(settings, item_ids[0]).failures == 1
    assert set(_outcomes(settings, item_ids[0])) == {"handed back", "lost"}


def test_an_item_in_hand_ends_with_its_cancelled_job(settings: Settings, item_ids: list[int]) -> None:
    first = _claim(settings, item_ids[0])
    assert cancel_job(settings, first.job_id) == 1
    assert claim_item(settings, item_ids[1], "worker") is None
    hand_back_items(settings, "worker", lost=False)
    assert [item.state for item in job_items(settings, first.job_id)] == ["cancelled", "cancelled"]


def test_an_item_in_hand_may_finish_in_a_cancelled_job(settings: Settings, item_ids: list[int]) -> None:
    first = _claim(settings, item_ids[0])
    cancel_job(settings, first.job_id)
    assert finish_item(settings, first, {})
    summary = job_summary(settings, first.job_id)
    assert (summary.state, summary.progress.done, summary.progress.cancelled) == ("cancelled", 1, 1)


def test_a_claim_carries_what_the_job_was_asked_with(settings: Settings, item_ids: list[int]) -> None:
    claim = _claim(settings, item_ids[0])
    assert claim == replace(claim, pack=settings.pack, parameters={"bank": "default@1", "captions": 4, "left_out": {}})
    assert len(claim.fingerprint) == 16
