from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from freeda_svc.captions.caption import Caption
from freeda_svc.errors import NotFoundError
from freeda_svc.jobs import result_totals, retry_failed_items, submit_ingest, totals
from freeda_svc.jobs.claims import claim_next, fail_item, finish_item
from freeda_svc.jobs.database import writing
from freeda_svc.jobs.tables import WorkItem
from freeda_svc.settings import Settings

if TYPE_CHECKING:
    from conftest import Outbox

pytestmark = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
BIG = 3_000_000_000


@pytest.fixture
def done(settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]]) -> Callable[..., str]:
    """Make a job whose items report results; None for one that fails, and nothing for one that waits."""

    def make(*results: dict[str, Any] | None) -> str:
        job_id = submit_ingest(settings, captions(2 * len(results) + 2), source="x", dispatcher=outbox)
        for result in results:
            claim = claim_next(settings, job_id)
            assert claim is not None
            if result is None:
                fail_item(settings, claim, "broken", final=True)
            else:
                finish_item(settings, claim, result)
        claim = claim_next(settings, job_id)
        assert claim is not None
        fail_item(settings, claim, "broken", final=True)
        return job_id

    return make


def test_counts_of_done_items_are_added_up_in_their_order(settings: Settings, done: Callable[..., str]) -> None:
    done({"prototypes": 1000})  # of another job
    job_id = done(
        {"prototypes": 3, "new prototypes": 2, "images": BIG}, None, {"images": BIG, "empty": 1, "prototypes": -1}, {}
    )
    added = result_totals(settings, job_id[:8])
    assert list(added.items()) == [("prototypes", 2), ("new prototypes", 2), ("images", 2 * BIG), ("empty", 1)]


def test_only_whole_numbers_are_counts(settings: Settings, done: Callable[..., str]) -> None:
    strange = {"bank": "7", "changed": True, "seconds": 1.5, "none": None, "list": [1], "inside": {"n": 1}, "it's": 1}
    assert result_totals(settings, done(strange, strange)) == {"it's": 2}


def test_what_was_added_up_before_is_not_read_again(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "MOST_BEHIND", 1)
    job_id = submit_ingest(settings, captions(16), source="x", dispatcher=outbox)
    claims = [claim_next(settings, f"worker {number}") for number in range(8)]
    expected = 0
    for number in (3, 0, 1, 2, 7, 6, 4):  # not in their order, as several workers end them
        claim = claims[number]
        assert claim is not None
        if number == 2:
            fail_item(settings, claim, "broken", final=True)
        else:
            finish_item(settings, claim, {"prototypes": 10**number})
            expected += 10**number
        assert result_totals(settings, job_id) == {"prototypes": expected}
    with writing(settings) as session:  # who looks again would see this
        session.execute(update(WorkItem).where(WorkItem.number <= 2).values(result={"prototypes": 7}))
    assert result_totals(settings, job_id) == {"prototypes": expected}


def test_items_that_were_tried_again_are_added(
    settings: Settings, outbox: "Outbox", captions: Callable[[int], list[Caption]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "MOST_BEHIND", 1)
    job_id = submit_ingest(settings, captions(8), source="x", dispatcher=outbox)
    for number in range(4):
        claim = claim_next(settings, "worker")
        assert claim is not None
        if number == 1:
            fail_item(settings, claim, "broken", final=True)
        else:
            finish_item(settings, claim, {"prototypes": 1})
    assert result_totals(settings, job_id) == {"prototypes": 3}
    retry_failed_items(settings, job_id, dispatcher=outbox)
    claim = claim_next(settings, "worker")
    assert claim is not None
    assert result_totals(settings, job_id) == {"prototypes": 3}
    finish_item(settings, claim, {"prototypes": 5, "images": 1})
    assert result_totals(settings, job_id) == {"prototypes": 8, "images": 1}
    assert result_totals(settings, job_id) == {"prototypes": 8, "images": 1}


def test_a_job_of_which_nothing_is_done_has_none(settings: Settings, done: Callable[..., str]) -> None:
    assert result_totals(settings, done(None)) == {}
    with pytest.raises(NotFoundError):
        result_totals(settings, "abc")
