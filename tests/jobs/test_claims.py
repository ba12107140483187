import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from freeda_svc.captions.caption import Caption
from freeda_svc.jobs import JobKind, Priority, cancel_job, job_items, job_summary, retry_failed_items, submit_ingest
from freeda_svc.jobs.claims import (
    Claim,
    claim_next,
    claim_together,
    fail_item,
    finish_item,
    finish_items,
    hand_back_item,
    hand_back_items,
    has_running_item,
    renew_lease,
)
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.tables import Attempt, WorkItem
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
Captions = Callable[[int], list[Caption]]


@pytest.fixture
def item_ids(settings: Settings, outbox: "Outbox", captions: Captions) -> list[int]:
    submit_ingest(settings, captions(4), source="x", dispatcher=outbox)
    return [item_id for _, item_id in outbox.sent]


def _claim(settings: Settings, worker: str = "worker") -> Claim:
    claim = claim_next(settings, worker)
    assert claim is not None
    return claim


def _item(settings: Settings, item_id: int) -> WorkItem:
    with reading(settings) as session:
        return session.get_one(WorkItem, item_id)


def _outcomes(settings: Settings, item_id: int) -> list[str]:
    with reading(settings) as session:
        return list(session.scalars(select(Attempt.outcome).where(Attempt.item_id == item_id).order_by(Attempt.number)))


def test_an_item_goes_from_queued_to_done_and_its_job_with_the_last(settings: Settings, item_ids: list[int]) -> None:
    first = _claim(settings)
    assert (first.item_id, first.attempt, first.number, first.kind) == (item_ids[0], 1, 1, "ingest")
    assert first.input == {"captions": ["a cat number 0 on a mat", "a cat number 1 on a mat"]}
    assert job_summary(settings, first.job_id).state == "running"
    assert finish_item(settings, first, {"prototypes": 2})
    assert _item(settings, item_ids[0]).result == {"prototypes": 2}
    assert job_summary(settings, first.job_id).state == "running"
    assert finish_item(settings, _claim(settings), {"prototypes": 1})
    summary = job_summary(settings, first.job_id)
    assert (summary.state, summary.progress.done, summary.progress.seconds_left) == ("done", 2, None)
    assert _outcomes(settings, item_ids[0]) == ["done"]
    assert claim_next(settings, "worker") is None


def test_many_workers_at_once_take_each_item_once(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    submit_ingest(settings, captions(48), source="x", dispatcher=outbox)
    taken: list[int] = []

    def work(name: str) -> None:
        while (claim := claim_next(settings, name)) is not None:
            taken.append(claim.item_id)
            assert finish_item(settings, claim, {})

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(item_id for _, item_id in outbox.sent)
    with reading(settings) as session:
        job_id = session.scalars(select(WorkItem.job_id)).first()
        assert set(session.scalars(select(Attempt.outcome))) == {"done"}
    assert job_id is not None
    assert job_summary(settings, job_id).state == "done"


def test_higher_priorities_begin_first_then_kinds_in_the_workers_order_then_age(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    order = (Priority.LOW, Priority.NORMAL, Priority.HIGH, Priority.NORMAL)
    jobs = [submit_ingest(settings, captions(2), source="x", dispatcher=outbox, priority=given) for given in order]
    with writing(settings) as session:  # as if the last had been images to segment
        session.execute(update(WorkItem).where(WorkItem.job_id == jobs[3]).values(kind=JobKind.SEGMENT))
    kinds = (JobKind.SEGMENT, JobKind.EXEMPLARS, JobKind.INGEST)
    begun = [claim_next(settings, f"worker {number}", kinds) for number in range(5)]
    assert [claim and claim.job_id for claim in begun] == [jobs[2], jobs[3], jobs[1], jobs[0], None]


def test_items_of_several_jobs_are_claimed_together_in_their_order(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    jobs = [submit_ingest(settings, captions(count), source="x", dispatcher=outbox) for count in (2, 4)]
    low = submit_ingest(settings, captions(2), source="x", dispatcher=outbox, priority=Priority.LOW)
    order = [item_id for _, item_id in outbox.sent]
    several = claim_together(settings, "first", most=lambda _first: 2)
    assert [claim.item_id for claim in several] == order[:2]
    rest = claim_together(settings, "second", most=lambda _first: 9)
    assert [claim.item_id for claim in rest] == order[2:3]  # what has another priority is claimed by itself
    assert [claim.attempt for claim in (*several, *rest)] == [1, 1, 1]
    assert [job_summary(settings, job).state for job in (*jobs, low)] == ["running", "running", "queued"]
    assert [job_summary(settings, job).progress.running for job in jobs] == [1, 2]


def test_what_does_not_fit_or_was_begun_before_is_done_alone(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    for count in (6, 2):
        submit_ingest(settings, captions(count), source="x", dispatcher=outbox)
    order = [item_id for _, item_id in outbox.sent]
    first = _claim(settings)
    hand_back_item(settings, first, "the bank does not answer")

    def claim(name: str) -> list[int]:
        claims = claim_together(settings, name, most=lambda _one: 9, fit=lambda one, other: one.job_id == other.job_id)
        return [claim.item_id for claim in claims]

    assert [claim(name) for name in "abc"] == [order[:1], order[1:3], order[3:]]
    assert claim_together(settings, "d", most=lambda _one: 9) == []


def test_items_that_were_claimed_together_are_all_lost_with_their_worker_and_come_alone_afterwards(
    settings: Settings, item_ids: list[int]
) -> None:
    def claim() -> list[int]:
        return [claim.item_id for claim in claim_together(settings, "worker", most=lambda _first: 9)]

    assert claim() == item_ids
    assert claim() == item_ids[:1]
    assert [_item(settings, item_id).failures for item_id in item_ids] == [1, 1]


def test_several_items_end_in_one_transaction(settings: Settings, outbox: "Outbox", captions: Captions) -> None:
    jobs = [submit_ingest(settings, captions(count), source="x", dispatcher=outbox) for count in (4, 2)]
    claims = claim_together(settings, "worker", most=lambda _first: 9)
    assert finish_item(settings, claims[0], {"by": "another"})
    assert finish_items(settings, [(claim, {"prototypes": 1}) for claim in claims]) == [False, True, True]
    assert _item(settings, claims[0].item_id).result == {"by": "another"}
    assert [job_summary(settings, job).state for job in jobs] == ["done", "done"]
    assert finish_items(settings, []) == []


def test_two_workers_that_take_and_end_items_of_the_same_jobs_do_not_wait_for_each_other(
    settings: Settings, outbox: "Outbox", captions: Captions
) -> None:
    jobs = [submit_ingest(settings, captions(16), source="x", dispatcher=outbox) for _ in range(3)]

    def work(name: str) -> None:
        while claims := claim_together(settings, name, most=lambda _first: 5):
            finish_items(settings, [(claim, {}) for claim in reversed(claims)])

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job_summary(settings, job).state for job in jobs] == ["done"] * 3


def test_a_worker_takes_only_what_it_serves(settings: Settings, item_ids: list[int]) -> None:
    assert claim_next(settings, "worker", (JobKind.SEGMENT, JobKind.EXEMPLARS)) is None
    assert claim_next(settings, "worker", (JobKind.INGEST,)) is not None


def test_an_item_cannot_be_finished_twice(settings: Settings, item_ids: list[int]) -> None:
    claim = _claim(settings)
    assert finish_item(settings, claim, {"prototypes": 1})
    assert not finish_item(settings, claim, {"prototypes": 9})
    assert _item(settings, item_ids[0]).result == {"prototypes": 1}
    assert _claim(settings).item_id == item_ids[1]


def test_an_unexpected_failure_is_tried_again_up_to_the_limit(settings: Settings, item_ids: list[int]) -> None:
    assert fail_item(settings, _claim(settings), "KeyError: 'x'", "Traceback ...", final=False)
    item = _item(settings, item_ids[0])
    assert (item.state, item.error) == ("queued", "KeyError: 'x'")
    assert not fail_item(settings, _claim(settings), "KeyError: 'x'", "Traceback ...", final=False)
    item = _item(settings, item_ids[0])
    assert (item.state, item.error) == ("failed", "KeyError: 'x' (2 attempts)")
    assert _outcomes(settings, item_ids[0]) == ["failed", "failed"]
    with reading(settings) as session:
        assert set(session.scalars(select(Attempt.error))) == {"Traceback ..."}
    assert _claim(settings).item_id == item_ids[1]


def test_an_expected_failure_is_final(settings: Settings, item_ids: list[int]) -> None:
    for _ in item_ids:
        assert not fail_item(settings, _claim(settings), "not an image", final=True)
    summary = job_summary(settings, _item(settings, item_ids[0]).job_id)
    assert (summary.state, summary.progress.failed) == ("failed", 2)
    assert job_items(settings, summary.id)[0].error == "not an image"


def test_a_job_goes_on_without_what_was_set_aside(settings: Settings, item_ids: list[int], outbox: "Outbox") -> None:
    fail_item(settings, _claim(settings), "not an image", final=True)
    last = _claim(settings)
    assert job_summary(settings, last.job_id).state == "running"
    finish_item(settings, last, {})
    summary = job_summary(settings, last.job_id)
    assert (summary.state, summary.progress.failed, summary.progress.done) == ("partly failed", 1, 1)
    retry_failed_items(settings, last.job_id, dispatcher=outbox)
    assert job_summary(settings, last.job_id).state == "running"
    finish_item(settings, _claim(settings), {})
    assert job_summary(settings, last.job_id).state == "done"


def test_a_worker_that_comes_again_has_lost_its_attempt_and_that_counts(
    settings: Settings, item_ids: list[int]
) -> None:
    assert [_claim(settings).attempt for _ in range(settings.max_attempts)] == [1, 2]
    assert _claim(settings).item_id == item_ids[1]  # it was killed by the first one often enough
    item = _item(settings, item_ids[0])
    assert (item.state, item.error) == ("failed", "its worker was lost (2 attempts)")
    assert _outcomes(settings, item_ids[0]) == ["lost", "lost"]


def test_a_stopping_worker_hands_back_without_counting(settings: Settings, item_ids: list[int]) -> None:
    for _ in range(settings.max_attempts + 1):
        _claim(settings)
        assert has_running_item(settings, "worker")
        assert not has_running_item(settings, "somebody else")
        assert hand_back_items(settings, "somebody else", lost=False) == 0
        assert hand_back_items(settings, "worker", lost=False) == 1
    assert _item(settings, item_ids[0]).state == "queued"
    assert not has_running_item(settings, "worker")
    _claim(settings)
    assert hand_back_items(settings, "worker", lost=True) == 1
    assert _item(settings, item_ids[0]).failures == 1
    assert set(_outcomes(settings, item_ids[0])) == {"handed back", "lost"}


def test_what_cannot_be_done_now_is_put_back_without_counting(settings: Settings, item_ids: list[int]) -> None:
    for _ in range(settings.max_attempts + 1):
        claim = _claim(settings)
        assert hand_back_item(settings, claim, "the bank does not answer")
        assert not hand_back_item(settings, claim, "the bank does not answer")
    item = _item(settings, item_ids[0])
    assert (item.state, item.failures, item.error) == ("queued", 0, "the bank does not answer")


def test_an_item_in_hand_ends_with_its_cancelled_job(settings: Settings, item_ids: list[int]) -> None:
    first = _claim(settings)
    assert cancel_job(settings, first.job_id) == 1
    hand_back_items(settings, "worker", lost=False)
    assert claim_next(settings, "worker") is None
    assert [item.state for item in job_items(settings, first.job_id)] == ["cancelled", "cancelled"]


def test_an_item_put_back_while_its_job_is_cancelled_is_not_begun(settings: Settings, item_ids: list[int]) -> None:
    job_id = _item(settings, item_ids[0]).job_id
    cancel_job(settings, job_id)
    with writing(settings) as session:
        session.execute(update(WorkItem).values(state="queued"))
    assert claim_next(settings, "worker") is None
    assert [item.state for item in job_items(settings, job_id)] == ["cancelled", "cancelled"]


def test_an_item_in_hand_may_finish_in_a_cancelled_job(settings: Settings, item_ids: list[int]) -> None:
    first = _claim(settings)
    cancel_job(settings, first.job_id)
    assert renew_lease(settings, first)
    assert finish_item(settings, first, {})
    assert not renew_lease(settings, first)
    summary = job_summary(settings, first.job_id)
    assert (summary.state, summary.progress.done, summary.progress.cancelled) == ("cancelled", 1, 1)


def test_a_claim_carries_what_the_job_was_asked_with(settings: Settings, item_ids: list[int]) -> None:
    claim = _claim(settings)
    assert claim == replace(claim, pack=settings.pack, parameters={"bank": "default@1", "captions": 4, "left_out": {}})
    assert len(claim.fingerprint) == 16
